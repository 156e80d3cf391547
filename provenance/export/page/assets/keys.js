"use strict";
// The keyboard. Keys of one letter work wherever no text is being written.

const help = document.getElementById("keys");

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const at = event.target;
  if (at === searchBox) return searchKey(event);
  if (at.closest?.('[role="tablist"]') && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    turnTab(event.key === "ArrowRight" ? 1 : -1);
  } else if (event.key === "Escape") {
    escaped();
  } else if (at.closest?.("#tree") && treeKey(event.key)) {
    // the tree has moved
  } else if (!letter(event.key)) {
    return;
  }
  event.preventDefault();
}

const views = ["steps", "data", "process"];

function turnTab(by) {
  const next = views[(views.indexOf(shownView) + by + views.length) % views.length];
  showView(next);
  document.getElementById("tab-" + next).focus();
}

function letter(key) {
  switch (key) {
    case "/": searchBox.focus(); searchBox.select(); return true;
    case "?": help.showModal(); return true;
    case "f": nextFailure(); return true;
    case "u": case "d":
      if (selected >= 0) trace(selected, key === "u" ? "up" : "down");
      return true;
    case "1": case "2": case "3": showView(views[Number(key) - 1]); return true;
    case "ArrowDown": case "ArrowUp":
      if (document.activeElement !== document.body || shownView !== "steps" || !current) return false;
      moveTo(current);
      return true;
  }
  return false;
}

// escaped goes back by one: from the list of hits, a lineage, the details.
function escaped() {
  if (!hitList.hidden) return closeHits();
  if (endTrace()) return;
  if (panel.contains(document.activeElement) || panel.classList.contains("shown") && narrow.matches) {
    closePanel();
    if (current) moveTo(current);
  }
}
