"use strict";
// One map: points as typed arrays, drawn on a canvas. Nothing is fetched.
const data = JSON.parse(document.getElementById("data").textContent);
const get = (id) => document.getElementById(id);
const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const shorts = (text) => new Uint16Array(bytes(text).buffer);
const place = (text) => Float32Array.from(shorts(text), (one) => one / 65535);
const xs = place(data.x), ys = place(data.y), count = xs.length;
const folders = shorts(data.folder), labelLists = shorts(data.labels), subsets = shorts(data.subset), datasets = bytes(data.dataset);
const passing = data.passing ? bytes(data.passing) : null;
const groups = Object.fromEntries(Object.entries(data.colourings).map(([name, one]) => [name, { ...one, codes: bytes(one.codes) }]));
const idOf = (i) => data.folders[folders[i]] + data.names[i];
const labelsOf = (i) => data.labelLists[labelLists[i]].join(", ");
const subsetOf = (i) => data.subsets[subsets[i]];
const datasetOf = (i) => data.datasets[datasets[i]];
const hitOf = new Map(data.found.map((hit) => [hit.point, hit]));

const canvas = get("map"), context = canvas.getContext("2d");
// Beyond so many points on the canvas, they are drawn as a raster, and as dots without pictures.
const RASTER = 6000, PICTURED = 600, MOST_PICTURES = 150, NUMBERED = 9;
let by = data.by, only = -1, chosen = -1, scale = 1, left = 0, top_ = 0, width = 1, height = 1, ratio = 1, pending = false, pictured = true;

// The extent of all points, which the whole map fits into the canvas.
function extent(values) { let low = Infinity, high = -Infinity; for (const one of values) { if (one < low) low = one; if (one > high) high = one; } return [(low + high) / 2, Math.max(high - low, 0.02)]; }
const [midX, spanX] = extent(xs), [midY, spanY] = extent(ys);
function fitted() { return Math.min((width - 90) / spanX, (height - 90) / spanY); }
function onX(x) { return ((x - midX) * fitted() + width / 2) * scale + left; }
function onY(y) { return ((y - midY) * fitted() + height / 2) * scale + top_; }
function px(i) { return onX(xs[i]); }
function py(i) { return onY(ys[i]); }
function radius() { return Math.max(1, Math.min(11, (7.5 - 1.25 * Math.log10(count)) * Math.sqrt(scale))); }
function isDim(i) { return (only >= 0 && groups[by].codes[i] !== only) || (passing !== null && !passing[i]); }
// The colours of the canvas as they are: chosen, of the system, or forced.
function tones() { const style = getComputedStyle(canvas); return { ink: style.color, paper: style.backgroundColor, accent: style.caretColor, quiet: style.columnRuleColor }; }

// For a page that adds to the map: `over` draws on it, `picture` gives the small picture of a point (null while there is
// none), `changed` hears of what is looked at, `at` is the place on the map of a point of the canvas, `on` the other way.
const map = (window.clipdexMap = {
  canvas, draw, over: null, changed: null,
  picture: data.pictures.length ? (i) => images[i] : null,
  item: (i) => ({ id: idOf(i), subset: subsetOf(i), dataset: datasetOf(i) }),
  at: (x, y) => [((((x - left) / scale - width / 2) / fitted() + midX) * 2 - 1) * data.reach, (1 - (((y - top_) / scale - height / 2) / fitted() + midY) * 2) * data.reach],
  on: (x, y) => [onX((x / data.reach + 1) / 2), onY((1 - y / data.reach) / 2)],
  size: () => [width, height],
  looked: () => ({ by, only: only < 0 ? "" : groups[by].names[only], chosen, centre: map.at(width / 2, height / 2), scale, whole: scale === 1 && !left && !top_, find: get("filter").value }),
  look({ centre, zoom: wanted, only: name, item, find }) {
    if (find) { get("filter").value = find; list(0); }
    if (name) { only = groups[by].names.indexOf(name); legend(); }
    if (item) { for (let i = 0; i < count; i++) if (idOf(i) === item.id && subsetOf(i) === item.subset && datasetOf(i) === item.dataset) { choose(i, !centre); break; } }
    if (centre) { scale = Math.max(0.8, Math.min(400, wanted)); middle(...map.on(...centre)); }
    draw();
  },
});
const images = data.pictures.map((one) => { if (!one) return null; const image = new Image(); image.onload = draw; image.src = one; return image; });
get("pictures").hidden = !data.pictures.length;

function size() {
  const box = canvas.getBoundingClientRect(), centre = map.looked().whole ? null : map.at(width / 2, height / 2);
  ratio = window.devicePixelRatio || 1;
  width = Math.max(1, box.width); height = Math.max(1, box.height);
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  if (centre) middle(...map.on(...centre));
  draw();
}
function draw() { if (!pending) { pending = true; requestAnimationFrame(paint); } }

function paint() {
  pending = false;
  const seen = [], tone = tones();
  for (let i = 0; i < count; i++) { const x = px(i), y = py(i); if (x > -20 && y > -20 && x < width + 20 && y < height + 20) seen.push(i); }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = tone.paper; context.fillRect(0, 0, width, height);
  const placed = map.picture && pictured && seen.length <= PICTURED ? placing(seen) : new Map();
  if (seen.length > RASTER) density(seen); else dots(seen.filter((i) => !placed.get(i)?.image));
  for (const [i, box] of [...placed].reverse()) if (box.image && !hitOf.has(i)) picture(i, box, tone);
  for (const hit of [...data.found].reverse()) {
    const box = placed.get(hit.point);
    if (box?.image) picture(hit.point, box, tone);
    mark(hit, box, tone);
  }
  if (chosen >= 0) outline(px(chosen), py(chosen), placed.get(chosen), 5, [[tone.paper, 6], [tone.accent, 3]]);
  map.over?.(context, tone);
  if (canvas.matches(":focus-visible")) cross(tone);
  if (get("seen").checked) list(0);
}
// Which pictures are drawn, and where: none covers the middle of another one, and hits go first.
function placing(seen) {
  const most = Math.min(seen.length, MOST_PICTURES), side = Math.max(36, Math.min(96, 0.62 * Math.sqrt((width * height) / most)));
  const placed = new Map(), first = [chosen, ...data.found.map((hit) => hit.point)].filter((i) => i >= 0);
  for (const i of [...first, ...seen]) {
    if (placed.size >= MOST_PICTURES) break;
    const x = px(i), y = py(i);
    if (placed.has(i) || x < -side || y < -side || x > width + side || y > height + side || (isDim(i) && !hitOf.has(i))) continue;
    let covered = false;
    for (const other of placed.values()) if (Math.abs(other.x - x) < 0.7 * side && Math.abs(other.y - y) < 0.7 * side) { covered = true; break; }
    if (covered) continue;
    const image = map.picture(i), there = image?.complete && image.naturalWidth, fit = there ? side / Math.max(image.naturalWidth, image.naturalHeight) : 0;
    placed.set(i, { x, y, image: there ? image : null, w: there ? image.naturalWidth * fit : 0, h: there ? image.naturalHeight * fit : 0 });
  }
  return placed;
}
function picture(i, { x, y, image, w, h }, tone) {
  context.fillStyle = tone.paper; context.fillRect(x - w / 2 - 4, y - h / 2 - 4, w + 8, h + 8);
  context.fillStyle = groups[by].colours[groups[by].codes[i]]; context.fillRect(x - w / 2 - 3, y - h / 2 - 3, w + 6, h + 6);
  context.drawImage(image, x - w / 2, y - h / 2, w, h);
}
// A ring, or a frame around a picture.
function outline(x, y, box, more, lines) {
  for (const [colour, line] of lines) {
    context.beginPath(); context.lineWidth = line; context.strokeStyle = colour;
    if (box?.image) context.rect(x - box.w / 2 - more, y - box.h / 2 - more, box.w + 2 * more, box.h + 2 * more);
    else context.arc(x, y, Math.max(7, radius() + 3) + more - 3, 0, 7);
    context.stroke();
  }
}
function mark(hit, box, { ink, paper, quiet }) {
  const x = onX(hit.x), y = onY(hit.y);
  context.setLineDash(hit.weak ? [3, 3] : []);
  outline(x, y, box, 4, hit.weak ? [[quiet, 1.5]] : [[paper, 6], [ink, 2.5]]);
  context.setLineDash([]);
  if (hit.weak || hit.rank > NUMBERED) return;
  context.font = "bold 13px system-ui, sans-serif"; context.textBaseline = "middle";
  const at = box?.image ? [x - box.w / 2 + 1, y - box.h / 2 + 8] : [x + Math.max(7, radius() + 3) + 4, y];
  context.lineWidth = 4; context.strokeStyle = paper; context.strokeText(hit.rank, ...at);
  context.fillStyle = ink; context.fillText(hit.rank, ...at);
}
function cross({ ink, paper }) {
  for (const [colour, line] of [[paper, 4], [ink, 1.5]]) {
    context.beginPath(); context.lineWidth = line; context.strokeStyle = colour;
    for (const [x, y] of [[1, 0], [0, 1]]) { context.moveTo(width / 2 - 9 * x, height / 2 - 9 * y); context.lineTo(width / 2 + 9 * x, height / 2 + 9 * y); }
    context.stroke();
  }
}
function dots(seen) {
  const r = radius(), codes = groups[by].codes, tints = groups[by].colours;
  for (const i of seen) {
    context.globalAlpha = isDim(i) ? 0.12 : 0.85;
    context.fillStyle = tints[codes[i]];
    context.beginPath(); context.arc(px(i), py(i), r, 0, 7); context.fill();
  }
  context.globalAlpha = 1;
}
function density(seen) {
  // The colours of all points of a cell are mixed, and cover the paper the more, the more points there are.
  const w = canvas.width, h = canvas.height, cell = Math.max(1, Math.round(Math.min(3, radius() * 1.2) * ratio)), columns = Math.ceil(w / cell), rows = Math.ceil(h / cell);
  const tints = groups[by].colours.map((one) => [1, 3, 5].map((at) => parseInt(one.slice(at, at + 2), 16))), sums = new Float32Array(columns * rows * 4), codes = groups[by].codes;
  for (const i of seen) {
    const x = Math.floor(px(i) * ratio / cell), y = Math.floor(py(i) * ratio / cell);
    if (x < 0 || y < 0 || x >= columns || y >= rows) continue;
    const at = 4 * (y * columns + x), tint = tints[codes[i]], weight = isDim(i) ? 0.04 : 1;
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

function moved() { draw(); map.changed?.(); }
function zoom(factor, x = width / 2, y = height / 2) {
  const next = Math.max(0.8, Math.min(400, scale * factor)), change = next / scale;
  left = x - (x - left) * change; top_ = y - (y - top_) * change; scale = next; moved();
}
function move(dx, dy) { left += dx; top_ += dy; moved(); }
function whole() { scale = 1; left = top_ = 0; moved(); }
function middle(x, y) { left += width / 2 - x; top_ += height / 2 - y; }
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
  const hit = hitOf.get(i), more = [hit ? `hit ${hit.rank}, ${hit.distance} bits` : "", labelsOf(i), data.subsets.length > 2 ? subsetOf(i) : "", data.datasets.length > 2 ? datasetOf(i) : ""].filter(Boolean).join(" · ");
  if (more) { element("br", undefined, into); element("span", more, into).className = "quiet"; }
}
function tell(item) { document.dispatchEvent(new CustomEvent("clipdex:chosen", { detail: { ...item, box: get("chosen") } })); }
function link(i, parent) { const one = element("button", idOf(i), parent); one.type = "button"; one.addEventListener("click", () => choose(i, true)); return one; }
function choose(i, centre) {
  if (i < 0) return;
  chosen = i;
  describe(get("chosen"), i);
  const order = []; for (let j = 0; j < count; j++) if (j !== i) { const d = (xs[i] - xs[j]) ** 2 + (ys[i] - ys[j]) ** 2; if (order.length < 5 || d < order[4][0]) { order.push([d, j]); order.sort((a, b) => a[0] - b[0]); order.length = Math.min(5, order.length); } }
  if (order.length) { element("p", "Beside it on the map:", get("chosen")).className = "quiet"; const beside = element("ol", undefined, get("chosen")); for (const [, j] of order) link(j, element("li", undefined, beside)); }
  tell(map.item(i));
  if (centre) { scale = Math.max(scale, 3); middle(px(i), py(i)); }
  moved();
}
// A hit may be an image that the page has no point of.
function goTo(hit) {
  if (hit.point >= 0) return choose(hit.point, true);
  chosen = -1; scale = Math.max(scale, 3); middle(onX(hit.x), onY(hit.y));
  get("chosen").replaceChildren(); element("strong", hit.id, get("chosen")); tell(hit); moved();
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
for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);
canvas.addEventListener("keydown", (event) => {
  const step = 60, keys = {
    ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), "0": whole, Enter: () => choose(nearest(width / 2, height / 2, Infinity), false),
    n: () => choose((chosen + 1) % count, true), p: () => choose((Math.max(chosen, 0) - 1 + count) % count, true), i: () => get("pictures").click(), Escape: () => { get("tip").hidden = true; },
  }, act = keys[event.key] || keys[event.key.toLowerCase()];
  if (act && !event.ctrlKey && !event.metaKey && !event.altKey && count) { event.preventDefault(); act(); }
});
get("in").addEventListener("click", () => zoom(1.6));
get("out").addEventListener("click", () => zoom(1 / 1.6));
get("all").addEventListener("click", whole);
get("pictures").addEventListener("click", () => { pictured = !pictured; get("pictures").setAttribute("aria-pressed", pictured); draw(); });

function legend() {
  const one = groups[by];
  get("legend").replaceChildren(...one.names.map((name, code) => {
    const entry = document.createElement("li"), button = element("button", undefined, entry);
    button.type = "button"; button.setAttribute("aria-pressed", only === code); button.title = "Show this one alone";
    const dot = element("span", undefined, button); dot.className = "dot"; dot.style.background = one.colours[code];
    element("span", name, button).className = "name"; element("span", one.counts[code].toLocaleString("en"), button).className = "number";
    button.addEventListener("click", () => { only = only === code ? -1 : code; legend(); moved(); get("legend").children[code].firstChild.focus(); });
    return entry;
  }));
  get("note").textContent = one.note; get("note").hidden = !one.note;
}
for (const name of Object.keys(groups)) { const one = element("option", name, get("by")); one.value = name; one.selected = name === by; }
get("by").addEventListener("change", (event) => { by = event.target.value; only = -1; legend(); moved(); });

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
get("filter").addEventListener("input", () => { list(0); map.changed?.(); });
get("seen").addEventListener("change", () => list(0));
get("before").addEventListener("click", () => list(first - PAGE));
get("next").addEventListener("click", () => list(first + PAGE));

if (data.found.length) {
  get("hits").hidden = false; get("asked").textContent = data.asked;
  const weak = data.found.filter((hit) => hit.weak).length, sure = data.found.length - weak;
  for (const [number, kind, text] of [[sure, "sure", ""], [weak, "weak", ", which may be noise"]]) {
    if (!number) continue;
    const line = element("p", undefined, get("kinds"));
    element("span", undefined, line).className = `ring ${kind}`;
    line.append(` ${number.toLocaleString("en")} ${kind === "weak" ? "weak " : ""}hit${number === 1 ? "" : "s"}${text}`);
  }
  for (const hit of data.found) {
    const entry = element("li", undefined, get("found")), button = element("button", hit.id, entry);
    entry.value = hit.rank; button.type = "button";
    element("span", ` ${hit.distance}${hit.weak ? ", weak" : ""}`, entry).className = "quiet";
    button.addEventListener("click", () => goTo(hit));
  }
}
size();
new ResizeObserver(size).observe(canvas);
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) window.matchMedia(query).addEventListener("change", draw);
new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
legend(); list(0);
