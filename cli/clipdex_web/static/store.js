// The tiles of one answer, asked for in blocks, and kept for a while.
const BLOCK = 60;
const KEPT = 3000;
const AGAIN = 1500; // Milliseconds until a block that failed is asked for again.

export class Store {
  constructor(query, total, arrived) {
    this.query = query;
    this.total = total;
    this.arrived = arrived;
    this.kept = new Map(); // HTML by place
    this.asked = new Map(); // AbortController by block
  }

  put(place, html) {
    this.kept.delete(place);
    this.kept.set(place, html);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
  }

  get(place) {
    return this.kept.get(place);
  }

  // Ask for these places, and for nothing else any more.
  want(places) {
    const blocks = new Set(places.map((place) => Math.floor(place / BLOCK)));
    for (const [block, asking] of this.asked) if (!blocks.has(block)) asking.abort();
    for (const block of blocks) if (!this.asked.has(block)) this.ask(block);
  }

  async ask(block) {
    const asking = new AbortController();
    this.asked.set(block, asking);
    try {
      const place = `start=${block * BLOCK}&count=${BLOCK}`;
      const answer = await fetch(`tiles?${place}${this.query && `&${this.query}`}`, { signal: asking.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const tile of found.querySelectorAll("[data-place]")) this.put(Number(tile.dataset.place), tile.outerHTML);
      this.asked.delete(block);
      this.arrived();
    } catch {
      if (this.asked.get(block) === asking) this.asked.delete(block);
      if (!asking.signal.aborted) setTimeout(this.arrived, AGAIN);
    }
  }

  stop() {
    this.arrived = () => {};
    for (const asking of this.asked.values()) asking.abort();
  }
}
