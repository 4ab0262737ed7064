// Answers while a text is typed. The first one is a new entry of the history, the others replace it.
import { addressOf, visit } from "./live.js";

const PAUSE = 30; // Milliseconds.
const SHORTEST = 2;

export function answerWhileTyping() {
  let waiting = 0;
  let begun = false;
  let asking = false;
  document.addEventListener("input", (event) => {
    const box = event.target;
    if (!box.matches("[data-ask]")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => ask(box), PAUSE);
  });
  document.addEventListener("submit", () => clearTimeout(waiting));
  // Whatever else is asked ends the text that was being typed.
  document.addEventListener("clipdex:shown", () => {
    if (asking) return;
    clearTimeout(waiting);
    begun = false;
  });
  async function ask(box) {
    const short = box.value.trim().length < SHORTEST;
    if (short && !begun) return;
    const address = addressOf(box.form);
    if (short) address.searchParams.delete("add");
    const how = begun ? "replace" : "push";
    // What was asked before stays in the form: the text that is typed joins it when it is done.
    asking = true;
    const done = await visit(address, { how, keep: ["asked"] });
    asking = false;
    // One that the next letter overtook has left no entry.
    if (done) begun = !short;
  }
}
