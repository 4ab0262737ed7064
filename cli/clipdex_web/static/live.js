// Another question without another page: the server's page is fetched, and what differs is put into this one.
let visiting = null;

const own = (address) => address.origin === location.origin && address.pathname === location.pathname;

// Go to an address of the grid. `body` is what a form posts; `how` is push, replace or stay.
export async function visit(url, { how = "push", body = null, keep = [] } = {}) {
  visiting?.abort();
  const mine = (visiting = new AbortController());
  document.documentElement.setAttribute("aria-busy", "true");
  let answer, text;
  try {
    answer = await fetch(url, body ? { method: "POST", body, signal: mine.signal } : { signal: mine.signal });
    text = await answer.text();
  } catch (error) {
    if (mine.signal.aborted) return false;
    say("The server does not answer: is clipdex still running?");
    return false;
  } finally {
    if (visiting === mine) document.documentElement.removeAttribute("aria-busy");
  }
  const found = new DOMParser().parseFromString(text, "text/html");
  if (!found.querySelector('[data-part="main"]')) {
    say(found.querySelector("[role=alert]")?.textContent || `The server says: ${text.slice(0, 300)}`);
    return false;
  }
  const address = new URL(answer.url);
  const same = address.href === location.href;
  if (how !== "stay") history[how === "push" && !same ? "pushState" : "replaceState"]({}, "", address);
  swap(found, keep);
  document.dispatchEvent(new CustomEvent("clipdex:shown"));
  return true;
}

function swap(found, keep) {
  const focus = handles(document.activeElement);
  document.title = found.title;
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = found.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && !keep.includes(part.dataset.part)) part.replaceWith(other);
  }
  if (!document.activeElement || document.activeElement === document.body) {
    const like = focus.map((selector) => document.querySelector(selector)).find(Boolean);
    (like || document.getElementById("main")).focus({ preventScroll: true });
  }
}

// Selectors that find the like of an element in the page that comes, the nearest first.
function handles(element) {
  const quoted = (name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`;
  if (!element || element === document.body) return [];
  const menu = element.closest("details[id]"); // It comes closed.
  if (menu) return [`#${CSS.escape(menu.id)} summary`];
  if (element.id) return [`#${CSS.escape(element.id)}`];
  if (element.name) return [`${quoted("name")}${element.type === "checkbox" ? quoted("value") : ""}`];
  const chip = element.closest(".chips > li");
  if (chip) {
    const number = [...chip.parentElement.children].indexOf(chip) + 1;
    const link = element.matches("[data-turn]") ? "[data-turn]" : "[data-remove]";
    return [`.chips > li:nth-child(${number}) ${link}`, ".chip:not(:has(~ .chip)) [data-remove]", "[data-ask]"];
  }
  return element.hasAttribute("aria-label") ? [quoted("aria-label")] : [];
}

export function say(sentence) {
  const place = document.querySelector("[data-said]");
  place.textContent = sentence;
  place.hidden = !sentence;
}

export function addressOf(form, submitter) {
  const address = new URL(form.getAttribute("action"), location.href);
  const pairs = [...new FormData(form, submitter)].filter(([, value]) => value !== "");
  address.search = new URLSearchParams(pairs);
  return address;
}

export function goLive() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.hasAttribute("download") || link.target || !own(new URL(link.href)) || link.hash) return;
    event.preventDefault();
    visit(link.href);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || (form.getAttribute("action") !== "./" && !form.matches("[data-live]"))) return;
    event.preventDefault();
    say("");
    if (form.method === "post") {
      const data = new FormData(form, event.submitter);
      const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
      visit(form.action, { how: form.dataset.live || "push", body });
    }
    else visit(addressOf(form, event.submitter)).then((done) => done && emptied(form));
  });
  addEventListener("popstate", () => visit(location.href, { how: "stay" }));
}

function emptied(form) {
  const box = form.querySelector("[data-ask]");
  if (box) box.value = "";
}
