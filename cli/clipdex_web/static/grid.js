// The grid at any size: only the rows in view are in the document.
import { Scale } from "./scale.js";
import { Store } from "./store.js";

const MOST_CELLS = 300;
const NARROWEST = 150;
const CALM = 120; // Milliseconds without scrolling after which a place counts as reached.
const SWEEP = 3; // A leap of more views than this is one of the scrollbar.

export class Grid {
  constructor(scroller, { drawn = () => {}, reached = () => {} } = {}) {
    this.scroller = scroller;
    this.space = scroller.querySelector("[data-space]");
    this.list = scroller.querySelector("[data-grid]");
    this.total = Number(scroller.dataset.total);
    this.drawn = drawn;
    this.reached = reached;
    this.active = Number(scroller.dataset.start);
    this.cells = new Map();
    this.store = new Store(scroller.dataset.query, this.total, () => this.draw());
    for (const cell of this.list.children) {
      this.cells.set(Number(cell.dataset.place), cell);
      this.store.put(Number(cell.dataset.place), cell.outerHTML);
    }
    this.gap = parseFloat(getComputedStyle(this.list).rowGap) || 0;
    this.step = this.list.firstElementChild.getBoundingClientRect().height + this.gap;
    this.top = 0;
    this.last = 0;
    this.scrolled = this.scrolled.bind(this);
    scroller.addEventListener("scroll", this.scrolled, { passive: true });
    this.watching = new ResizeObserver(() => this.measure());
    this.measure(this.active);
    this.watching.observe(scroller);
  }

  stop() {
    this.store.stop();
    this.watching.disconnect();
    clearTimeout(this.calm);
    this.scroller.removeEventListener("scroll", this.scrolled);
  }

  // Whoever leaves the page keeps the place that it had.
  leave() {
    clearTimeout(this.calm);
  }

  measure(place = this.first) {
    const width = this.list.clientWidth;
    this.view = this.scroller.clientHeight;
    const rows = Math.ceil(this.view / this.step) + 1;
    const fitting = Math.max(1, Math.floor((width + this.gap) / (NARROWEST + this.gap)));
    this.columns = Math.min(fitting, Math.max(1, Math.floor(MOST_CELLS / rows)));
    this.ahead = Math.max(0, Math.min(2, Math.floor((MOST_CELLS / this.columns - rows) / 2)));
    this.list.style.setProperty("--columns", this.columns);
    const length = Math.ceil(this.total / this.columns) * this.step;
    this.scale = new Scale(length, this.view);
    this.space.style.height = `${this.scale.bar + this.view}px`;
    this.goTo(place);
  }

  // The first place in view, and how many there are in a view.
  get first() {
    return Math.min(this.total - 1, Math.round(this.top / this.step) * this.columns);
  }

  get seen() {
    return Math.max(1, Math.floor(this.view / this.step)) * this.columns;
  }

  goTo(place) {
    this.setTop(Math.floor(place / this.columns) * this.step);
  }

  setTop(top) {
    this.top = Math.max(0, Math.min(this.scale.length, top));
    this.settle();
    this.draw();
  }

  // Put the scrollbar where the list is.
  settle() {
    this.scroller.scrollTop = this.scale.toBar(this.top);
    this.last = this.scroller.scrollTop;
  }

  scrolled() {
    const bar = this.scroller.scrollTop;
    const by = bar - this.last;
    if (by) {
      this.last = bar;
      const leap = Math.abs(by) > SWEEP * this.view;
      const at = leap || bar <= 0 || bar >= this.scale.bar - 1 ? this.scale.toList(bar) : this.top + by;
      this.top = Math.max(0, Math.min(this.scale.length, at));
      const same = Math.floor(this.top / this.step) === this.row && Math.abs(this.top - bar - this.offset) < 0.5;
      if (leap || !same) this.draw(leap); // Otherwise the browser has moved what is there.
    }
    clearTimeout(this.calm);
    this.calm = setTimeout(() => {
      if (Math.abs(this.scale.toBar(this.top) - this.scroller.scrollTop) > 1) this.settle();
      this.draw();
      this.reached(this.first);
    }, CALM);
  }

  draw(leaping = false) {
    this.row = Math.floor(this.top / this.step);
    this.offset = this.top - this.scroller.scrollTop;
    const firstRow = Math.max(0, this.row - this.ahead);
    const first = firstRow * this.columns;
    const rows = Math.ceil(this.view / this.step) + 1 + 2 * this.ahead;
    const end = Math.min(this.total, first + Math.min(rows * this.columns, MOST_CELLS));
    const held = this.list.contains(document.activeElement);
    for (const [place, cell] of this.cells) {
      if (place < first || place >= end) this.drop(place, cell);
    }
    let after = null;
    for (let place = first; place < end; place++) {
      const cell = this.cell(place);
      if (after ? after.nextSibling !== cell : this.list.firstChild !== cell) {
        this.list.insertBefore(cell, after ? after.nextSibling : this.list.firstChild);
      }
      after = cell;
    }
    this.list.style.transform = `translateY(${firstRow * this.step - this.offset}px)`;
    if (held && !this.list.contains(document.activeElement)) this.scroller.focus({ preventScroll: true });
    this.drawn(this);
    if (!leaping) this.store.want(first, end);
  }

  // The cell of a place: what is there already, or what is known by now, or an empty one.
  cell(place) {
    const before = this.cells.get(place);
    if (before && !before.dataset.empty) return before;
    const html = this.store.get(place);
    if (before && html === undefined) return before;
    const cell = html === undefined ? empty(place) : made(html);
    this.cells.set(place, cell);
    if (before) {
      const held = before.contains(document.activeElement);
      before.replaceWith(cell);
      if (held) this.link(place).focus({ preventScroll: true });
    }
    return cell;
  }

  drop(place, cell) {
    const image = cell.querySelector("img");
    if (image && !image.complete) image.removeAttribute("src"); // Nobody waits for it any more.
    cell.remove();
    this.cells.delete(place);
  }

  link(place) {
    return this.cells.get(place)?.querySelector("[data-tile]");
  }

  // Bring a place into view and give it the keyboard.
  focus(place) {
    this.active = Math.max(0, Math.min(this.total - 1, place));
    const top = Math.floor(this.active / this.columns) * this.step;
    if (top < this.top) this.setTop(top);
    else if (top + this.step - this.gap > this.top + this.view) this.setTop(top + this.step - this.view);
    else this.draw();
    this.link(this.active)?.focus({ preventScroll: true });
  }
}

function made(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

function empty(place) {
  const cell = made('<li class="tile" data-empty="1"><a class="look" role="link" data-tile></a></li>');
  cell.dataset.place = place;
  cell.firstElementChild.setAttribute("aria-label", `Image ${place + 1} is on its way`);
  return cell;
}
