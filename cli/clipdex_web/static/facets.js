// Search in a long list of names: what is found can be ticked. Without this, the name is typed in full.
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

document.addEventListener("input", async (event) => {
  const box = event.target.closest?.("[data-find]");
  if (!box) return;
  const place = box.closest("fieldset").querySelector("[data-found-names]");
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

// A name that is being looked for is none that was chosen, unless it is sent from its own box.
document.addEventListener("formdata", ({ target, formData }) => {
  if (target.id !== "ask") return;
  for (const box of document.querySelectorAll("[data-find]")) {
    if (!box.value || box === document.activeElement) continue;
    const names = formData.getAll(box.name);
    names.splice(names.indexOf(box.value), 1);
    formData.delete(box.name);
    for (const name of names) formData.append(box.name, name);
  }
});
