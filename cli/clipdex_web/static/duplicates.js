// Marks that stay while pages are turned, the keyboard, and comparing two images of a group.
const form = document.querySelector("[data-marks]");
const dialog = document.querySelector(".compare");

// Marks: for each group that has some, the names of the images to keep. They stay in this browser.
function readMarks(key) {
  try {
    const read = JSON.parse(localStorage.getItem(key) ?? "{}");
    return read !== null && typeof read === "object" && !Array.isArray(read) ? read : {};
  } catch {
    return {};
  }
}

function marking() {
  const key = `clipdex kept ${location.pathname} ${form.dataset.marks}`;
  const marks = readMarks(key);
  const groups = [...form.querySelectorAll("[data-group]")];
  const boxes = (group) => [...group.querySelectorAll("input[name=kept]")];

  function show() {
    for (const group of groups) {
      const some = boxes(group).some((box) => box.checked);
      for (const copy of group.querySelectorAll(".copy")) {
        const kept = some ? copy.querySelector("input").checked : copy.dataset.match === "kept";
        const stays = !some && copy.dataset.removable === "no";
        copy.dataset.state = kept ? "kept" : stays ? "stays" : "goes";
      }
    }
    const number = Object.keys(marks).length;
    const said = number ? `Marks in ${number} ${number === 1 ? "group" : "groups"}, kept in this browser.` : "";
    form.querySelector("[data-marked]").textContent = said;
    form.querySelector("[data-forget]").classList.toggle("any", number > 0);
  }
  function store() {
    try {
      localStorage.setItem(key, JSON.stringify(marks));
    } catch {
      // A browser that keeps nothing: the marks of this page are sent all the same.
    }
    show();
  }
  function take(group) {
    const kept = boxes(group).filter((box) => box.checked).map((box) => box.value);
    if (kept.length) marks[group.dataset.group] = kept;
    else delete marks[group.dataset.group];
  }
  for (const group of groups) {
    const kept = marks[group.dataset.group];
    if (Array.isArray(kept)) for (const box of boxes(group)) box.checked = kept.includes(box.value);
    else take(group); // what was marked before this script came
  }
  form.addEventListener("change", (event) => {
    const group = event.target.closest("[data-group]");
    if (!group) return;
    take(group);
    store();
  });
  form.querySelector("[data-forget]").addEventListener("click", () => {
    for (const name of Object.keys(marks)) delete marks[name];
    for (const box of groups.flatMap(boxes)) box.checked = false;
    store();
  });
  // Marks of other pages go with the form.
  form.addEventListener("formdata", (event) => {
    const here = new Set(groups.map((group) => group.dataset.group));
    for (const [name, kept] of Object.entries(marks)) {
      if (!here.has(name) && Array.isArray(kept)) for (const one of kept) event.formData.append("kept", one);
    }
  });
  store();
}

const copyOf = (element) => element?.closest?.(".copy");
const copiesOf = (copy) => [...copy.closest("[data-group]").querySelectorAll(".copy")];
const nameOf = (copy) => copy.querySelector(".name").textContent;
const isKept = (copy) => copy.dataset.state === "kept";
const toggle = (copy) => copy.querySelector("input").click();

function comparing() {
  const stage = dialog.querySelector(".stage");
  const [one, other] = ["[data-one]", "[data-other]"].map((name) => stage.querySelector(name));
  const slider = dialog.querySelector("input[type=range]");
  const said = dialog.querySelector(".said");
  let pair = [];
  let at = 1;

  const mode = () => stage.dataset.mode;
  function show() {
    const [first, second] = pair;
    one.toggleAttribute("data-shown", at === 0);
    other.toggleAttribute("data-shown", at === 1);
    other.style.opacity = mode() === "blend" ? slider.value / 100 : "";
    const mark = (copy) => (isKept(copy) ? " (kept)" : "");
    said.textContent =
      mode() === "swap"
        ? `${at ? "Second" : "First"}: ${nameOf(pair[at])}${mark(pair[at])}`
        : `First: ${nameOf(first)}${mark(first)}. Second: ${nameOf(second)}${mark(second)}.`;
  }
  function take(copy) {
    const copies = copiesOf(copy);
    const base = copies.find((each) => isKept(each) && each !== copy) ?? copies.find((each) => each !== copy);
    pair = [base, copy];
    at = 1;
    for (const [image, each] of [[one, base], [other, copy]]) {
      image.src = each.querySelector("[data-copy-of]").dataset.copyOf;
      image.alt = nameOf(each);
    }
    show();
  }
  function swap() {
    at = 1 - at;
    show();
  }
  function step(by) {
    const copies = copiesOf(pair[1]).filter((each) => each !== pair[0]);
    const next = copies[copies.indexOf(pair[1]) + by];
    if (!next) return;
    const base = pair[0];
    take(next);
    pair[0] = base;
    one.src = base.querySelector("[data-copy-of]").dataset.copyOf;
    one.alt = nameOf(base);
    show();
  }
  function keep() {
    toggle(pair[at]);
    show();
  }
  dialog.addEventListener("change", (event) => {
    if (event.target.name === "mode") stage.dataset.mode = event.target.value;
    show();
  });
  slider.addEventListener("input", show);
  stage.addEventListener("click", () => mode() === "swap" && swap());
  const acts = { swap, keep, before: () => step(-1), next: () => step(1), close: () => dialog.close() };
  for (const [name, act] of Object.entries(acts)) {
    dialog.querySelector(`[data-${name}]`).addEventListener("click", act);
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const chosen = event.target.matches("input");
    const act = { " ": swap, k: keep, ArrowLeft: acts.before, ArrowRight: acts.next }[event.key];
    event.stopPropagation();
    if (!act || (chosen && event.key !== "k") || (event.key === " " && event.target.matches("button"))) return;
    event.preventDefault();
    act();
  });
  dialog.addEventListener("close", () => pair[1]?.querySelector(".look").focus());
  return (copy) => {
    if (copiesOf(copy).length < 2) return;
    take(copy);
    dialog.showModal();
    stage.focus();
  };
}

if (form) {
  for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = false;
  marking();
  const compare = comparing();
  for (const copy of form.querySelectorAll(".copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "with";
    button.append("compare");
    const name = document.createElement("span");
    name.className = "unseen";
    name.textContent = ` ${nameOf(copy)}`;
    button.append(name);
    button.addEventListener("click", () => compare(copy));
    copy.append(button);
  }
  const looks = [...form.querySelectorAll(".copy .look")];
  form.addEventListener("keydown", (event) => {
    const copy = copyOf(event.target);
    if (!copy || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = looks.indexOf(copy.querySelector(".look"));
    const acts = {
      ArrowRight: () => looks[at + 1]?.focus(),
      ArrowLeft: () => looks[at - 1]?.focus(),
      k: () => toggle(copy),
      c: () => compare(copy),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
}
