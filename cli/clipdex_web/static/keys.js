// The keyboard: / goes to the search box, the arrows go from image to image, Escape goes back.
const typing = (element) => element.matches("input, select, textarea, [contenteditable]");

export function moveWithArrows(page) {
  page.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const box = page.querySelector("[data-ask]");
    const back = page.querySelector("[data-back]");
    if (event.key === "/" && box) {
      event.preventDefault();
      box.focus();
    } else if (event.key === "Escape" && back) {
      back.click();
    } else if (event.key.startsWith("Arrow") && move(page, event.key)) {
      event.preventDefault();
    }
  });
}

function move(page, key) {
  const tiles = [...page.querySelectorAll("[data-tile]")];
  const at = tiles.indexOf(page.activeElement);
  if (at < 0) return false;
  const top = tiles[0].getBoundingClientRect().top;
  const columns = Math.max(1, tiles.filter((tile) => tile.getBoundingClientRect().top === top).length);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const next = tiles[at + step];
  next?.focus();
  return Boolean(next);
}
