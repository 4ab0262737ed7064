// While long work goes on, asks how far it is, and loads the page anew when it is done.
const box = document.querySelector("[data-poll]");
const progress = box?.querySelector("progress");
const said = box?.querySelector("[data-what]");

async function ask() {
  await look().catch(() => {}); // A server that does not answer now may do so later.
  setTimeout(ask, 1000);
}

async function look() {
  const answer = await fetch(box.dataset.poll);
  if (answer.status !== 202) return location.reload();
  const count = await answer.json();
  if (count?.total) {
    progress.max = count.total;
    progress.value = count.done;
    const { counting, done, total } = count;
    const of = counting.startsWith("percent ") ? "" : `of ${total.toLocaleString("en")} `;
    const text = `Still at work: ${done.toLocaleString("en")} ${of}${counting}`;
    if (said.textContent !== text) said.textContent = text;
  }
}

if (box) setTimeout(ask, 1000);
