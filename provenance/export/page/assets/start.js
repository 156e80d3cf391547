"use strict";
// Joins the parts when all of them are there.

if (current) current.tabIndex = 0;
hint();

tree.addEventListener("click", clicked);
document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => { if (!event.target.closest(".find")) closeHits(); });
searchBox.addEventListener("input", search);
searchBox.addEventListener("focus", () => { if (searchBox.value) search(); });

for (const view of views) document.getElementById("tab-" + view).addEventListener("click", () => showView(view));
document.getElementById("next-failure")?.addEventListener("click", nextFailure);
document.getElementById("open-all").addEventListener("click", () => openAll(true));
document.getElementById("close-all").addEventListener("click", () => openAll(false));
document.getElementById("help").addEventListener("click", () => help.showModal());
document.getElementById("fit").addEventListener("click", fitGraph);
document.getElementById("collapse").addEventListener("click", () => { opened.clear(); draw(); });
for (const [id, by] of [["zoom-in", 1.3], ["zoom-out", 1 / 1.3]]) {
  document.getElementById(id).addEventListener("click", () => cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } }));
}

// Light and dark: the system's, until the button says otherwise.
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
}
function nameTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  restyle();
}
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();

for (const b of document.querySelectorAll("button.goto")) {
  b.addEventListener("click", () => {
    const i = b.dataset.id ? indexOf.get(b.dataset.id) : Number(b.dataset.thing);
    if (i === undefined) return;
    select(i);
    if (b.dataset.lineage) trace(i, b.dataset.lineage);
    document.querySelector(".toolbar").scrollIntoView({ block: "start" });
  });
}

// follow selects what the address names: see tree.js.
function follow() {
  if (!location.hash.startsWith("#/")) return;
  let id = "";
  try {
    id = decodeURIComponent(location.hash.slice(2));
  } catch {
    return;
  }
  const i = indexOf.get(id);
  if (i !== undefined && i !== selected) select(i);
}
addEventListener("hashchange", follow);
follow();
for (const view of ["data", "process"]) (window.requestIdleCallback || setTimeout)(() => laidOut(view));
addEventListener("beforeprint", () => openAll(true, Infinity));
document.documentElement.dataset.ready = "";
