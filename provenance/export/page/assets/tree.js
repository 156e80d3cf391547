"use strict";
// The tree of steps. It stands in the document as the server-side template wrote it; here
// it is opened and closed, walked by keys, and kept in step with what is selected.

const tree = document.getElementById("tree");
const rowOf = new Map(); // thing -> its item
for (const item of tree.querySelectorAll(".item")) {
  const i = Number(item.dataset.thing);
  if (i >= 0) rowOf.set(i, item);
}
let current = tree.querySelector(".item"); // the one that has the tab stop
let selected = -1; // index of the thing whose details are shown

function parentItem(item) {
  const up = item.parentElement.closest(".item");
  return up && tree.contains(up) ? up : null;
}

function isOpen(item) {
  return item.getAttribute("aria-expanded") === "true";
}

function setOpen(item, open) {
  if (item.hasAttribute("aria-expanded")) item.setAttribute("aria-expanded", String(open));
}

// openAll opens or closes every row; of many rows some in each frame, so that the page
// answers meanwhile.
const openAtOnce = 400;

function openAll(open, atOnce = openAtOnce) {
  const some = [...tree.querySelectorAll(open ? '[aria-expanded="false"]' : '[aria-expanded="true"]')];
  const go = () => {
    for (const item of some.splice(0, atOnce)) setOpen(item, open);
    if (some.length > 0) requestAnimationFrame(go);
  };
  go();
}

// reveal opens whatever an item is in.
function reveal(item) {
  for (let up = parentItem(item); up; up = parentItem(up)) setOpen(up, true);
}

function moveTo(item) {
  if (!item) return;
  if (current) current.tabIndex = -1;
  current = item;
  item.tabIndex = 0;
  item.focus({ preventScroll: true });
  item.firstElementChild.scrollIntoView({ block: "nearest" });
}

// rowFor is the row in which a thing is found; a step that is a heading has its own.
function rowFor(i) {
  return rowOf.get(i) || rowOf.get(things[i].owner) || rowOf.get(indexOf.get("step:" + things[i].step)) || null;
}

// select shows a thing everywhere: in the tree, the panel, the graph and the address.
function select(i, how = {}) {
  if (!(i >= 0 && i < things.length)) return;
  const before = tree.querySelector('[aria-selected="true"]');
  if (before) before.setAttribute("aria-selected", "false");
  selected = i;
  const item = rowFor(i);
  if (item) {
    reveal(item);
    item.setAttribute("aria-selected", "true");
    if (current) current.tabIndex = -1;
    current = item;
    item.tabIndex = 0;
    if (how.scroll !== false) item.firstElementChild.scrollIntoView({ block: "nearest" });
  }
  showPanel(i);
  markInGraph(i);
  clearTimeout(addressing);
  addressing = setTimeout(address, 250);
}

// The address names what is selected, so that a colleague can be sent to it and the
// browser's way back works. It follows when hands rest: to change it takes a while.
let addressing = 0;

function address() {
  const now = "#/" + encodeURIComponent(things[selected].id);
  if (location.hash !== now) location.hash = now;
}

function clicked(event) {
  const item = event.target.closest(".item");
  if (!item || event.target.closest("ul") !== item.parentElement && event.target.closest(".item") !== item) return;
  const i = Number(item.dataset.thing);
  const onTwist = event.target.closest(".twist") || i < 0;
  if (onTwist) setOpen(item, !isOpen(item));
  moveTo(item);
  if (i >= 0 && !event.target.closest(".twist")) {
    if (i === selected || !isOpen(item)) setOpen(item, i === selected ? !isOpen(item) : true);
    select(i);
  }
}

// visibleItems are the rows that aren't inside a closed one, in their order.
function neighbour(item, forward) {
  if (forward) {
    if (isOpen(item)) return item.querySelector(".item");
    for (let at = item; at; at = parentItem(at)) if (at.nextElementSibling) return at.nextElementSibling;
    return null;
  }
  let at = item.previousElementSibling;
  if (!at) return parentItem(item);
  while (isOpen(at)) at = at.lastElementChild.lastElementChild;
  return at;
}

// treeKey moves by a key; it says whether the key was one of the tree's.
function treeKey(key) {
  const item = current;
  if (!item) return false;
  const go = (to) => {
    if (!to) return;
    moveTo(to);
    const i = Number(to.dataset.thing);
    if (i >= 0 && !narrow.matches) select(i, { scroll: false });
  };
  switch (key) {
    case "ArrowDown": go(neighbour(item, true)); return true;
    case "ArrowUp": go(neighbour(item, false)); return true;
    case "ArrowRight":
      if (item.hasAttribute("aria-expanded") && !isOpen(item)) setOpen(item, true);
      else if (isOpen(item)) go(item.querySelector(".item"));
      return true;
    case "ArrowLeft":
      if (isOpen(item)) setOpen(item, false);
      else go(parentItem(item));
      return true;
    case "Home": go(tree.firstElementChild); return true;
    case "End": {
      let last = tree.lastElementChild;
      while (isOpen(last)) last = last.lastElementChild.lastElementChild;
      go(last);
      return true;
    }
    case "Enter":
    case " ":
      if (Number(item.dataset.thing) >= 0) {
        select(Number(item.dataset.thing));
        panel.focus();
      } else setOpen(item, !isOpen(item));
      return true;
  }
  return false;
}

const failures = things.flatMap((t, i) => (t.failure ? [i] : []));

// nextFailure goes to the failed attempt after the one that is selected.
function nextFailure() {
  if (failures.length === 0) return;
  const next = failures.find((i) => i > selected) ?? failures[0];
  showView("steps");
  select(next);
  moveTo(rowFor(next));
}
