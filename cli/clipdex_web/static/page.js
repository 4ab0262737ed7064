// What makes the page quicker to use. Everything works without it.
import { browse, showGrid } from "./browsing.js";
import { copyByButton } from "./copying.js";
import { takeImages } from "./images.js";
import { closeMenus } from "./menus.js";
import { moveByKeys } from "./keys.js";
import { goLive } from "./live.js";
import { noticeBuilds } from "./news.js";
import { askForCounts } from "./questions.js";
import { chooseTheme } from "./theme.js";
import { answerWhileTyping, typedQuestion } from "./typing.js";
import { narrowAtOnce } from "./narrowing.js";
import { pick, showPicked } from "./selection.js";
import { zoomInto } from "./zoom.js";

const shown = () => {
  for (const box of document.querySelectorAll("[data-copy]")) box.hidden = !navigator.clipboard;
  showGrid({ drawn: showPicked });
};

browse();
pick();
moveByKeys();
copyByButton();
closeMenus();
takeImages();
zoomInto();
chooseTheme();
if (document.querySelector("[data-ask]")) {
  answerWhileTyping();
  noticeBuilds();
  goLive(typedQuestion);
  askForCounts();
  document.addEventListener("clipdex:shown", askForCounts);
}
narrowAtOnce();
document.addEventListener("clipdex:shown", shown);
shown();
