"""functions.py measures length and nesting as a reader would."""

import functions
import pytest


def measured(body):
    code = functions.tree.without_directives(body)
    return [(name, lines, nesting) for name, _, lines, nesting in functions.functions(code)]


def test_length_is_what_stands_between_the_braces():
    assert measured("int f(void)\n{\n\ta();\n\tb();\n}\n") == [("f", 2, 0)]


NESTING = {
    "flat": ("a(); b();", 0),
    "if": ("if (a) b();", 1),
    "if else": ("if (a) { b(); } else c();", 1),
    "else if chain": ("if (a) b(); else if (c) d(); else if (e) f(); else g();", 1),
    "loop in if": ("if (a) { for (;;) b(); }", 2),
    "without braces": ("for (;;) while (a) if (b) c();", 3),
    "switch": ("switch (a) { case 1: if (b) c(); break; default: d(); }", 2),
    "do": ("do { if (a) b(); } while (c); if (d) e();", 2),
    "after a nest": ("if (a) { if (b) c(); } d();", 2),
    "plain block": ("{ { a(); } }", 0),
    "loop macro": ("VEC_EACH(x, v) { if (x) a(); }", 2),
    "initialiser": ("struct a b[] = { { 1 }, { 2 } }; if (c) d();", 1),
    "compound literal": ("b = (struct a){ 1 }; return (struct a){ f(1) };", 0),
    "empty loop": ("while (a) ; if (b) c();", 1),
    "braces in text": ('a("{{{{{"); b(\'{\'); /* { if ( */ // {', 0),
}


@pytest.mark.parametrize("body, nesting", NESTING.values(), ids=NESTING.keys())
def test_nesting(body, nesting):
    [(name, _, found)] = measured("static int g(int a, char *b)\n{\n" + body + "\n}\n")
    assert (name, found) == ("g", nesting)


def test_only_functions_count():
    assert measured("struct a {\n\tint b;\n};\nenum { A };\n"
                    "static const int c[] = { 1 };\n#define F(x) \\\n\tdo { x(); } while (0)\n"
                    "int f(int (*cb)(void))\n{\n}\n") == [("f", 0, 0)]


def function(lines):
    return "int long_one(void)\n{\n" + "\ta();\n" * lines + "}\n"


def test_sixty_lines_are_enough(good):
    good.append("src/base/buf.c", function(60))
    assert list(functions.check(good.root)) == []
    good.append("src/base/buf.c", function(61))
    [finding] = functions.check(good.root)
    assert "long_one() has 61 lines" in finding


def test_five_deep_is_too_deep(good):
    good.append("src/base/buf.c", "int f(void)\n{\n" + "if (a) " * 4 + "b();\n}\n")
    assert list(functions.check(good.root)) == []
    good.append("src/base/buf.c", "int deep(void)\n{\n" + "if (a) { " * 5 + "}" * 5 + "}\n")
    [finding] = functions.check(good.root)
    assert "deep() nests 5 deep" in finding


def test_tests_are_held_to_it_too(good):
    good.write("tests/unit/test_x.c", function(61))
    assert len(list(functions.check(good.root))) == 1
