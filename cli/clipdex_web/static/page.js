// What makes the page quicker to use. Everything works without it.
import { browse, showGrid } from "./browsing.js";
import { copyByButton } from "./copying.js";
import { takeImages } from "./images.js";
import { moveByKeys } from "./keys.js";
import { goLive } from "./live.js";
import { answerWhileTyping } from "./typing.js";
import { zoomInto } from "./zoom.js";

const shown = () => {
  if (document.querySelector("[data-scroller]")) showGrid();
  for (const box of document.querySelectorAll("[data-copy]")) box.hidden = !navigator.clipboard;
};

browse();
moveByKeys();
copyByButton();
takeImages();
zoomInto();
if (document.querySelector("[data-ask]")) {
  answerWhileTyping();
  goLive();
}
document.addEventListener("change", (event) => event.target.matches("[data-now]") && event.target.form.requestSubmit());
document.addEventListener("clipdex:shown", shown);
shown();
