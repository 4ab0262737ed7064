// Selecting images of what the page shows: by click, Shift and click, space, Shift and arrows, and Ctrl+A.
import { current, placeAfter } from "./browsing.js";
import { Runs } from "./runs.js";

let picked = new Runs();
let before = picked; // What was selected before the run that Shift makes longer or shorter.
let anchor = 0;
let reached = -1; // Where that run ends now.
let shown = "";

// What was selected is there again when the same is shown again, as after looking at one of the images.
const KEPT = "clipdex:picked ";

function keptOf(what) {
  try {
    return Runs.of(sessionStorage.getItem(KEPT + what) ?? "");
  } catch {
    return new Runs(); // Where a browser keeps nothing, a selection holds for the page.
  }
}

function keep() {
  try {
    if (picked.count) sessionStorage.setItem(KEPT + shown, picked);
    else sessionStorage.removeItem(KEPT + shown);
  } catch {
    // It holds for this page.
  }
}

export function showPicked(grid) {
  if (!grid) return;
  const what = `${location.pathname} ${grid.scroller.dataset.version} ${grid.total} ${grid.scroller.dataset.query}`;
  if (what !== shown) {
    shown = what;
    picked = before = keptOf(what);
    [anchor, reached] = [0, -1];
  }
  for (const [place, cell] of grid.cells) {
    const box = cell.querySelector(".pick");
    if (!box) continue;
    box.removeAttribute("name"); // What is selected is sent as a whole.
    box.checked = picked.has(place);
  }
  const { count } = picked;
  grid.scroller.classList.toggle("picking", count > 0);
  const line = document.querySelector("[data-picked]");
  const said = `${count.toLocaleString("en")} selected`;
  line.classList.toggle("any", count > 0);
  // Its place is that of the longest number, so nothing moves.
  if (count && line.firstElementChild.textContent !== said) line.firstElementChild.textContent = said;
  for (const button of document.querySelectorAll("[data-picked-says]")) {
    button.dataset.allSays ??= button.textContent;
    const says = count ? button.dataset.pickedSays.replace("#", count.toLocaleString("en")) : button.dataset.allSays;
    if (button.textContent !== says) button.textContent = says;
  }
  const choice = document.querySelector("#take [value=picked]");
  if (choice.disabled !== !count) {
    choice.disabled = !count;
    document.querySelector(`#take [name=what][value=${count ? "picked" : "all"}]`).checked = true;
  }
}

function set(runs) {
  picked = runs;
  keep();
  showPicked(current());
}

function toggle(place) {
  set(picked.has(place) ? picked.without(place, place + 1) : picked.with(place, place + 1));
  before = picked;
  anchor = reached = place;
}

function stretch(place) {
  reached = place;
  set(before.with(Math.min(anchor, place), Math.max(anchor, place) + 1));
}

function none() {
  before = new Runs();
  set(before);
}

export function pick() {
  document.addEventListener("click", (event) => {
    const cell = event.target.closest?.("[data-scroller] [data-place]");
    if (event.target.closest?.("[data-none]")) none();
    if (!cell || !current()) return;
    const place = Number(cell.dataset.place);
    if (event.shiftKey && event.target.closest("[data-tile], .pick")) {
      event.preventDefault();
      // A browser puts a box back to what it was after this.
      setTimeout(() => stretch(place));
    } else if (event.target.matches(".pick")) toggle(place);
  });
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.id === "take") formData.set("pick", picked.toString());
    if (!target.matches("[data-of-picked]")) return;
    formData.set("state", location.search.slice(1));
    if (!picked.count) return;
    formData.set("what", "picked");
    formData.set("pick", picked.toString());
    formData.set("total", current().total);
  });
}

// Do what a key of the grid selects; tell whether it does.
export function marking(event) {
  const grid = current();
  const all = event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey);
  if (all) {
    set(new Runs([[0, grid.total]]));
    before = picked;
  } else if (event.key === " ") toggle(grid.active);
  else if (event.key === "Escape" && picked.count) none();
  else if (event.shiftKey && !event.ctrlKey && placeAfter(event.key) !== undefined) {
    if (grid.active !== reached) {
      before = picked;
      anchor = grid.active;
    }
    grid.focus(placeAfter(event.key));
    stretch(grid.active);
  } else return false;
  return true;
}
