// Before anything is painted: that there are scripts, and the colours that were chosen.
document.documentElement.classList.add("live");
try {
  document.documentElement.dataset.theme = localStorage.getItem("clipdex-theme") ?? "";
} catch {
  // A browser that keeps nothing shows the colours of the system.
}
