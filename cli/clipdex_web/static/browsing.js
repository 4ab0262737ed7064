// The grid of the page: its place in the address, and the keyboard in it.
import { Grid } from "./grid.js";

let grid = null;
export const current = () => grid;

export function showGrid({ drawn = () => {} } = {}) {
  const scroller = document.querySelector("[data-scroller]");
  const some = scroller?.querySelector("[data-place]");
  if (grid && (!some || grid.scroller !== scroller)) {
    grid.stop();
    grid = null;
  }
  if (!some) return;
  if (grid) grid.take();
  else grid = new Grid(scroller, { drawn: (one) => (rove(one), drawn(one)), reached: remember });
  const { place, focus = named() } = history.state ?? {};
  if (focus !== undefined && focus < grid.total) {
    grid.focus(focus);
    history.replaceState({ place: grid.first }, "", location.href.split("#")[0]);
  } else if (place !== undefined && place < grid.total) grid.goTo(place);
  sayPlace(grid.first);
}

function sayPlace(place) {
  const box = document.querySelector("[data-go-to]");
  if (box !== document.activeElement) box.value = place + 1;
}

// The place that the address names after its #, as the ways back from a closer look do.
function named() {
  const found = /^#image-(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) - 1 : undefined;
}

// One image at a time can be reached by Tab.
function rove(one) {
  const there = one.cells.has(one.active);
  if (!there && one.scroller !== document.activeElement) one.active = one.first;
  for (const [place, cell] of one.cells) {
    for (const part of cell.querySelectorAll("a, input")) part.tabIndex = -1;
    one.link(place).tabIndex = place === one.active ? 0 : -1;
  }
}

function remember(place) {
  const address = new URL(location.href);
  const page = Math.floor(place / Number(grid.scroller.dataset.per)) + 1;
  if (page > 1) address.searchParams.set("page", page);
  else address.searchParams.delete("page");
  history.replaceState({ place }, "", address);
  sayPlace(place);
}

export function browse() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-going]") || !grid) return;
    event.preventDefault();
    const place = Number(event.target.querySelector("[data-go-to]").value) - 1;
    grid.setTop(Math.floor(place / grid.columns) * grid.step);
    grid.focus(place);
    remember(grid.first);
  });
  document.addEventListener("focusin", (event) => {
    const cell = event.target.closest?.("[data-scroller] [data-place]");
    if (cell && grid) grid.active = Number(cell.dataset.place);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-scroller] [data-tile]");
    if (link && grid) {
      grid.leave();
      const focus = Number(link.closest("[data-place]").dataset.place);
      history.replaceState({ place: grid.first, focus }, "");
    }
  });
}

// Where a key leads from the image that has the keyboard; undefined for other keys.
export function placeAfter(key) {
  const { active, columns, seen, total } = grid;
  const to = {
    ArrowLeft: active - 1,
    ArrowRight: active + 1,
    ArrowUp: active - columns >= 0 ? active - columns : active,
    ArrowDown: active + columns < total ? active + columns : active,
    Home: 0,
    End: total - 1,
    PageUp: Math.max(active % columns, active - seen),
    PageDown: Math.min(total - 1, active + seen),
  }[key];
  return to === undefined ? undefined : Math.max(0, Math.min(total - 1, to));
}
