// Keeps the page as the server would send it now: whatever has data-live and an id is fetched again and
// replaced when it differs. All text was escaped by the server, once, for both.
"use strict";

const every = 1000;
const patience = 15000;
let failures = 0;

function atEnd(box) {
	return box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
}

function replaceChanged(fresh) {
	for (const now of document.querySelectorAll("[data-live][id]")) {
		const next = fresh.getElementById(now.id);
		if (!next || next.innerHTML === now.innerHTML) {
			continue;
		}
		const box = now.querySelector("pre");
		const followed = box === null || atEnd(box);
		const top = box === null ? 0 : box.scrollTop;
		now.replaceChildren(...next.childNodes);
		const after = now.querySelector("pre");
		if (after !== null) {
			after.scrollTop = followed ? after.scrollHeight : top;
		}
	}
	document.title = fresh.title;
}

function selects() {
	const selection = document.getSelection();
	return selection !== null && !selection.isCollapsed;
}

async function refresh() {
	try {
		const answer = await fetch(location.href, { cache: "no-store", redirect: "error" });
		if (!answer.ok) {
			throw new Error(answer.statusText);
		}
		const text = await answer.text();
		failures = 0;
		document.body.classList.remove("stale");
		// Who is about to copy something is left alone.
		if (!selects()) {
			replaceChanged(new DOMParser().parseFromString(text, "text/html"));
		}
	} catch {
		failures += 1;
		document.body.classList.add("stale");
	}
	setTimeout(refresh, Math.min(every * 2 ** failures, patience));
}

if (document.querySelector("[data-live]") !== null) {
	setTimeout(refresh, every);
}
