// Where a scrollbar of bounded length stands for a list of any length. Near both ends, and within one sweep, a pixel is
// a pixel; between the ends a pixel of the bar is many of the list.
export const MOST = 6_000_000; // Browsers cap elements at 17 to 33 million pixels of the screen, which zooming enlarges.
const END = 200_000;

export class Scale {
  constructor(length, view, most = MOST) {
    this.length = Math.max(0, length - view);
    this.bar = Math.max(0, Math.min(length, most) - view);
    this.end = Math.min(END, this.bar / 4);
    const middle = this.bar - 2 * this.end;
    this.ratio = middle > 0 ? (this.length - 2 * this.end) / middle : 1;
  }

  // From a place on the bar to one in the list, and back.
  toList(bar) {
    if (bar <= this.end) return bar;
    if (bar >= this.bar - this.end) return this.length - (this.bar - bar);
    return this.end + (bar - this.end) * this.ratio;
  }

  toBar(list) {
    if (list <= this.end) return list;
    if (list >= this.length - this.end) return this.bar - (this.length - list);
    return this.end + (list - this.end) / this.ratio;
  }
}
