// The text in the search box, and what of it the page shows already, as an answer to what is being typed.
let answered = "";

const box = () => document.querySelector("[data-ask]");

export const typed = () => box().value.trim();
export const answeredText = () => answered;
export function setAnswered(text) {
  answered = text;
}

// Take out the text that goes into a question: all of it, or what the page shows. Says whether the page shows a part of
// it only, and how it is put back.
export function takeText({ all }) {
  const { value } = box();
  if (!value || (!all && typed() !== answered)) return { begun: false, back: () => {} };
  const [text, shown] = [typed(), answered];
  box().value = answered = "";
  const back = () => {
    box().value = [text, box().value].filter(Boolean).join(" ");
    answered ||= shown;
  };
  return { begun: shown !== "" && shown !== text, back };
}
