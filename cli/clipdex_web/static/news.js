// A build that ran elsewhere is noticed: the server is asked now and then, while somebody looks.
const CALM = 15_000; // Milliseconds.

async function ask() {
  const note = document.querySelector("[data-changed]");
  if (!note || !note.hidden || document.visibilityState !== "visible") return;
  try {
    const { changed } = await (await fetch("changed")).json();
    note.hidden = !changed;
  } catch {
    // The next question of the user says that the server is gone.
  }
}

export function noticeBuilds() {
  setInterval(ask, CALM);
  document.addEventListener("visibilitychange", ask);
}
