"use strict";
// What produced a thing, and what depends on it: the closure over edges that carry data.

const trail = document.getElementById("trail");
const revealLimit = 80; // rows: of a longer lineage the steps are shown, closed as they are
let tracing = null; // {origin, direction, within: Set of things}

function closure(from, step) {
  const seen = new Set([from]);
  const todo = [from];
  while (todo.length > 0) {
    for (const j of step(todo.pop())) {
      if (!seen.has(j)) {
        seen.add(j);
        todo.push(j);
      }
    }
  }
  return seen;
}

// carriers are what a question about a row is about: an attempt and what it made, of a
// call its attempts, of a step its calls' attempts.
function carriers(i) {
  const t = things[i];
  if (t.kind === "call") return things.flatMap((x, j) => (x.kind === "attempt" && x.step === t.step && rowOf.get(i)?.contains(rowOf.get(j)) ? [j] : []));
  if (t.kind === "step") return things.flatMap((x, j) => ((x.kind === "attempt" || x.kind === "plan") && x.step === t.step ? [j] : []));
  return [i];
}

function trace(i, direction) {
  const within = new Set([i]);
  for (const from of carriers(i)) for (const j of closure(from, direction === "up" ? sourcesOf : dependentsOf)) within.add(j);
  tracing = { origin: i, direction, within };
  document.body.classList.add("tracing");
  for (const item of tree.querySelectorAll(".within, .origin")) item.classList.remove("within", "origin");
  const rows = new Set();
  for (const j of within) rows.add(rowFor(j));
  rows.delete(null);
  for (const row of rows) {
    for (let item = row; item && !item.classList.contains("within"); item = parentItem(item)) item.classList.add("within");
    if (rows.size <= revealLimit) reveal(row);
  }
  rowFor(i)?.classList.add("origin");
  tellTrail();
  traceInGraph();
  if (selected === i) showPanel(i);
}

// tellTrail says in words what is highlighted.
function tellTrail() {
  const { origin, direction, within } = tracing;
  const of = (kind, role) => Array.from(within).filter((j) => j !== origin && things[j].kind === kind && (!role || things[j].role === role)).length;
  const parts = [
    [of("attempt"), "attempt"], [of("plan"), "planner’s turn"], [of("artifact", "input"), "input"], [of("environment"), "environment"],
  ].filter(([n]) => n > 0).map(([n, what]) => count(n, what));
  const said = direction === "up" ? "produced by " : "goes into ";
  const nothing = direction === "up" ? "Nothing on record produced it." : "Nothing on record depends on it.";
  trail.replaceChildren(
    el("b", {}, things[origin].title),
    el("span", {}, parts.length > 0 ? said + parts.join(", ") : nothing),
    el("span", { class: "dim" }, "By data alone; what the planner had read stands in its prompts."),
    el("button", { class: "quiet", type: "button", onclick: endTrace }, "Clear"));
  trail.hidden = false;
}

function endTrace() {
  if (!tracing) return false;
  tracing = null;
  document.body.classList.remove("tracing");
  for (const item of tree.querySelectorAll(".within, .origin")) item.classList.remove("within", "origin");
  trail.hidden = true;
  traceInGraph();
  if (selected >= 0) for (const b of panel.querySelectorAll("[aria-pressed]")) b.setAttribute("aria-pressed", "false");
  return true;
}

function lineageButtons(i) {
  const t = things[i];
  if (["agent", "environment", "run"].includes(t.kind)) return el("div", {});
  const button = (direction, words) => el("button", {
    type: "button", "data-lineage": direction,
    "aria-pressed": String(tracing !== null && tracing.origin === i && tracing.direction === direction),
    onclick: () => (tracing && tracing.origin === i && tracing.direction === direction ? endTrace() : trace(i, direction)),
  }, words);
  return el("div", { class: "actions" }, button("up", "What produced this?"), button("down", "What depends on it?"));
}
