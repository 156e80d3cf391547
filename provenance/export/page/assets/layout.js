"use strict";
// What of the graph is drawn, and where. Steps are collapsed into one node each; where
// there are many, blocks of steps are, so that a run of any length begins as a drawing of
// some thirty nodes. A click opens a node.

const blockSize = 30;
const blockLimit = 40; // nodes that a drawing may begin with
// stepKeys are the steps in the order of the run.
const stepKeys = [...new Set(things.filter((t) => t.step && (t.kind === "step" || t.kind === "plan")).map((t) => t.step))];
const stepPlace = new Map(stepKeys.map((key, n) => [key, n]));
const stepThings = new Map(stepKeys.map((key) => [key, []]));
things.forEach((t, i) => stepThings.get(t.step)?.push(i));

// levels is how many kinds of blocks there are: blocks of a level hold blockSize of the one
// below it; level 0 is steps.
let levels = 0;
for (let n = stepKeys.length; n > blockLimit; n = Math.ceil(n / blockSize)) levels++;

const opened = new Set(); // of block and step ids

function blockId(level, place) {
  return level === 0 ? "s:" + stepKeys[place] : "b:" + level + ":" + Math.floor(place / blockSize ** level);
}

// closedAt is the id of the step, or of the block of steps, that stands for all that is in
// a step; null if the step is open.
function closedAt(place) {
  for (let level = levels; level >= 0; level--) {
    const id = blockId(level, place);
    if (!opened.has(id)) return id;
  }
  return null;
}

// standIn is the id of the node that stands for a thing in a drawing, or null if nothing
// does: the thing itself where its step is open, else the step or a block of steps.
function standIn(i, drawn, closed = closedAt) {
  const t = things[i];
  const place = stepPlace.get(t.step);
  if (place === undefined || t.id === "result") return drawn(t) ? "t:" + i : null;
  const whole = closed(place);
  if (whole) return whole;
  if (drawn(t)) return "t:" + i;
  const owner = things[t.owner];
  return t.owner !== i && drawn(owner) && owner.step === t.step ? "t:" + t.owner : null;
}

const drawings = {
  data: {
    drawn: (t) => t.kind === "attempt" && t.role !== "engine" || t.kind === "plan" || t.kind === "artifact" && t.label !== "log" ||
      t.kind === "value" && t.role !== "prompt" && t.role !== "answer",
    edges: new Set(["used", "generated", "derived"]),
    legend: "Data flows along the arrows: ellipses are values and artifacts, boxes what made them. Dashed: the planner typed it instead of referring to it. Prompts and environments are in the details.",
  },
  process: {
    drawn: (t) => t.kind === "attempt" && t.role !== "engine" || t.kind === "plan" || t.kind === "call",
    edges: new Set(["informed", "retried", "recovered", "adopted", "reused"]),
    legend: "What came after what. Dashed: retries, and turns that got over a failure.",
  },
};

// backwards are kinds whose edge points from the later to the earlier.
const backwards = new Set(["used", "derived", "retried", "recovered", "adopted", "reused"]);

// drawing gives nodes and edges of what is open now.
function drawing(view) {
  const { drawn, edges: kinds } = drawings[view];
  const nodes = new Map();
  const arrows = new Map();
  const closed = stepKeys.map((_, place) => closedAt(place));
  const stands = things.map((t, i) => standIn(i, drawn, (place) => closed[place]));
  stands.forEach((id, i) => {
    if (!id || id.startsWith("t:") && view === "process" && !things[i].step) return;
    if (!nodes.has(id)) nodes.set(id, nodeOf(id, i));
    const n = nodes.get(id);
    if (!id.startsWith("t:")) n.failed += things[i].failure ? 1 : 0;
  });
  for (const e of edges) {
    if (!kinds.has(e.kind)) continue;
    let [a, b] = [stands[e.from], stands[e.to]];
    if (backwards.has(e.kind)) [a, b] = [b, a];
    // What a step came to is known where the step is one node; open, its attempts lead on
    // to the next turn themselves.
    if (!a || !b || a === b || !nodes.has(a) || !nodes.has(b)) continue;
    const soft = e.kind !== "informed" && !dataKinds.has(e.kind) || (e.note || "").includes("through the");
    const key = a + " " + b;
    const old = arrows.get(key);
    if (!old) arrows.set(key, { from: a, to: b, soft, n: 1 });
    else { old.soft = old.soft && soft; old.n++; }
  }
  if (view === "process") leadOn(nodes, arrows, stands);
  else dropAlone(nodes, arrows);
  return { nodes: [...nodes.values()], arrows: [...arrows.values()] };
}

// leadOn joins what a step ended with to the turn after it, where the step is open and so
// isn't a node.
function leadOn(nodes, arrows, stands) {
  for (const e of edges) {
    if (e.kind !== "informed" || things[e.from].kind !== "step" || things[e.to].kind !== "plan") continue;
    for (const before of edgesTo[e.from]) {
      const a = stands[before.from];
      const b = stands[e.to];
      if (before.kind !== "informed" || !a || !b || a === b || !nodes.has(a) || !nodes.has(b)) continue;
      if (things[before.from].kind === "plan" && edgesTo[e.from].length > 1) continue;
      if (!arrows.has(a + " " + b)) arrows.set(a + " " + b, { from: a, to: b, soft: false, n: 1 });
    }
  }
}

// dropAlone leaves out what no data joins to anything, except steps.
function dropAlone(nodes, arrows) {
  const joined = new Set();
  for (const a of arrows.values()) joined.add(a.from).add(a.to);
  for (const id of nodes.keys()) if (id.startsWith("t:") && !joined.has(id) && things[Number(id.slice(2))].role !== "input") nodes.delete(id);
}

function nodeOf(id, i) {
  const t = things[i];
  if (id.startsWith("t:")) {
    const parent = stepPlace.has(t.step) && t.id !== "result" ? "s:" + t.step : null;
    return { id, thing: i, label: t.label, kind: t.kind, status: t.status || "", failed: t.failure ? 1 : 0, parent };
  }
  if (id.startsWith("s:")) {
    const key = id.slice(2);
    const actions = stepThings.get(key).filter((j) => things[j].kind === "call").map((j) => things[j].label.replace(/^\S+ /, ""));
    const shown = [...new Set(actions)];
    const label = "Step " + key + (shown.length > 0 ? "\n" + shown.slice(0, 2).join(", ") + (shown.length > 2 ? " …" : "") : "");
    return { id, thing: indexOf.get("step:" + key) ?? i, label, kind: "step", status: "", failed: 0, parent: null };
  }
  const [, level, n] = id.split(":");
  const size = blockSize ** Number(level);
  const first = stepKeys[Number(n) * size];
  const last = stepKeys[Math.min((Number(n) + 1) * size, stepKeys.length) - 1];
  return { id, thing: -1, label: "Steps " + first + " to " + last, kind: "block", status: "", failed: 0, parent: null };
}

// place asks dagre for coordinates, and writes them to the nodes.
function place({ nodes, arrows }) {
  const g = new dagre.graphlib.Graph({ compound: true });
  g.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 34, marginx: 8, marginy: 8 });
  g.setDefaultEdgeLabel(() => ({}));
  for (const n of nodes) {
    const lines = n.label.split("\n");
    n.width = Math.min(230, 28 + 6.6 * Math.max(...lines.map((l) => Math.min(l.length, 30))));
    n.height = 14 + 15 * lines.length;
    g.setNode(n.id, { width: n.width, height: n.height });
  }
  const parents = new Map();
  for (const n of nodes) {
    if (!n.parent) continue;
    if (!parents.has(n.parent)) {
      parents.set(n.parent, { id: n.parent, label: "Step " + n.parent.slice(2), kind: "group", thing: indexOf.get("step:" + n.parent.slice(2)) ?? -1 });
      g.setNode(n.parent, {});
    }
    g.setParent(n.id, n.parent);
  }
  for (const a of arrows) g.setEdge(a.from, a.to);
  dagre.layout(g);
  for (const n of nodes) ({ x: n.x, y: n.y } = g.node(n.id));
  if (mirrored(nodes)) for (const n of nodes) n.x = -n.x;
  return [...parents.values()];
}

// mirrored says whether what came first stands more often on the right: dagre has no
// opinion on that, and a reader has.
function mirrored(nodes) {
  const rows = new Map();
  for (const n of nodes) {
    const y = Math.round(n.y / 10);
    if (!rows.has(y)) rows.set(y, []);
    rows.get(y).push(n);
  }
  let against = 0;
  for (const row of rows.values()) for (let k = 1; k < row.length; k++) against += Math.sign(row[k - 1].x - row[k].x);
  return against > 0;
}
