// The histogram of an answer is fetched when its menu is opened.
async function fill(menu) {
  const place = menu.open && menu.querySelector?.("[data-histogram-at]");
  if (!place || place.dataset.done) return;
  place.dataset.done = "yes";
  const answer = await fetch(place.dataset.histogramAt);
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-histogram]");
  if (found) place.replaceChildren(found);
}

document.addEventListener("toggle", (event) => fill(event.target), true);
document.addEventListener("clipdex:shown", () => {
  for (const menu of document.querySelectorAll("details[open]")) fill(menu);
});
