// An area of the map: drawn freely or taken from what is shown, and kept in the address as a short polygon.
const map = window.clipdexMap;
const plot = map.canvas.parentElement;
const tools = document.querySelector("[data-areas]");
const [lasso, go, none] = ["lasso", "go", "none"].map((name) => tools.querySelector(`[data-${name}]`));
const MOST = 48;
let corners = read();
let line = null;

function read() {
  const text = new URLSearchParams(location.search).get("area");
  return text ? text.split("_").map((corner) => corner.split(",").map(Number)) : [];
}

function show() {
  const address = new URL(location.href);
  const text = corners.map((corner) => corner.map((one) => Number(one.toFixed(3))).join(",")).join("_");
  if (text) address.searchParams.set("area", text);
  else address.searchParams.delete("area");
  history.replaceState({}, "", address);
  go.hidden = none.hidden = !text;
  go.href = `area?${new URLSearchParams({ area: text })}`;
  map.draw();
}

map.over = (context) => {
  const drawn = line ?? corners.map(([x, y]) => map.on(x, y));
  if (drawn.length < 2) return;
  context.beginPath();
  for (const [x, y] of drawn) context.lineTo(x, y);
  context.closePath();
  context.globalAlpha = 0.12;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = context.fillStyle;
  context.lineWidth = 2;
  context.stroke();
};

function drawing(on) {
  lasso.setAttribute("aria-pressed", String(on));
  plot.classList.toggle("drawing", on);
}
const isDrawing = () => plot.classList.contains("drawing");

function thinned(points) {
  const step = Math.max(1, points.length / MOST);
  return Array.from({ length: Math.min(points.length, MOST) }, (_, i) => points[Math.floor(i * step)]);
}

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
        if (line.length > 3) corners = thinned(line).map(([x, y]) => map.at(x, y));
        line = null;
        drawing(false);
        show();
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
  corners = [];
  show();
  lasso.focus();
});
tools.querySelector("[data-view]").addEventListener("click", () => {
  const [width, height] = map.size();
  corners = [[0, 0], [width, 0], [width, height], [0, height]].map(([x, y]) => map.at(x, y));
  show();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isDrawing()) {
    line = null;
    drawing(false);
    map.draw();
  }
});

// What is chosen has a picture, and leads to its closer look.
document.addEventListener("clipdex:chosen", ({ detail: { id, subset, dataset, box } }) => {
  const image = document.createElement("img");
  image.alt = "";
  image.src = `api/v1/thumbnail?${new URLSearchParams({ dataset, subset, id, size: 256 })}`;
  const quoted = (text) => text.replaceAll("%", "%25").replaceAll(":", "%3A");
  const name = `${quoted(dataset)}:${quoted(subset)}:${id}`;
  const links = document.createElement("p");
  for (const [text, url] of [
    ["closer look", `item?${new URLSearchParams({ show: name })}`],
    ["more like this", `./?${new URLSearchParams({ item: name })}`],
  ]) {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = text;
    links.append(link, " ");
  }
  box.prepend(image);
  box.append(links);
});
tools.hidden = false;
show();
