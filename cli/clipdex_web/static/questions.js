// Questions to the server, one at a time, and their answers, which become this page.
import { follow, seen } from "./parts.js";
import { untouched } from "./presses.js";

// What is asked now, and what waits for its answer. Whatever is done meanwhile is done to the page that comes of it, so
// nothing is lost. Only what is being typed gives way, to the next letter as to anything else.
let running = null;
let waiting = [];
let settled = location.href;

// The address of what was asked last, without what is being typed.
export const settledAddress = () => new URL(settled);

// Ask when it is its turn. `act` then says what: `url`, `body` for what a form posts, `how` (push, replace or stay) the
// address changes, `sent` where the form of the page was, `typing` where its text is still being typed, and `shown`, to
// be called with the answer; or nothing. One that is `passing` gives way to all that comes later, and one that waits to
// a later one of its `kind`. Tells whether the answer is shown.
export function ask(act, { passing = false, kind = "" } = {}) {
  giveWay((one) => one.passing || (one !== running && kind && one.kind === kind));
  return new Promise((done) => {
    waiting.push({ act, passing, kind, done, stop: new AbortController() });
    if (!running) run();
  });
}

// Whether nothing is asked, and nothing waits.
export const idle = () => !running;

// Drop what was asked before, all of it where the user goes elsewhere.
export function giveWay(whether = () => true) {
  for (const one of waiting) if (whether(one)) one.done(false);
  waiting = waiting.filter((one) => !whether(one));
  if (running && whether(running)) running.stop.abort();
}

async function run() {
  document.documentElement.setAttribute("aria-busy", "true");
  while ((running = waiting.shift())) {
    const done = await answered(running).catch((error) => reportError(error)); // What waits is not lost by a defect.
    running.done(Boolean(done));
  }
  document.documentElement.removeAttribute("aria-busy");
}

async function answered({ act, stop }) {
  const { url, body, how = "push", sent = false, typing = false, shown } = act() ?? {};
  if (!url) return false;
  const before = seen(sent);
  const found = await fetched(url, body, stop.signal);
  if (!found) return false;
  await untouched();
  if (stop.signal.aborted) return false;
  const address = new URL(found.querySelector('[data-part="main"]').dataset.url, location.href);
  if (!typing) settled = address.href;
  const same = address.href === location.href;
  if (how !== "stay") history[how === "push" && !same ? "pushState" : "replaceState"]({}, "", address);
  say("");
  shown?.();
  follow(found, before, typing ? ["asked"] : []);
  document.dispatchEvent(new CustomEvent("clipdex:shown", { detail: { typing } }));
  return true;
}

async function fetched(url, body, signal) {
  let text;
  try {
    // A form that is posted leads to the whole page.
    text = await (await fetch(body ? url : partsOf(url), body ? { method: "POST", body, signal } : { signal })).text();
  } catch {
    if (!signal.aborted) say("The server does not answer: is clipdex still running?");
    return null;
  }
  const found = new DOMParser().parseFromString(text, "text/html");
  if (found.querySelector('[data-part="main"]')) return found;
  say(found.querySelector("[role=alert]")?.textContent || `The server says: ${text.slice(0, 300)}`);
  return null;
}

const partsOf = (url) => new URL(`answer${new URL(url, location.href).search}`, location.href);

export function say(sentence) {
  const place = document.querySelector("[data-said]");
  place.textContent = sentence;
  place.hidden = !sentence;
}
