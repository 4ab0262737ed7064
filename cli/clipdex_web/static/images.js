// Images that are dropped or pasted anywhere are sent as if they had been chosen.
const form = () => document.querySelector("[data-upload]");

function send(files) {
  const image = [...files].find((file) => file.type.startsWith("image/"));
  if (!image || !form()) return;
  const one = new DataTransfer();
  one.items.add(image);
  const input = form().querySelector("input[type=file]");
  input.files = one.files;
  input.form.requestSubmit();
}

export function takeImages() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-upload] input[type=file]") && event.target.files.length) {
      event.target.form.requestSubmit();
    }
  });
  document.addEventListener("paste", (event) => send(event.clipboardData.files));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    send(event.dataTransfer.files);
  });
}
