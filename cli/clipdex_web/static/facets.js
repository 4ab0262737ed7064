// Search in a long list of names: what is found can be ticked, by Enter too. Without this, the name is typed in full.
let asked = 0;

function named(box, { name, items }) {
  const label = document.createElement("label");
  const tick = document.createElement("input");
  Object.assign(tick, { type: "checkbox", name: box.name, value: name });
  tick.setAttribute("form", "ask");
  tick.dataset.now = "";
  tick.addEventListener("change", () => (box.value = ""));
  const count = document.createElement("span");
  count.className = "count";
  count.textContent = items.toLocaleString("en");
  label.append(tick, ` ${name} `, count);
  return label;
}

const placeOf = (box) => box.closest("fieldset").querySelector("[data-found-names]");
const ticksOf = (place) => [...place.querySelectorAll("[type=checkbox]")];

async function find(box) {
  const place = placeOf(box);
  const mine = ++asked;
  const text = box.value.trim();
  if (!text) return place.replaceChildren();
  const wanted = new URLSearchParams({ kind: box.dataset.find, find: text, limit: 20 });
  const answer = await fetch(`api/v1/facets?${wanted}`);
  if (!answer.ok || mine !== asked) return;
  const names = (await answer.json())[box.dataset.find];
  if (!names || mine !== asked) return;
  place.replaceChildren(...names.first.map((one) => named(box, one)));
  const more = names.total - names.first.length;
  if (more > 0 || !names.total) {
    const said = document.createElement("p");
    said.className = "count";
    said.textContent = more > 0 ? `${more.toLocaleString("en")} more hold this text.` : "No name holds this text.";
    place.append(said);
  }
}

document.addEventListener("input", ({ target }) => target.matches("[data-find]") && find(target));

// Enter ticks the very name that was typed. Another text is no name, and is not sent.
document.addEventListener("keydown", async (event) => {
  const box = event.target;
  if (event.key !== "Enter" || event.isComposing || !box.matches?.("[data-find]") || !box.value.trim()) return;
  event.preventDefault();
  const text = box.value.trim();
  await find(box);
  const tick = ticksOf(placeOf(box)).find((one) => one.value === text);
  if (tick && !tick.checked && box.value.trim() === text) tick.click();
});
document.addEventListener("formdata", ({ target, formData }) => {
  if (target.id !== "ask") return;
  for (const box of document.querySelectorAll("[data-find]")) {
    const values = formData.getAll(box.name);
    if (!box.value || !values.includes(box.value)) continue;
    values.splice(values.indexOf(box.value), 1);
    formData.delete(box.name);
    for (const value of values) formData.append(box.name, value);
  }
});

// What was found goes with the text that it was found by. The name that was ticked is in the list now.
document.addEventListener("clipdex:shown", () => {
  for (const box of document.querySelectorAll("[data-find]")) {
    if (box.value) continue;
    const facet = box.closest("fieldset");
    const place = facet.querySelector("[data-found-names]");
    const ticked = place.contains(document.activeElement) ? document.activeElement.value : "";
    place.replaceChildren();
    if (ticked) [...facet.querySelectorAll("[type=checkbox]")].find((one) => one.name === box.name && one.value === ticked)?.focus();
  }
});
