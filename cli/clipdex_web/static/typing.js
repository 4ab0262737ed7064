// Answers while a text is typed. The first one is a new entry of the history, the others replace it.
import { answeredText, setAnswered, typed } from "./box.js";
import { ask, settledAddress } from "./questions.js";

const PAUSE = 30; // Milliseconds; letters that come faster are answered together.
const SHORTEST = 2;

export function answerWhileTyping() {
  let waiting = 0;
  let last = -PAUSE;
  const soon = () => {
    clearTimeout(waiting);
    const now = performance.now();
    waiting = setTimeout(() => ask(typedQuestion, { passing: true }), now - last < PAUSE ? PAUSE : 0);
    last = now;
  };
  document.addEventListener("input", (event) => event.target.matches("[data-ask]") && soon());
  // What was typed while something else was asked is still to be answered.
  document.addEventListener("clipdex:shown", ({ detail }) => {
    if (detail.typing) return;
    setAnswered("");
    if (typed()) soon();
  });
}

// What was asked before stays in the form: the text that is typed joins it when it is done.
export function typedQuestion() {
  const text = typed().length < SHORTEST ? "" : typed();
  const before = answeredText();
  if (text === before) return undefined;
  const url = settledAddress();
  url.searchParams.delete("page");
  if (text) url.searchParams.append("add", text);
  return { url, how: before ? "replace" : "push", typing: true, shown: () => setAnswered(text) };
}
