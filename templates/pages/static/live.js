// Keeps the part of a page marked with data-live up to date: asks its address for JSON, puts in the `html` that comes.
"use strict";

const SOONEST = 1500; // milliseconds between two questions
const SHARE = 10; // of the time a question takes: a slow answer is asked for less often

const part = document.querySelector("[data-live]");

async function refresh() {
  const begun = performance.now();
  const answer = await fetch(part.dataset.live, { cache: "no-store", credentials: "same-origin" });
  if (answer.status === 403) {
    location.reload();
    return null;
  }
  if (!answer.ok) {
    throw new Error(`status ${answer.status}`);
  }
  const now = await answer.json();
  if (now.html !== part.innerHTML) {
    show(now.html);
  }
  return now.is_over ? null : Math.max(SOONEST, SHARE * (performance.now() - begun));
}

function show(html) {
  const focused = document.activeElement?.closest?.("[data-live] [tabindex]")?.getAttribute("aria-label");
  const scrolled = [...part.querySelectorAll(".wide")].map((box) => box.scrollLeft);
  part.innerHTML = html;
  part.querySelectorAll(".wide").forEach((box, index) => {
    box.scrollLeft = scrolled[index] ?? 0;
  });
  if (focused) {
    part.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}

async function keepFresh() {
  let wait = SOONEST;
  while (wait !== null) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (document.hidden) {
      continue;
    }
    try {
      wait = await refresh();
      part.removeAttribute("data-stale");
    } catch {
      part.setAttribute("data-stale", "");
      wait = 2 * SOONEST;
    }
  }
}

if (part) {
  keepFresh();
}
