/* audit(): what keeps people from using a page, as far as a program can tell; WCAG 2.2 AA by
 * number. Each complaint names the element. */
function audit() {
  const complaints = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (e) => e.checkVisibility({ visibilityProperty: true });

  function complain(element, what) {
    const id = element.id ? `#${element.id}` : "";
    const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 30);
    complaints.push(`${element.localName}${id} "${text}": ${what}`);
  }

  function labelledBy(element) {
    return (element.getAttribute("aria-labelledby") ?? "")
      .split(/\s+/)
      .map((id) => document.getElementById(id)?.textContent ?? "")
      .join(" ")
      .trim();
  }

  function name(element) {
    return (
      labelledBy(element) ||
      element.getAttribute("aria-label")?.trim() ||
      [...(element.labels ?? [])].map((l) => l.textContent).join(" ").trim() ||
      element.getAttribute("alt")?.trim() ||
      element.textContent.trim() ||
      [...element.querySelectorAll("img")].map((i) => i.alt).join(" ").trim()
    );
  }

  /* 3.1.1, 2.4.2, 1.4.4 */
  function page() {
    const root = document.documentElement;
    if (!/^[a-z]{2,3}(-|$)/i.test(root.lang)) complain(root, "no language");
    if (!document.title.trim()) complain(root, "no title");
    const viewport = document.querySelector("meta[name=viewport]")?.content ?? "";
    if (!viewport.includes("width=device-width")) complain(root, "no viewport");
    if (/user-scalable\s*=\s*(no|0)|maximum-scale/.test(viewport)) complain(root, "cannot be enlarged");
  }

  /* 1.3.1, 2.4.1: what screen readers go by */
  function landmarks() {
    if (all("main").length !== 1) complain(document.body, `${all("main").length} main parts`);
    for (const kind of ["nav", "aside", "section"]) {
      const parts = all(kind).filter(seen);
      for (const part of parts) {
        const label = labelledBy(part) || part.getAttribute("aria-label");
        if (!label && (kind === "section" || parts.length > 1)) complain(part, "has no name");
      }
    }
    const skip = all("a[href^='#']")[0];
    if (all("nav a").length && !document.querySelector("main.missing")) {
      const target = skip && document.getElementById(skip.hash.slice(1));
      if (!target?.matches("main, main *")) complain(document.body, "no link to skip to the content");
    }
  }

  /* 1.3.1, 2.4.6 */
  function headings() {
    const found = all("h1, h2, h3, h4, h5, h6").filter(seen);
    if (found.filter((h) => h.localName === "h1").length !== 1) complain(document.body, "not one h1");
    let before = 0;
    for (const h of found) {
      const level = Number(h.localName[1]);
      if (level > before + 1) complain(h, `level ${level} after ${before}`);
      if (!h.textContent.trim()) complain(h, "says nothing");
      before = level;
    }
  }

  /* 1.1.1, 2.4.4, 4.1.2 */
  function names() {
    for (const image of all("img")) {
      if (!image.hasAttribute("alt")) complain(image, "no alt");
    }
    for (const image of all("svg[role=img]")) {
      if (!name(image)) complain(image, "no name");
    }
    for (const control of all("a[href], button, input:not([type=hidden]), select, textarea")) {
      if (!name(control)) complain(control, "no name");
    }
  }

  /* 4.1.1 as it was, and references that lead nowhere */
  function references() {
    const ids = all("[id]").map((e) => e.id);
    for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) {
      complain(document.getElementById(id), "its id is there twice");
    }
    for (const attribute of ["aria-labelledby", "aria-describedby", "for"]) {
      for (const e of all(`[${attribute}]`)) {
        for (const id of e.getAttribute(attribute).split(/\s+/)) {
          if (!document.getElementById(id)) complain(e, `${attribute} names ${id}, which is not there`);
        }
      }
    }
    for (const a of all("a[href^='#']")) {
      if (!document.getElementById(a.hash.slice(1))) complain(a, "leads nowhere");
    }
  }

  /* 1.3.1 */
  function lists() {
    for (const item of all("li")) {
      if (!item.parentElement.matches("ul, ol, menu")) complain(item, "an item of no list");
    }
    for (const list of all("ul > :not(li), ol > :not(li)")) complain(list, "in a list, and no item");
    for (const e of all("dl > :not(dt, dd, div)")) complain(e, "in a list of terms, and no term");
  }

  /* 1.4.3 */
  function contrast() {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

    /* What a colour looks like upon another. */
    function over(color, ground) {
      canvas.fillStyle = `rgb(${ground.join(" ")})`;
      canvas.fillRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }

    function ground(element) {
      const under = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
      return over(getComputedStyle(element).backgroundColor, under);
    }

    function luminance(rgb) {
      const [r, g, b] = rgb.map((v) => {
        const s = v / 255;
        return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }

    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const done = new Set();
    while (texts.nextNode()) {
      const e = texts.currentNode.parentElement;
      if (!texts.currentNode.data.trim() || done.has(e) || !seen(e)) continue;
      done.add(e);
      const style = getComputedStyle(e);
      const below = ground(e);
      const [dark, light] = [over(style.color, below), below].map(luminance).sort((a, b) => a - b);
      const ratio = (light + 0.05) / (dark + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) complain(e, `contrast ${ratio.toFixed(2)}`);
    }
  }

  /* 2.5.8: but for links in the middle of a text */
  function targets() {
    for (const e of all("nav a, button, input, select").filter(seen)) {
      const box = e.getBoundingClientRect();
      if (box.width < 24 || box.height < 24) complain(e, `${box.width} by ${box.height} is too small`);
    }
  }

  for (const check of [page, landmarks, headings, names, references, lists, contrast, targets]) {
    check();
  }
  return complaints;
}
