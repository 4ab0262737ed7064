// The keyboard: / goes to the search box, the arrows go from image to image, Escape goes back.
import { current, placeAfter } from "./browsing.js";
import { marking } from "./selection.js";

const typing = (element) => element.matches("input:not([type=checkbox]), select, textarea, [contenteditable]");

export function moveByKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || typing(event.target)) return;
    const inGrid = current() && event.target.closest("[data-scroller]");
    if (inGrid && marking(event)) event.preventDefault();
    else if (event.ctrlKey || event.metaKey) return;
    else if (inGrid && move(event)) event.preventDefault();
    else if (!inGrid && turn(event)) event.preventDefault();
  });
}

function move(event) {
  const grid = current();
  if (event.key === "m") {
    grid.cells.get(grid.active)?.querySelector("[data-more]")?.click();
    return true;
  }
  const to = event.shiftKey ? undefined : placeAfter(event.key);
  if (to === undefined) return turn(event);
  grid.focus(to);
  return true;
}

// Keys that follow a link of the page, or go to the search box.
function turn(event) {
  const links = { ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]", Escape: "[data-back]" };
  if (event.key === "/") {
    const box = document.querySelector("[data-ask]");
    box?.focus();
    return Boolean(box);
  }
  const link = document.querySelector(`.closer ${links[event.key] ?? "none"}, header ${links[event.key] ?? "none"}`);
  link?.click();
  return Boolean(link);
}
