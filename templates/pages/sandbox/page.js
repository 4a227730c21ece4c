// Asks every second whether something has happened, and then exchanges what has changed.
"use strict";

const EVERY = 1000;
let version = document.body.dataset.version;

// The children of a live list carry keys: new ones are put in, changed ones exchanged, gone ones removed.
function exchange(list, fresh) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = [...fresh.children];
  const kept = new Set(wanted.map((child) => child.dataset.key));
  for (const [key, child] of known) if (!kept.has(key)) child.remove();
  wanted.forEach((child, index) => {
    const old = known.get(child.dataset.key);
    const here = list.children[index] ?? null;
    if (!old) {
      child.classList.add("new");
      list.insertBefore(child, here);
    } else if (old.innerHTML !== child.innerHTML) {
      const nested = [old.querySelector(".bubbles"), child.querySelector(".bubbles")];
      if (nested[0] && nested[1]) exchange(...nested);
      else {
        const place = [...old.querySelectorAll("button")].indexOf(document.activeElement);
        old.replaceWith(child);
        child.querySelectorAll("button")[place]?.focus(); // who presses with the keyboard stays where they are
      }
      const moved = nested[0] && nested[1] ? old : child;
      if (list.children[index] !== moved) list.insertBefore(moved, list.children[index] ?? null);
    } else if (here !== old) {
      list.insertBefore(old, here);
    }
  });
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const list of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(list.id);
    if (other) exchange(list, other);
  }
  version = fresh.body.dataset.version;
}

async function look() {
  try {
    if (!document.hidden) {
      const answer = await fetch(document.body.dataset.versionUrl);
      if (answer.ok && (await answer.json()).version !== version) await refresh();
    }
    document.body.classList.remove("offline");
  } catch {
    document.body.classList.add("offline");
  }
  setTimeout(look, EVERY);
}

// Answers are sent without leaving the page, so that the next one can be typed at once.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".reply, .chips form, .keyboard")) return;
  event.preventDefault();
  const fields = new FormData(form, event.submitter);
  form.querySelector("[name=text]:not(button)")?.setAttribute("value", "");
  form.reset();
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields) });
  if (answer.url.includes("problem=")) location.assign(answer.url);
  else await refresh();
});

document.querySelector(".filter select")?.addEventListener("change", (event) => event.target.form.requestSubmit());

setTimeout(look, EVERY);
