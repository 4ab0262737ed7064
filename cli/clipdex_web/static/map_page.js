// The map as a page of the server: areas that lead to their images, pictures, and the address, which says all that is seen.
import { read, simplified, written } from "./area.js";

const map = window.clipdexMap;
const plot = map.canvas.parentElement;
const layout = JSON.parse(document.getElementById("data").textContent).layout;
const tools = document.querySelector("[data-areas]");
const [lasso, view, go, none, said] = ["lasso", "view", "go", "none", "said"].map((name) =>
  tools.querySelector(`[data-${name}]`),
);
const OWN = ["by", "only", "view", "show", "find", "area"];
const PAUSE = 200; // Milliseconds that the map stands still before anything is fetched or written.
const FAR = 999; // As far as an address says.
const KEPT = 600;
const MOST = 150;
let areas = new URLSearchParams(location.search).getAll("area").map((text) => ({ text, corners: read(layout, text) }));
let line = null;

// What was asked, without what is the page's own.
function asked() {
  const wanted = new URLSearchParams(location.search);
  for (const name of OWN) wanted.delete(name);
  return wanted;
}

const quoted = (text) => text.replaceAll("%", "%25").replaceAll(":", "%3A");
const plain = (text) => text.replaceAll("%3A", ":").replaceAll("%25", "%");
const nameOf = ({ id, subset, dataset }) => `${quoted(dataset)}:${quoted(subset)}:${id}`;

function address() {
  const wanted = asked();
  const looked = map.looked();
  for (const { text } of areas) wanted.append("area", text);
  wanted.set("by", looked.by);
  if (looked.only) wanted.set("only", looked.only);
  if (looked.find) wanted.set("find", looked.find);
  if (!looked.whole) {
    const numbers = [...looked.centre, looked.scale].map((one) => Number(Math.max(-FAR, Math.min(FAR, one)).toFixed(4)));
    wanted.set("view", numbers.join(","));
  }
  if (looked.chosen >= 0) wanted.set("show", nameOf(map.item(looked.chosen)));
  return `map?${wanted}`;
}

let writing;
map.changed = () => {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState({}, "", address()), PAUSE);
};

function show() {
  const wanted = asked();
  for (const { text } of areas) wanted.append("area", text);
  go.hidden = none.hidden = !areas.length;
  go.href = `./?${wanted}`;
  history.replaceState({}, "", address());
  map.draw();
}

function take(corners) {
  const text = written(layout, corners);
  areas = [{ text, corners: read(layout, text) }];
  show();
}

map.over = (context, { accent }) => {
  for (const drawn of line ? [line] : areas.map(({ corners }) => corners.map(([x, y]) => map.on(x, y)))) {
    if (drawn.length < 2) continue;
    context.beginPath();
    for (const [x, y] of drawn) context.lineTo(x, y);
    context.closePath();
    context.globalAlpha = 0.12;
    context.fillStyle = context.strokeStyle = accent;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.stroke();
  }
};

function drawing(on) {
  lasso.setAttribute("aria-pressed", String(on));
  plot.classList.toggle("drawing", on);
  said.textContent = on ? "Draw around images with the pointer. Escape ends it." : "";
}
const isDrawing = () => plot.classList.contains("drawing");

// In the way to the canvas, so that the map does not move while an area is drawn.
for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
  plot.addEventListener(
    name,
    (event) => {
      if (event.target !== map.canvas || !isDrawing()) return;
      event.stopPropagation();
      const place = [event.offsetX, event.offsetY];
      if (name === "pointerdown") {
        line = [place];
        map.canvas.setPointerCapture(event.pointerId);
      } else if (line && name === "pointermove") {
        line.push(place);
        map.draw();
      } else if (line && name === "pointerup") {
        const corners = simplified(line);
        line = null;
        drawing(false);
        if (corners.length > 2) take(corners.map(([x, y]) => map.at(x, y)));
        else map.draw();
      } else if (name === "pointercancel") {
        line = null;
        map.draw();
      }
    },
    true,
  );
}
lasso.addEventListener("click", () => drawing(!isDrawing()));
none.addEventListener("click", () => {
  areas = [];
  show();
  lasso.focus();
});
view.addEventListener("click", () => {
  const [width, height] = map.size();
  take([[0, 0], [width, 0], [width, height], [0, height]].map(([x, y]) => map.at(x, y)));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isDrawing()) {
    line = null;
    drawing(false);
    map.draw();
  }
});

// Small pictures of what there is room for, once the map stands still.
const pictures = new Map();
const wanted = new Set();
let fetching;
const pictureOf = (item, size) => `api/v1/thumbnail?${new URLSearchParams({ ...item, size })}`;
map.picture = (point) => {
  const known = pictures.get(point);
  if (known) {
    pictures.delete(point);
    pictures.set(point, known);
    return known;
  }
  wanted.delete(point);
  wanted.add(point);
  clearTimeout(fetching);
  fetching = setTimeout(fetchPictures, PAUSE);
  return null;
};
function fetchPictures() {
  for (const point of [...wanted].slice(-MOST)) {
    const image = new Image();
    image.onload = map.draw;
    image.src = pictureOf(map.item(point), 256);
    pictures.set(point, image);
  }
  wanted.clear();
  for (const point of pictures.keys()) {
    if (pictures.size <= KEPT) break;
    pictures.delete(point);
  }
}
document.getElementById("pictures").hidden = false;

// What is chosen has a picture, and leads to its closer look.
document.addEventListener("clipdex:chosen", ({ detail: { id, subset, dataset, box } }) => {
  const item = { dataset, subset, id };
  const image = document.createElement("img");
  image.alt = "";
  image.src = pictureOf(item, 256);
  const links = document.createElement("p");
  for (const [text, url] of [
    ["closer look", `item?${new URLSearchParams({ show: nameOf(item) })}`],
    ["more like this", `./?${new URLSearchParams({ item: nameOf(item) })}`],
    ["like this on the map", `map?${new URLSearchParams({ item: nameOf(item) })}`],
  ]) {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = text;
    links.append(link, " ");
  }
  box.prepend(image);
  box.append(links);
});

// Another answer on the map that is seen now.
document.querySelector("[data-show]").addEventListener("submit", (event) => {
  event.preventDefault();
  const found = new URL(address(), location.href);
  for (const kind of ["text", "image", "item"]) for (const away of ["", "not_"]) found.searchParams.delete(away + kind);
  found.searchParams.set("text", event.target.text.value);
  location.href = found;
});

function look() {
  const at = new URLSearchParams(location.search);
  const [x, y, zoom] = at.get("view")?.split(",").map(Number) ?? [];
  const [dataset, subset, ...id] = at.get("show")?.split(":") ?? [];
  const item = dataset !== undefined && { dataset: plain(dataset), subset: plain(subset ?? ""), id: id.join(":") };
  map.look({ centre: zoom && [x, y], zoom, only: at.get("only"), find: at.get("find"), item });
}
areas = areas.filter(({ corners }) => corners.length);
tools.hidden = false;
look();
show();
