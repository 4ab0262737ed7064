// Links and forms of the page ask another question, without another page.
import { takeText } from "./box.js";
import { watchPresses } from "./presses.js";
import { ask, giveWay, idle, say } from "./questions.js";

const own = (address) => address.origin === location.origin && address.pathname === location.pathname;

// A link that was clicked, or its like where the page is another one by now.
function leadOf(link, href) {
  if (link.isConnected) return link.href;
  const said = (one) => one.ariaLabel || one.title || one.textContent;
  return [...document.querySelectorAll("[data-part] a[href]")].find((one) => said(one) === said(link))?.href ?? href;
}

function lead(link) {
  const href = link.href;
  let taken;
  const act = () => {
    taken = takeText({ all: false });
    return { url: leadOf(link, href) };
  };
  ask(act).then((done) => done || taken?.back());
}

function submit(form, submitter) {
  say("");
  const asking = form.id === "ask";
  // What is typed, or chosen, belongs to this question; the rest is sent as it is when it is its turn.
  const name = asking ? "add" : "upload";
  const sent = new FormData(form, submitter).get(name);
  let taken = asking && takeText({ all: true });
  const act = () => {
    taken ||= takeText({ all: false });
    const data = new FormData(form);
    if (submitter?.name) data.append(submitter.name, submitter.value);
    if (sent !== null) data.set(name, sent);
    if (form.method === "post") {
      const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
      return { url: form.action, body, how: form.dataset.live || "push", shown: () => close(form) };
    }
    const url = new URL(form.getAttribute("action"), location.href);
    url.search = new URLSearchParams([...data].filter(([, value]) => value !== ""));
    return { url, how: taken.begun ? "replace" : "push", sent: asking };
  };
  ask(act, { kind: sent || submitter?.name ? "" : form.id }).then((done) => done || taken?.back());
}

// The menu that a form is in has done its work, and the keyboard goes back to where it was opened.
function close(form) {
  const menu = form.closest("details.menu");
  if (!menu) return;
  form.reset();
  const within = menu.contains(document.activeElement);
  menu.open = false;
  if (within) menu.querySelector("summary").focus();
}

// What was not counted yet is asked for again while the user asks nothing; what is being typed stays.
const AGAIN = 1500; // Milliseconds.
let again = 0;
function recount() {
  clearTimeout(again);
  if (!document.querySelector("[data-uncounted]")) return;
  again = setTimeout(() => {
    if (idle()) ask(() => ({ url: location.href, how: "stay", typing: true }), { passing: true });
    else recount();
  }, AGAIN);
}

// `typed` asks for what is being typed; what follows from the page waits for it.
export function goLive(typed) {
  watchPresses();
  document.addEventListener("clipdex:shown", recount);
  recount();
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.hasAttribute("download") || link.target || !own(new URL(link.href)) || link.hash) return;
    event.preventDefault();
    ask(typed);
    lead(link);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || (form.getAttribute("action") !== "./" && !form.matches("[data-live]"))) return;
    event.preventDefault();
    if (form.id !== "ask") ask(typed);
    submit(form, event.submitter);
  });
  addEventListener("popstate", () => {
    if (location.hash) return; // A link to a part of the page.
    giveWay();
    ask(() => ({ url: location.href, how: "stay", sent: true, shown: () => takeText({ all: true }) }));
  });
}
