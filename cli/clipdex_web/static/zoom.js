// Zooming into the large image: + and - on the keyboard, buttons, or a click. Scrolling moves it.
const STEPS = [1, 1.5, 2, 3, 4, 6, 8];

export function zoomInto() {
  const frame = document.querySelector("[data-zoom]");
  if (!frame) return;
  const image = frame.querySelector("img");
  const buttons = document.querySelector("[data-zooming]");
  let at = 0;
  buttons.hidden = false;
  const to = (step, x = 0.5, y = 0.5) => {
    if (!at) {
      frame.style.height = `${frame.clientHeight}px`; // Growing, the image stays in its frame.
      image.style.setProperty("--fitting", `${image.clientWidth}px`);
    }
    at = Math.max(0, Math.min(STEPS.length - 1, step));
    frame.classList.toggle("closer-in", at > 0);
    image.style.setProperty("--zoom", STEPS[at]);
    if (!at) frame.style.height = "";
    frame.scrollLeft = x * frame.scrollWidth - frame.clientWidth / 2;
    frame.scrollTop = y * frame.scrollHeight - frame.clientHeight / 2;
    buttons.querySelector("output").textContent = at ? `${STEPS[at]} ×` : "fits";
  };
  buttons.addEventListener("click", (event) => {
    const by = Number(event.target.dataset.by ?? NaN);
    if (!Number.isNaN(by)) to(by ? at + by : 0);
  });
  image.addEventListener("click", (event) => {
    to(at ? 0 : 2, event.offsetX / image.clientWidth, event.offsetY / image.clientHeight);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { "+": 1, "=": 1, "-": -1, 0: 0 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    to(by ? at + by : 0);
  });
}
