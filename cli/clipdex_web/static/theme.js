// Light or dark, as the system is or as somebody chose; early.js reads the choice before the first paint.
export function chooseTheme() {
  const choice = document.querySelector("[data-theme-choice]");
  choice.parentElement.hidden = false;
  choice.value = document.documentElement.dataset.theme ?? "";
  choice.addEventListener("change", () => {
    document.documentElement.dataset.theme = choice.value;
    try {
      if (choice.value) localStorage.setItem("clipdex-theme", choice.value);
      else localStorage.removeItem("clipdex-theme");
    } catch {
      // It holds for this page.
    }
  });
}
