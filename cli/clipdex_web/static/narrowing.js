// The side: what is ticked holds at once, and a slider moves the number above it.
export function narrowAtOnce() {
  document.addEventListener("change", ({ target }) => {
    if (target.matches("[data-now]")) {
      for (const other of target.closest(".choice")?.querySelectorAll("[data-now]") ?? []) {
        if (target.checked && other !== target) other.checked = false; // Wanted, or left out.
      }
      target.form.requestSubmit();
    } else if (target.matches("[data-slider]")) number(target).form.requestSubmit();
  });
  document.addEventListener("input", ({ target }) => {
    if (target.matches("[data-slider]")) number(target).value = target.value === target.max ? "" : target.value;
  });
}

const number = (slider) => document.querySelector(`input[type=number][name="${slider.dataset.slider}"]`);
