"use strict";
// The graph on its canvas: cytoscape draws what layout.js gives.

const canvas = document.getElementById("canvas");
const legend = document.getElementById("legend");
let cy = null;
let shownView = "steps";

function colour(name) {
  // The canvas knows no custom properties: a probe resolves them for the theme in force.
  const probe = colour.probe || (colour.probe = document.body.appendChild(el("span", { hidden: true })));
  probe.style.color = "var(--" + name + ")";
  return getComputedStyle(probe).color;
}

function graphStyle() {
  const [ink, soft, rule, accent, tint, bad, good, sheet, sunk, warn] =
    ["ink", "soft", "rule", "accent", "tint", "bad", "good", "sheet", "sunk", "warn"].map(colour);
  return [
    { selector: "node", style: {
      label: "data(label)", "font-family": getComputedStyle(document.body).fontFamily, "font-size": 11.5, color: ink, "text-valign": "center", "text-halign": "center",
      "text-wrap": "wrap", "line-height": 1.25, "text-max-width": 210, shape: "round-rectangle", "background-color": sheet, "border-width": 1.2, "border-color": soft,
    } },
    { selector: "node[width]", style: { width: "data(width)", height: "data(height)" } },
    { selector: 'node[kind = "value"], node[kind = "artifact"]', style: { shape: "ellipse", "border-color": accent, "background-color": tint } },
    { selector: 'node[kind = "step"], node[kind = "block"]', style: { "background-color": sunk } },
    { selector: 'node[kind = "block"]', style: { "border-style": "double", "border-width": 4 } },
    { selector: 'node[kind = "group"]', style: {
      "background-color": sunk, "background-opacity": 0.6, "border-color": rule, "text-valign": "top", "text-halign": "center", color: soft, "font-size": 11, padding: 12,
    } },
    { selector: 'node[kind = "plan"]', style: { "border-style": "dotted" } },
    { selector: 'node[status = "completed"][kind = "attempt"]', style: { "border-color": good } },
    { selector: 'node[status = "refused"]', style: { "border-style": "dashed" } },
    { selector: "node[failed > 0]", style: { "border-color": bad } },
    { selector: 'node[failed > 0][kind = "attempt"]', style: { "border-width": 2, color: bad } },
    { selector: "edge", style: {
      width: 1.2, "line-color": soft, "target-arrow-color": soft, "target-arrow-shape": "triangle", "arrow-scale": 0.8, "curve-style": "bezier", opacity: 0.75,
    } },
    { selector: "edge[?soft]", style: { "line-style": "dashed", "line-color": warn, "target-arrow-color": warn } },
    { selector: ".faded", style: { opacity: 0.18 } },
    { selector: "node.origin", style: { "border-width": 3, "border-color": accent } },
    { selector: "node:selected", style: { "border-width": 3, "border-color": accent } },
  ];
}

// The drawings in which nothing is open are computed while nobody waits for them, and kept:
// start.js.
const closedDrawings = new Map();

function laidOut(view) {
  if (opened.size === 0 && closedDrawings.has(view)) return closedDrawings.get(view);
  const picture = drawing(view);
  const parents = place(picture);
  if (opened.size === 0) closedDrawings.set(view, { picture, parents });
  return { picture, parents };
}

// draw lays out anew what is open. What was just opened, keep, is in view.
function draw(keep) {
  const { picture, parents } = laidOut(shownView);
  const elements = [
    ...parents.map((p) => ({ group: "nodes", data: p })),
    ...picture.nodes.map((n) => ({ group: "nodes", data: n.parent ? n : { ...n, parent: undefined }, position: { x: n.x, y: n.y } })),
    ...picture.arrows.map((a) => ({ group: "edges", data: { id: a.from + " " + a.to, source: a.from, target: a.to, soft: a.soft } })),
  ];
  if (!cy) {
    cy = cytoscape({ container: canvas, style: graphStyle(), elements, layout: { name: "preset" }, minZoom: 0.05, maxZoom: 3, autoungrabify: true, boxSelectionEnabled: false });
    cy.on("tap", "node", (event) => tapped(event.target));
  } else {
    cy.batch(() => {
      cy.elements().remove();
      cy.add(elements);
    });
  }
  legend.textContent = drawings[shownView].legend + " A click opens a step; a click on an open step’s frame closes it.";
  fitGraph();
  if (keep && fitted() < 0.45) { // too large to be seen as a whole: go where a hand was
    const inside = cy.nodes().filter((n) => n.id() === keep || n.data("parent") === keep);
    if (inside.nonempty()) cy.center(inside);
  }
  markInGraph(selected);
  traceInGraph();
}

// fitted is the scale at which all of the graph can be seen.
function fitted() {
  const box = cy.elements().boundingBox();
  return Math.min(1.15, (cy.width() - 48) / box.w, (cy.height() - 48) / box.h);
}

// fitGraph shows the graph as a whole; a long one is begun at its beginning, and not as dust.
function fitGraph() {
  const whole = fitted();
  if (whole >= 0.45) {
    cy.zoom(whole);
    cy.center();
    return;
  }
  cy.zoom(0.75);
  const box = cy.elements().boundingBox();
  cy.pan({ x: cy.width() / 2 - 0.75 * (box.x1 + box.x2) / 2, y: 16 - 0.75 * box.y1 });
}

function tapped(node) {
  const { id, kind, thing } = node.data();
  if (kind === "block" || kind === "step") {
    opened.add(id);
    draw(id);
  } else if (kind === "group") {
    opened.delete(id);
    draw(id);
  }
  if (thing >= 0) select(thing, { scroll: false });
}

// markInGraph rings the node that stands for what is selected.
function markInGraph(i) {
  if (!cy || shownView === "steps" || i < 0) return;
  cy.nodes(":selected").unselect();
  const id = standIn(i, drawings[shownView].drawn);
  if (id) cy.getElementById(id).select();
}

// traceInGraph fades what is no part of the lineage that is shown.
function traceInGraph() {
  if (!cy || shownView === "steps") return;
  cy.batch(() => {
    cy.elements().removeClass("faded origin");
    if (!tracing) return;
    const stands = new Set();
    for (const j of tracing.within) stands.add(standIn(j, drawings[shownView].drawn));
    cy.nodes().forEach((n) => { if (!stands.has(n.id()) && n.data("kind") !== "group") n.addClass("faded"); });
    cy.edges().forEach((e) => { if (!stands.has(e.source().id()) || !stands.has(e.target().id())) e.addClass("faded"); });
    const origin = standIn(tracing.origin, drawings[shownView].drawn);
    if (origin) cy.getElementById(origin).addClass("origin");
  });
}

function showView(view) {
  if (view === shownView) return;
  shownView = view;
  for (const name of ["steps", "data", "process"]) {
    const tab = document.getElementById("tab-" + name);
    tab.setAttribute("aria-selected", String(name === view));
    tab.tabIndex = name === view ? 0 : -1;
  }
  document.getElementById("steps").hidden = view !== "steps";
  const graph = document.getElementById("graph");
  graph.hidden = view === "steps";
  graph.setAttribute("aria-labelledby", "tab-" + view);
  if (view !== "steps") draw();
}

function restyle() {
  if (cy) cy.style(graphStyle());
}
