// A set of places as runs, each the first place and the one after the last: all of ten million are one run.
export class Runs {
  constructor(runs = []) {
    this.runs = runs;
  }

  // What `toString` wrote.
  static of(text) {
    const ends = text.split(",").filter(Boolean).map((run) => run.split("-").map(Number));
    return new Runs(ends.map(([first, last = first]) => [first, last + 1]));
  }

  get count() {
    return this.runs.reduce((sum, [first, end]) => sum + end - first, 0);
  }

  has(place) {
    return this.runs.some(([first, end]) => first <= place && place < end);
  }

  with(first, end) {
    const apart = this.runs.filter(([from, to]) => to < first || end < from);
    const touching = this.runs.filter(([from, to]) => !(to < first || end < from));
    const whole = [Math.min(first, ...touching.map((run) => run[0])), Math.max(end, ...touching.map((run) => run[1]))];
    return new Runs([...apart, whole].sort((one, other) => one[0] - other[0]));
  }

  without(first, end) {
    const left = this.runs.flatMap(([from, to]) => [
      [from, Math.min(to, first)],
      [Math.max(from, end), to],
    ]);
    return new Runs(left.filter(([from, to]) => from < to));
  }

  toString() {
    return this.runs.map(([first, end]) => (end - first > 1 ? `${first}-${end - 1}` : `${first}`)).join();
  }
}
