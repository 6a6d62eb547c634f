"""The audit finds what it is there for; a page without faults passes."""

from urllib.parse import quote

import pytest

GOOD = """<!doctype html><html lang="en"><head><title>t</title>
<meta name="viewport" content="width=device-width"><style>a { display: inline-block; padding: 9px }
</style></head><body><a href="#m">Skip</a><nav><a href="/x">Page</a></nav>
<main id="m"><h1>One</h1><h2>Two</h2><p>Text</p><ul><li>Item</li></ul>
<img src="data:," alt=""></main></body></html>"""


def findings(page, html):
    page.open("data:text/html;charset=utf-8," + quote(html))
    return page.audit()


def test_a_good_page(page):
    assert findings(page, GOOD) == []


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ('lang="en"', "", "no language"),
    ("<title>t</title>", "", "no title"),
    ("width=device-width", "width=980", "no viewport"),
    ("width=device-width", "width=device-width, user-scalable=no", "cannot be enlarged"),
    ("<main", "<main></main><main", "2 main parts"),
    ("<h1>One</h1>", "<p>One</p>", "not one h1"),
    ("<h2>Two</h2>", "<h3>Two</h3>", "level 3 after 1"),
    ("<h2>Two</h2>", "<h2></h2>", "says nothing"),
    ("<p>Text</p>", "<section>Text</section>", "has no name"),
    ("<p>Text</p>", "<nav><a href='/y'>Other</a></nav>", "has no name"),
    ('<a href="#m">Skip</a>', "", "no link to skip"),
    ('href="#m"', 'href="#n"', "leads nowhere"),
    ('alt=""', "", "no alt"),
    ("<p>Text</p>", "<svg role=img></svg>", "no name"),
    ("<p>Text</p>", "<a href='/y'></a>", "no name"),
    ("<p>Text</p>", "<input>", "no name"),
    ("<p>Text</p>", "<p id='m'>Text</p>", "its id is there twice"),
    ("<p>Text</p>", "<p aria-describedby='z'>Text</p>", "z, which is not there"),
    ("<p>Text</p>", "<li>Text</li>", "an item of no list"),
    ("<li>Item</li>", "<p>Item</p>", "in a list, and no item"),
    ("<p>Text</p>", "<dl><p>Text</p></dl>", "in a list of terms"),
    ("<p>Text</p>", "<p style='color: #777'>Text</p>", "contrast 4.48"),
    ("<p>Text</p>", "<p style='color: #0005'>Text</p>", "contrast"),
    ("<p>Text</p>", "<p style='background: #000'>Text</p>", "contrast 1.00"),
    ("padding: 9px", "padding: 0", "too small"),
])
def test_a_fault(page, old, new, complaint):
    assert old in GOOD
    found = findings(page, GOOD.replace(old, new, 1))
    assert any(complaint in f for f in found), found


@pytest.mark.parametrize("harmless", [
    "<p style='color: #767676'>4.54</p>",
    "<p style='color: #888; font-size: 24px'>large</p>",
    "<p style='color: #fff' hidden>not seen</p>",
    "<dl><div><dt>a</dt><dd>b</dd></div></dl>",
    "<label>Name <input style='padding: 9px'></label>",
])
def test_no_fault(page, harmless):
    assert findings(page, GOOD.replace("<p>Text</p>", harmless)) == []
