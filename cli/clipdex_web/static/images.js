// Images that are dropped or pasted anywhere are sent as if they had been chosen.
export function takeImages(page, form) {
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const send = (files) => {
    const image = [...files].find((file) => file.type.startsWith("image/"));
    if (!image) return;
    const one = new DataTransfer();
    one.items.add(image);
    input.files = one.files;
    form.requestSubmit();
  };
  input.addEventListener("change", () => input.files.length && form.requestSubmit());
  page.addEventListener("paste", (event) => send(event.clipboardData.files));
  page.addEventListener("dragover", (event) => {
    event.preventDefault();
    page.body.classList.add("dropping");
  });
  page.addEventListener("dragleave", () => page.body.classList.remove("dropping"));
  page.addEventListener("drop", (event) => {
    event.preventDefault();
    page.body.classList.remove("dropping");
    send(event.dataTransfer.files);
  });
}
