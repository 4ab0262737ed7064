// Areas of the map: drawn freely or taken from what is shown, and written in a few letters, as clipdex.mapping.area says.
const REACH = 2;
const STEPS = 65535;
const FINE = 255;
const MOST = 32;
const LEAST = 16; // Square pixels that a corner must add.
const BOX = 11; // Bytes before the corners.

export function written(layout, corners) {
  const steps = (one) => Math.round(((Math.max(-REACH, Math.min(REACH, one)) + REACH) * STEPS) / (2 * REACH));
  const places = (one) => (2 * REACH * one) / STEPS - REACH;
  const axes = [0, 1].map((axis) => corners.map((corner) => steps(corner[axis])));
  const low = axes.map((one) => Math.min(...one));
  const high = axes.map((one) => Math.max(...one));
  const content = new Uint8Array(BOX + 2 * corners.length);
  content.set(layout);
  const view = new DataView(content.buffer);
  [...low, ...high].forEach((one, number) => view.setUint16(3 + 2 * number, one));
  corners.forEach((corner, number) => {
    for (const axis of [0, 1]) {
      const from = places(low[axis]);
      const share = (corner[axis] - from) / (places(high[axis]) - from || 1);
      content[BOX + 2 * number + axis] = Math.max(0, Math.min(FINE, Math.round(share * FINE)));
    }
  });
  return btoa(String.fromCharCode(...content)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// The corners of an area of this layout; none where it is of another one.
export function read(layout, text) {
  let content;
  try {
    content = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  } catch {
    return [];
  }
  if (content.length < BOX || layout.some((one, number) => one !== content[number])) return [];
  const view = new DataView(content.buffer);
  const [left, bottom, right, top] = [0, 1, 2, 3].map((n) => (2 * REACH * view.getUint16(3 + 2 * n)) / STEPS - REACH);
  const corners = [];
  for (let at = BOX; at + 1 < content.length; at += 2) {
    corners.push([left + ((right - left) * content[at]) / FINE, bottom + ((top - bottom) * content[at + 1]) / FINE]);
  }
  return corners;
}

// A line that was drawn, without the corners that say least: those of the smallest triangles (Visvalingam and Whyatt, 1993).
export function simplified(points) {
  const kept = [...points];
  const size = (number) => {
    const [a, b, c] = [-1, 0, 1].map((step) => kept[(number + step + kept.length) % kept.length]);
    return Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2;
  };
  while (kept.length > 3) {
    let least = Infinity;
    let at = 0;
    for (let number = 0; number < kept.length; number++) {
      const here = size(number);
      if (here < least) [least, at] = [here, number];
    }
    if (least > LEAST && kept.length <= MOST) break;
    kept.splice(at, 1);
  }
  return kept;
}
