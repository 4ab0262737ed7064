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
    this.drawn = drawn;
    this.reached = reached;
    this.cells = new Map();
    this.top = 0;
    this.last = 0;
    this.scrolled = this.scrolled.bind(this);
    scroller.addEventListener("scroll", this.scrolled, { passive: true });
    this.watching = new ResizeObserver(() => this.measure());
    this.take();
    this.watching.observe(scroller);
  }

  // Take the tiles that the server put into the list: those of this answer, or of the next one in the same place.
  take() {
    this.leave();
    this.store?.stop();
    for (const cell of this.cells.values()) forget(cell);
    this.cells.clear();
    const { total, start, query } = this.scroller.dataset;
    this.total = Number(total);
    this.active = Number(start);
    this.store = new Store(query, this.total, () => this.draw());
    for (const cell of this.list.children) this.cells.set(Number(cell.dataset.place), cell);
    // What is in view is painted first.
    this.whole = false;
    (window.requestIdleCallback ?? setTimeout)(() => {
      this.whole = true;
      this.draw();
    });
    const tile = this.list.firstElementChild;
    const lines = tile.children.length;
    if (lines === this.lines) return this.fit(this.active);
    this.lines = lines;
    this.gap = parseFloat(getComputedStyle(this.list).rowGap) || 0;
    this.step = tile.getBoundingClientRect().height + this.gap;
    this.view = undefined;
    this.measure(this.active);
  }

  stop() {
    this.leave();
    this.store.stop();
    for (const cell of this.cells.values()) forget(cell);
    this.cells.clear();
    this.watching.disconnect();
    this.scroller.removeEventListener("scroll", this.scrolled);
    this.draw = () => {};
    this.space.style.height = this.list.style.transform = "";
  }

  // Whoever leaves the page keeps the place that it had.
  leave() {
    clearTimeout(this.calm);
  }

  measure(place = this.first) {
    const [width, view] = [this.list.clientWidth, this.scroller.clientHeight];
    if (width === this.width && view === this.view) return;
    [this.width, this.view] = [width, view];
    this.fit(place);
  }

  fit(place) {
    const rows = Math.ceil(this.view / this.step) + 1;
    const fitting = Math.max(1, Math.floor((this.width + this.gap) / (NARROWEST + this.gap)));
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
    const bar = this.scale.toBar(this.top);
    if (bar === this.last) return; // Asking for it would lay out the page.
    this.scroller.scrollTop = bar;
    this.last = this.scroller.scrollTop;
  }

  scrolled() {
    const bar = this.scroller.scrollTop;
    const by = bar - this.last;
    if (by) {
      this.last = bar;
      this.whole = true;
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
    this.offset = this.top - this.last;
    const ahead = this.whole ? this.ahead : 0;
    const firstRow = Math.max(0, this.row - ahead);
    const first = firstRow * this.columns;
    const rows = Math.ceil(this.view / this.step) + 1 + 2 * ahead;
    const end = Math.min(this.total, first + Math.min(rows * this.columns, MOST_CELLS));
    const held = this.list.contains(document.activeElement);
    for (const [place, cell] of this.cells) {
      if (place >= first && place < end) continue;
      if (this.whole) this.drop(place, cell);
      else cell.remove();
    }
    const missing = [];
    let after = null;
    for (let place = first; place < end; place++) {
      const cell = this.cell(place);
      if (cell.dataset.empty) missing.push(place);
      if (after ? after.nextSibling !== cell : this.list.firstChild !== cell) {
        this.list.insertBefore(cell, after ? after.nextSibling : this.list.firstChild);
      }
      after = cell;
    }
    this.list.style.transform = `translateY(${firstRow * this.step - this.offset}px)`;
    if (held && !this.list.contains(document.activeElement)) this.scroller.focus({ preventScroll: true });
    this.drawn(this);
    if (!leaping) this.store.want(missing);
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
    if (!cell.dataset.empty && !this.store.get(place)) this.store.put(place, cell.outerHTML);
    forget(cell);
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

// Nobody waits for its picture any more.
function forget(cell) {
  const image = cell.querySelector("img");
  if (image && !image.complete) image.removeAttribute("src");
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
