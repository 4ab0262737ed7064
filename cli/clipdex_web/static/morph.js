// One element becomes like another, and what both have stays where it is: with the keyboard, the caret, and what was
// typed since. What is replaced would lose them.

// What names a node among its siblings; empty where nothing does.
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  const name = node.getAttribute("name");
  const value = node.type === "text" || node.type === "number" ? "" : node.getAttribute("value");
  return node.dataset.key ?? (node.id || (name && `${name}=${value}`) || "");
}

const listOf = (scroller) => scroller.querySelector("[data-grid]");

// `spared` tells of a control whether it keeps what it holds.
export function morph(old, next, spared) {
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !next.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  // The grid moves its tiles, and knows where they are.
  if (old.matches("[data-scroller]")) listOf(old).replaceChildren(...listOf(next).children);
  else if (!old.matches("[data-found-names]")) morphChildren(old, next, spared);
  if (!old.matches("input, select") || spared(old)) return;
  if (old.type === "checkbox") old.checked = next.checked;
  else old.value = next.value;
}

function morphChildren(old, next, spared) {
  const wanted = [...next.childNodes];
  const likes = likesOf(old, wanted);
  const staying = new Set(likes);
  for (const child of [...old.childNodes]) if (!staying.has(child) && !holds(child, spared)) child.remove();
  let at = old.firstChild;
  wanted.forEach((child, number) => {
    const like = likes[number];
    // Elements stay in their place if they can; texts are put where they belong.
    while (at && at !== like && (at.nodeType !== Node.ELEMENT_NODE || !staying.has(at))) at = at.nextSibling;
    if (like && like === at) at = at.nextSibling;
    else put(old, like ?? child, at);
    if (like?.nodeType === Node.ELEMENT_NODE) morph(like, child, spared);
    else if (like && like.data !== child.data) like.data = child.data;
  });
}

// For each node the one that is there already and like it: of the same name, or the next one of the same kind.
function likesOf(old, wanted) {
  const known = new Map();
  const named = (node) => `${node.nodeName} ${keyOf(node) || `.${node.className}`}`;
  for (const child of old.childNodes) known.set(named(child), [...(known.get(named(child)) ?? []), child]);
  return wanted.map((child) => known.get(named(child))?.shift());
}

// Whether a control in a node, or the node itself, holds what its user has just put there.
function holds(node, spared) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  return [node, ...node.querySelectorAll("input, select")].some((one) => one.form?.id === "ask" && spared(one));
}

function put(parent, node, at) {
  if (parent.moveBefore && node.parentNode === parent) parent.moveBefore(node, at); // It keeps the keyboard.
  else parent.insertBefore(node, at);
}
