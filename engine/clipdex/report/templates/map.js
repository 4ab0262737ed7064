"use strict";
// One map: points as typed arrays, drawn on a canvas. Nothing is fetched.
const data = JSON.parse(document.getElementById("data").textContent);
const get = (id) => document.getElementById(id);
const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const place = (text) => Float32Array.from(new Uint16Array(bytes(text).buffer), (one) => one / 65535);
const xs = place(data.x), ys = place(data.y), count = xs.length;
const folders = new Uint16Array(bytes(data.folder).buffer);
const labelLists = new Uint16Array(bytes(data.labels).buffer);
const subsets = new Uint16Array(bytes(data.subset).buffer);
const datasets = bytes(data.dataset);
const groups = Object.fromEntries(Object.entries(data.colourings).map(([name, one]) => [name, { ...one, codes: bytes(one.codes) }]));
const idOf = (i) => data.folders[folders[i]] + data.names[i];
const labelsOf = (i) => data.labelLists[labelLists[i]].join(", ");
const subsetOf = (i) => data.subsets[subsets[i]];
const datasetOf = (i) => data.datasets[datasets[i]];

const canvas = get("map"), context = canvas.getContext("2d");
let by = data.by, only = -1, chosen = -1, scale = 1, left = 0, top_ = 0, width = 1, height = 1, ratio = 1, pending = false;

// The extent of all points, which the whole map fits into the canvas.
function extent(values) { let low = Infinity, high = -Infinity; for (const one of values) { if (one < low) low = one; if (one > high) high = one; } return [(low + high) / 2, Math.max(high - low, 0.02)]; }
const [midX, spanX] = extent(xs), [midY, spanY] = extent(ys);
function fitted() { return Math.min((width - 90) / spanX, (height - 90) / spanY); }
function onX(x) { return ((x - midX) * fitted() + width / 2) * scale + left; }
function onY(y) { return ((y - midY) * fitted() + height / 2) * scale + top_; }
function px(i) { return onX(xs[i]); }
function py(i) { return onY(ys[i]); }
function hitX(hit) { return onX(hit.x); }
function hitY(hit) { return onY(hit.y); }
function colours() { return groups[by].colours.map((one) => [1, 3, 5].map((at) => parseInt(one.slice(at, at + 2), 16))); }
function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function radius() { return Math.max(1, Math.min(11, (7.5 - 1.25 * Math.log10(count)) * Math.sqrt(scale))); }

function size() {
  const box = canvas.getBoundingClientRect();
  ratio = window.devicePixelRatio || 1;
  width = Math.max(1, box.width); height = Math.max(1, box.height);
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  draw();
}
function draw() { if (!pending) { pending = true; requestAnimationFrame(paint); } }

function paint() {
  pending = false;
  const seen = [];
  for (let i = 0; i < count; i++) { const x = px(i), y = py(i); if (x > -20 && y > -20 && x < width + 20 && y < height + 20) seen.push(i); }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = css("--paper"); context.fillRect(0, 0, width, height);
  if (seen.length > 6000) density(seen); else dots(seen);
  const ink = css("--ink"), paper = css("--paper"), r = Math.max(7, radius() + 3);
  context.font = "bold 13px system-ui, sans-serif"; context.textBaseline = "middle";
  for (const hit of [...data.found].reverse()) {
    ring(hitX(hit), hitY(hit), r, ink, paper);
    if (hit.rank < 10) {
      context.lineWidth = 4; context.strokeStyle = paper; context.strokeText(hit.rank, hitX(hit) + r + 3, hitY(hit));
      context.fillStyle = ink; context.fillText(hit.rank, hitX(hit) + r + 3, hitY(hit));
    }
  }
  if (chosen >= 0) ring(px(chosen), py(chosen), r + 2, css("--accent"), paper);
  if (get("seen").checked) list(0);
}
function ring(x, y, r, ink, paper) {
  for (const [colour, line] of [[paper, 6], [ink, 2.5]]) { context.beginPath(); context.arc(x, y, r, 0, 7); context.lineWidth = line; context.strokeStyle = colour; context.stroke(); }
}
function dots(seen) {
  const r = radius(), pictures = data.pictures.length && (count <= 60 || scale >= 2.5), codes = groups[by].codes, tints = groups[by].colours;
  for (const i of seen) {
    context.globalAlpha = only >= 0 && codes[i] !== only ? 0.12 : 0.85;
    context.fillStyle = tints[codes[i]];
    const image = pictures && images[i];
    if (image && image.complete && image.naturalWidth) {
      const fit = Math.min(72, Math.max(count <= 60 ? 64 : 40, 26 * Math.sqrt(scale))) / 72, w = image.naturalWidth * fit, h = image.naturalHeight * fit;
      context.fillRect(px(i) - w / 2 - 3, py(i) - h / 2 - 3, w + 6, h + 6);
      context.drawImage(image, px(i) - w / 2, py(i) - h / 2, w, h);
    } else { context.beginPath(); context.arc(px(i), py(i), r, 0, 7); context.fill(); }
  }
  context.globalAlpha = 1;
}
function density(seen) {
  // The colours of all points of a cell are mixed, and cover the paper the more, the more points there are.
  const w = canvas.width, h = canvas.height, cell = Math.max(1, Math.round(radius() * ratio * 1.2)), columns = Math.ceil(w / cell), rows = Math.ceil(h / cell);
  const sums = new Float32Array(columns * rows * 4), tints = colours(), codes = groups[by].codes;
  for (const i of seen) {
    const x = Math.floor(px(i) * ratio / cell), y = Math.floor(py(i) * ratio / cell);
    if (x < 0 || y < 0 || x >= columns || y >= rows) continue;
    const at = 4 * (y * columns + x), tint = tints[codes[i]], weight = only >= 0 && codes[i] !== only ? 0.04 : 1;
    sums[at] += tint[0] * weight; sums[at + 1] += tint[1] * weight; sums[at + 2] += tint[2] * weight; sums[at + 3] += weight;
  }
  const small = new ImageData(columns, rows);
  for (let at = 0; at < sums.length; at += 4) {
    const n = sums[at + 3];
    if (!n) continue;
    for (let channel = 0; channel < 3; channel++) small.data[at + channel] = sums[at + channel] / n;
    small.data[at + 3] = 255 * (n < 1 ? 0.6 * n : Math.min(1, 0.6 + 0.2 * Math.log10(n)));
  }
  const layer = document.createElement("canvas"); layer.width = columns; layer.height = rows;
  layer.getContext("2d").putImageData(small, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, 0, 0, columns * cell / ratio, rows * cell / ratio);
  context.imageSmoothingEnabled = true;
}
const images = data.pictures.map((one) => { if (!one) return null; const image = new Image(); image.onload = draw; image.src = one; return image; });

function zoom(factor, x = width / 2, y = height / 2) {
  const next = Math.max(0.8, Math.min(400, scale * factor)), change = next / scale;
  left = x - (x - left) * change; top_ = y - (y - top_) * change; scale = next; draw();
}
function move(dx, dy) { left += dx; top_ += dy; draw(); }
function whole() { scale = 1; left = top_ = 0; draw(); }
function nearest(x, y, within) {
  let best = -1, least = within * within;
  for (let i = 0; i < count; i++) { const dx = px(i) - x, dy = py(i) - y, d = dx * dx + dy * dy; if (d < least) { least = d; best = i; } }
  return best;
}
function element(name, text, parent) { const one = document.createElement(name); if (text !== undefined) one.textContent = text; if (parent) parent.append(one); return one; }
function describe(into, i) {
  into.replaceChildren();
  if (data.pictures[i]) { const image = element("img", undefined, into); image.src = data.pictures[i]; image.alt = ""; }
  element("strong", idOf(i), into);
  const more = [labelsOf(i), data.subsets.length > 2 ? subsetOf(i) : "", data.datasets.length > 2 ? datasetOf(i) : ""].filter(Boolean).join(" · ");
  if (more) { element("br", undefined, into); element("span", more, into).className = "quiet"; }
}
function link(i, parent) { const one = element("button", idOf(i), parent); one.type = "button"; one.addEventListener("click", () => choose(i, true)); return one; }
function choose(i, centre) {
  if (i < 0) return;
  chosen = i;
  describe(get("chosen"), i);
  const order = []; for (let j = 0; j < count; j++) if (j !== i) { const d = (xs[i] - xs[j]) ** 2 + (ys[i] - ys[j]) ** 2; if (order.length < 5 || d < order[4][0]) { order.push([d, j]); order.sort((a, b) => a[0] - b[0]); order.length = Math.min(5, order.length); } }
  if (order.length) { element("p", "Beside it on the map:", get("chosen")).className = "quiet"; const beside = element("ol", undefined, get("chosen")); for (const [, j] of order) link(j, element("li", undefined, beside)); }
  if (centre) { if (scale < 3) scale = 3; left = top_ = 0; left = width / 2 - px(i); top_ = height / 2 - py(i); }
  draw();
}
function tip(x, y) {
  const i = nearest(x, y, 14), box = get("tip");
  box.hidden = i < 0;
  if (i < 0) return;
  describe(box, i);
  box.style.left = `${Math.max(0, Math.min(x + 14, width - 310))}px`; box.style.top = `${y > height - 150 ? Math.max(0, y - 150) : y + 14}px`;
}
let drag = null;
canvas.addEventListener("pointerdown", (event) => { drag = { x: event.offsetX, y: event.offsetY, far: 0 }; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return tip(event.offsetX, event.offsetY);
  const dx = event.offsetX - drag.x, dy = event.offsetY - drag.y; drag.far += Math.abs(dx) + Math.abs(dy); drag.x = event.offsetX; drag.y = event.offsetY;
  get("tip").hidden = true; move(dx, dy);
});
canvas.addEventListener("pointerup", (event) => { if (drag && drag.far < 4) choose(nearest(event.offsetX, event.offsetY, 14), false); drag = null; });
canvas.addEventListener("pointerleave", () => { get("tip").hidden = true; });
canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); }, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const step = 60, keys = {
    ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), "0": whole, Enter: () => choose(nearest(width / 2, height / 2, Infinity), false),
    n: () => choose((chosen + 1) % count, true), p: () => choose((chosen - 1 + count) % count, true), Escape: () => { get("tip").hidden = true; },
  }, act = keys[event.key] || keys[event.key.toLowerCase()];
  if (act && !event.ctrlKey && !event.metaKey && !event.altKey && count) { event.preventDefault(); act(); }
});
get("in").addEventListener("click", () => zoom(1.6));
get("out").addEventListener("click", () => zoom(1 / 1.6));
get("all").addEventListener("click", whole);

function legend() {
  const one = groups[by];
  get("legend").replaceChildren(...one.names.map((name, code) => {
    const entry = document.createElement("li"), button = element("button", undefined, entry);
    button.type = "button"; button.setAttribute("aria-pressed", only === code); button.title = "Show this one alone";
    const dot = element("span", undefined, button); dot.className = "dot"; dot.style.background = one.colours[code];
    element("span", name, button).className = "name"; element("span", one.counts[code].toLocaleString("en"), button).className = "number";
    button.addEventListener("click", () => { only = only === code ? -1 : code; legend(); draw(); get("legend").children[code].firstChild.focus(); });
    return entry;
  }));
}
for (const name of Object.keys(groups)) { const one = element("option", name, get("by")); one.value = name; one.selected = name === by; }
get("by").addEventListener("change", (event) => { by = event.target.value; only = -1; legend(); draw(); });

const PAGE = 50;
let first = 0;
function list(start) {
  const wanted = get("filter").value.toLowerCase(), here = get("seen").checked, found = [];
  for (let i = 0; i < count; i++) {
    if (here) { const x = px(i), y = py(i); if (x < 0 || y < 0 || x > width || y > height) continue; }
    if (wanted && !`${idOf(i)}\n${labelsOf(i)}\n${subsetOf(i)}\n${datasetOf(i)}`.toLowerCase().includes(wanted)) continue;
    found.push(i);
  }
  first = Math.max(0, Math.min(start, Math.floor(Math.max(found.length - 1, 0) / PAGE) * PAGE));
  get("rows").replaceChildren(...found.slice(first, first + PAGE).map((i) => {
    const row = document.createElement("tr");
    link(i, element("td", undefined, row));
    for (const text of [labelsOf(i), subsetOf(i), datasetOf(i), ((xs[i] * 2 - 1) * data.reach).toFixed(3), ((1 - ys[i] * 2) * data.reach).toFixed(3)]) element("td", text, row);
    return row;
  }));
  const last = Math.min(first + PAGE, found.length);
  get("count").textContent = found.length ? `${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${found.length.toLocaleString("en")}` : "No image.";
  get("before").disabled = !first; get("next").disabled = last >= found.length;
}
get("filter").addEventListener("input", () => list(0));
get("seen").addEventListener("change", () => list(0));
get("before").addEventListener("click", () => list(first - PAGE));
get("next").addEventListener("click", () => list(first + PAGE));

if (data.found.length) {
  get("hits").hidden = false; get("asked").textContent = data.asked;
  for (const hit of data.found) {
    const entry = element("li", undefined, get("found")), button = element("button", hit.id, entry);
    entry.value = hit.rank; button.type = "button";
    element("span", ` ${hit.distance}`, entry).className = "quiet";
    button.addEventListener("click", () => { scale = Math.max(scale, 3); left = top_ = 0; left = width / 2 - hitX(hit); top_ = height / 2 - hitY(hit); choose(nearest(width / 2, height / 2, 2), false); draw(); });
  }
}
new ResizeObserver(size).observe(canvas);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
legend(); list(0);
