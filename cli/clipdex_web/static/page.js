// What makes the page quicker to use. Everything works without it.
import { moveWithArrows } from "./keys.js";
import { takeImages } from "./images.js";

for (const box of document.querySelectorAll("[data-now]")) {
  box.addEventListener("change", () => box.form.requestSubmit());
}
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
moveWithArrows(document);
takeImages(document, document.querySelector("[data-upload]"));
