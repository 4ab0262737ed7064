// What is being pressed must stay where it is until the press is over: otherwise the click would hit something else.
const LONGEST = 2000; // Milliseconds that a press may hold back what comes.
const CLICK = 100; // Milliseconds within which a click follows the end of its press.
const PRESSED = "a, button, input, label, summary";
const BY_SPACE = "button, summary, input[type=checkbox], input[type=radio]";

let pressing = 0;
let waiting = [];

function press(time) {
  clearTimeout(pressing);
  pressing = setTimeout(over, time);
}

function over() {
  clearTimeout(pressing);
  pressing = 0;
  for (const go of waiting) go();
  waiting = [];
}

// Wait until nothing is pressed.
export const untouched = () => (pressing ? new Promise((go) => waiting.push(go)) : undefined);

export function watchPresses() {
  const watch = (name, act) => addEventListener(name, act, true);
  watch("pointerdown", (event) => !event.button && event.target.closest?.(PRESSED) && press(LONGEST));
  watch("keydown", (event) => event.key === " " && event.target.matches?.(BY_SPACE) && press(LONGEST));
  for (const end of ["pointerup", "pointercancel", "keyup"]) watch(end, () => pressing && press(CLICK));
  watch("click", () => pressing && setTimeout(over)); // After whatever the click does.
}
