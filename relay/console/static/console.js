// What the pages do by themselves: regions that keep up to date, clocks that count, the keyboard's
// way to the search. Everything works without it, by loading a page again.

const EVERY_MS = 2000;
const language = document.documentElement.lang;
const asWritten = (more) => new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more,
});
const asTime = asWritten({});
const asTimeOfAnotherYear = asWritten({ year: "numeric" });

let ahead = 0; // how far the relay's clock is ahead of this one
let paused = false;

// --- times -------------------------------------------------------------------------------------

function span(ms) {
  const seconds = Math.trunc(Math.abs(ms) / 1000);
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.trunc(seconds / 3600), Math.trunc(seconds / 60) % 60, seconds % 60];
  return (ms < 0 && seconds ? "\u2212" : "") + (h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`);
}

function localise(root) {
  const year = new Date(Date.now() + ahead).getFullYear();
  for (const time of root.querySelectorAll("time[data-at]")) {
    const at = new Date(Number(time.dataset.at));
    time.textContent = (at.getFullYear() === year ? asTime : asTimeOfAnotherYear).format(at);
    time.title = at.toISOString();
  }
}

function count(root) {
  const now = Date.now() + ahead;
  for (const time of root.querySelectorAll("time[data-until]")) {
    const text = span(Number(time.dataset.until) - now);
    if (time.textContent !== text) time.textContent = text;
  }
}

function setClock(root) {
  const said = root.querySelector?.("[data-now]") ?? (root.dataset?.now ? root : null);
  if (said) ahead = Number(said.dataset.now) - Date.now();
}

// --- regions that keep up to date --------------------------------------------------------------

// What this script or the person has set, and no answer of the relay's takes back.
const OURS = new Set(["open", "hidden"]);

// Makes `old` like `fresh` and touches nothing that is the same: what is selected, focused or
// scrolled to stays. Rows are known by their key, so a new one pushes others down, not aside.
function patch(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !OURS.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !OURS.has(name)) old.setAttribute(name, value);
  }
  patchChildren(old, fresh);
}

function patchChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  const wanted = new Set([...fresh.children].map((child) => child.dataset.key));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const key = next.dataset?.key;
    const known = keyed.get(key);
    // What is gone makes room, with the blanks around it, so that what stays need not move.
    while (at && at !== known && (at.dataset?.key ? !wanted.has(at.dataset.key) : known)) {
      at = removed(at);
    }
    if (known) {
      if (known !== at) old.insertBefore(known, at);
      else at = at.nextSibling;
      patch(known, next);
    } else if (key) {
      old.insertBefore(next, at);
      next.classList.add("arrived");
    } else if (at && !at.dataset?.key) {
      const here = at;
      at = at.nextSibling;
      patch(here, next);
    } else {
      old.insertBefore(next, at);
    }
  }
  while (at) at = removed(at);
}

function removed(node) {
  const next = node.nextSibling;
  // Who stood on it goes on from the row that follows, not from the top of the page.
  if (node.contains?.(document.activeElement)) {
    const other = node.nextElementSibling ?? node.previousElementSibling;
    (other?.querySelector("a, input, button") ?? document.getElementById("content")).focus();
  }
  node.remove();
  return next;
}

function tell(text) {
  const line = document.getElementById("connection");
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
}

async function refresh(region) {
  const answer = await fetch(region.dataset.live, {
    headers: { accept: "text/html" }, signal: AbortSignal.timeout(5 * EVERY_MS), redirect: "error",
  });
  if (answer.status === 401) return "out";
  if (!answer.ok) return "lost";
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  if (paused && region.id !== "bell") return "";
  setClock(fresh.content);
  localise(fresh.content);
  count(fresh.content);
  patchChildren(region, fresh.content);
  showPicked();
  return "";
}

async function keepUpToDate() {
  const regions = [...document.querySelectorAll("[data-live]")];
  while (regions.length) {
    await new Promise((wake) => setTimeout(wake, EVERY_MS));
    if (document.hidden) continue;
    const due = regions.filter((region) => !paused || region.id === "bell");
    const found = await Promise.all(due.map((region) => refresh(region).catch(() => "lost")));
    if (found.includes("out")) {
      tell(document.body.dataset.out);
      return;
    }
    tell(found.includes("lost") ? document.body.dataset.lost : "");
  }
}

// --- selecting, and how far a closing of several has come --------------------------------------

function showPicked() {
  const say = document.querySelector("[data-picked]");
  if (!say) return;
  const picked = document.querySelectorAll("td.pick input:checked").length;
  say.dataset.idle ??= say.textContent;
  const text = picked ? say.dataset.text.replace("{n}", picked) : say.dataset.idle;
  if (say.textContent !== text) say.textContent = text;
  document.querySelector("[data-needs-pick]").disabled = !picked;
  document.querySelector("[data-pick-all]").hidden = false;
}

function pickAll() {
  for (const box of document.querySelectorAll("td.pick input:enabled")) box.checked = true;
  showPicked();
}

function showProgress() {
  const bar = document.querySelector("[data-progress]");
  if (!bar) return;
  const results = document.getElementById("results");
  const show = () => { bar.value = results?.rows.length ?? 0; };
  new MutationObserver(show).observe(bar.parentElement, { childList: true, subtree: true });
  show();
}

// --- the keyboard, the filters, the pause ------------------------------------------------------

function listen() {
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
  document.addEventListener("change", showPicked);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-pick-all]")) pickAll();
  });
  document.addEventListener("submit", (event) => {
    // Once is enough; a second click would only be told that it was done already.
    const button = event.submitter;
    if (event.target.method === "post" && button) setTimeout(() => { button.disabled = true; });
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  const pause = document.querySelector("[data-pause]");
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
    });
  }
}

// A page that is still arriving shows how far it has come; the rest waits until it is all there.
function begin() {
  setClock(document.body);
  localise(document);
  count(document);
  setInterval(() => count(document), 1000);
  listen();
  showPicked();
  keepUpToDate();
}

if (document.readyState === "loading") {
  const early = new MutationObserver(() => {
    if (!document.getElementById("results")) return;
    early.disconnect();
    showProgress();
  });
  early.observe(document, { childList: true, subtree: true });
  document.addEventListener("DOMContentLoaded", begin);
} else {
  showProgress();
  begin();
}
