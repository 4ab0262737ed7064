// A menu closes by Escape, or by a click beside it.
export function closeMenus() {
  const open = () => [...document.querySelectorAll(".bar .menu[open]")];
  document.addEventListener("click", ({ target }) => {
    for (const menu of open()) if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener(
    "keydown",
    (event) => {
      const [menu] = open();
      if (event.key !== "Escape" || !menu) return;
      event.stopPropagation();
      menu.open = false;
      menu.querySelector("summary").focus();
    },
    true,
  );
}
