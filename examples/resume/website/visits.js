/* The visitor counter.
 *
 * POST /api/visits counts this visit, once a day, and answers {"count": 42}. The page is whole
 * without it: no answer, a late one or a strange one, and the line stays hidden. Nothing is
 * stored here, and nothing is sent but the request itself. */
"use strict";

(function () {
  const TIMEOUT_MS = 5000;

  /* CloudFront signs what it sends on to the function, the body's hash included, and takes that
   * from whoever sends the body. Ours is always empty; this is the SHA-256 of nothing. */
  const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

  async function count() {
    const answer = await fetch("/api/visits", {
      method: "POST",
      headers: { "x-amz-content-sha256": EMPTY },
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const visits = answer.ok ? (await answer.json()).count : null;
    if (Number.isSafeInteger(visits) && visits > 0) {
      show(visits);
    }
  }

  function show(visits) {
    const place = document.getElementById("visits");
    const number = new Intl.NumberFormat(document.documentElement.lang).format(visits);
    place.textContent = visits === 1 ? "You are the first visitor." : `${number} visitors so far.`;
    place.hidden = false;
  }

  function quietly() {
    count().catch(() => {});
  }

  /* A page that is only prepared, in case it is wanted next, has not been visited yet. */
  if (document.prerendering) {
    document.addEventListener("prerenderingchange", quietly, { once: true });
  } else {
    quietly();
  }
})();
