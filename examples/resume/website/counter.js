/* The visitor counter. The page works without it: without an address, without an
 * answer, or with a strange one, nothing is shown and nothing is said.
 *
 * POST adds a visit, GET only asks; both answer {"count": 123}. A visit is counted once
 * in a browser session. Nothing about the visitor is stored or sent. */
"use strict";

(function () {
  const TIMEOUT_MS = 5000;
  const COUNTED = "crc-counted";

  function address() {
    const meta = document.querySelector('meta[name="crc-counter"]');
    const text = meta ? meta.content.trim() : "";
    return text === "" ? null : new URL(text, document.baseURI);
  }

  /* Storage may be forbidden; then every page view counts. */
  function wasCounted() {
    try {
      return sessionStorage.getItem(COUNTED) !== null;
    } catch {
      return false;
    }
  }

  function remember() {
    try {
      sessionStorage.setItem(COUNTED, "yes");
    } catch {
      /* the next view counts again */
    }
  }

  async function ask(url) {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), TIMEOUT_MS);
    try {
      const answer = await fetch(url, {
        method: wasCounted() ? "GET" : "POST",
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
        signal: giveUp.signal,
      });
      const count = answer.ok ? (await answer.json()).count : null;
      return Number.isSafeInteger(count) && count > 0 ? count : null;
    } finally {
      clearTimeout(timer);
    }
  }

  function show(count) {
    const place = document.getElementById("visitors");
    const number = new Intl.NumberFormat(document.documentElement.lang).format(count);
    place.textContent = count === 1 ? "You are the first visitor." : `${number} visits so far.`;
    place.hidden = false;
  }

  async function main() {
    const url = address();
    const count = url && (await ask(url));
    if (count) {
      remember();
      show(count);
    }
  }

  main().catch(() => {});
})();
