// The parts of the page that an answer changes, and what its user does in them meanwhile.
import { morph } from "./morph.js";

// What `#ask` sends, beside what is typed in its box: what it holds, and what the server gave it.
const controls = () => document.querySelectorAll("[data-part] :is(input, select)[form=ask]");
const held = (control) => (control.type === "checkbox" ? control.checked : control.value);
function given(control) {
  if (control.type === "checkbox") return control.defaultChecked;
  if (control.options) return ([...control.options].find((one) => one.defaultSelected) ?? control.options[0]).value;
  return control.defaultValue;
}

// What the controls hold when something is asked. What differs from it later was changed meanwhile; so was, where the
// form is not sent, what the server did not give.
export const seen = (sent) => new Map([...controls()].map((one) => [one, sent ? held(one) : given(one)]));

// Let parts of the page be like the answer, except for what was changed meanwhile, and for other forms.
export function follow(found, before, whether) {
  const focus = handles(document.activeElement);
  const edited = (control) => before.has(control) && before.get(control) !== held(control);
  const spared = (control) => control.form?.id !== "ask" || edited(control) || control.matches("[data-find]");
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = found.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && whether(part.dataset.part)) morph(part, other, spared);
  }
  if (!document.activeElement || document.activeElement === document.body) {
    const like = focus.map((selector) => document.querySelector(selector)).find(Boolean);
    (like || document.getElementById("main")).focus({ preventScroll: true });
  }
}

// Selectors that find the like of an element in the page that comes, the nearest first.
function handles(element) {
  const quoted = (name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`;
  if (!element || element === document.body) return [];
  if (element.id) return [`#${CSS.escape(element.id)}`];
  if (element.name) return [`${quoted("name")}${element.type === "checkbox" ? quoted("value") : ""}`];
  const chip = element.closest(".chips > li");
  if (chip) {
    const number = [...chip.parentElement.children].indexOf(chip) + 1;
    const link = element.matches("[data-turn]") ? "[data-turn]" : "[data-remove]";
    return [`.chips > li:nth-child(${number}) ${link}`, ".chip:not(:has(~ .chip)) [data-remove]", "[data-ask]"];
  }
  return element.hasAttribute("aria-label") ? [quoted("aria-label")] : [];
}
