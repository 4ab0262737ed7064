// The keyboard: / goes to the search box, the arrows go from image to image, Escape goes back.
import { current, placeAfter } from "./browsing.js";
import { marking } from "./selection.js";

const typing = (element) => element.matches("input:not([type=checkbox]), select, textarea, [contenteditable]");

export function moveByKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.altKey) return;
    if (typing(event.target)) return void toChips(event);
    if (onChip(event)) return event.preventDefault();
    const inGrid = current() && event.target.closest("[data-scroller]");
    if (inGrid && marking(event)) event.preventDefault();
    else if (event.ctrlKey || event.metaKey) return;
    else if (inGrid && move(event)) event.preventDefault();
    else if (!inGrid && turn(event)) event.preventDefault();
  });
}

// Backspace in the empty search box goes to the last chip; there Delete removes it, and - turns it around.
function toChips(event) {
  if (event.key !== "Backspace" || !event.target.matches("[data-ask]") || event.target.value) return;
  [...document.querySelectorAll(".chip [data-remove]")].at(-1)?.focus();
}

function onChip(event) {
  const chip = event.target.closest(".chip");
  const link = { Delete: "[data-remove]", Backspace: "[data-remove]", "-": "[data-turn]" }[event.key];
  if (!chip || !link) return false;
  chip.querySelector(link)?.click();
  return true;
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
