"use strict";
// What the page knows: things (nodes of the trace graph), edges between them by index, and
// contents by digest. Strings in it came from models, programs and files. They reach the
// document as text nodes, as images' data: addresses, and in no other way.

const { things, edges, contents } = JSON.parse(document.getElementById("data").textContent);

const indexOf = new Map(things.map((t, i) => [t.id, i]));
const edgesFrom = things.map(() => []);
const edgesTo = things.map(() => []);
for (const e of edges) {
  edgesFrom[e.from].push(e);
  edgesTo[e.to].push(e);
}

const dataKinds = new Set(["used", "generated", "derived"]);

// sourcesOf are the things that a thing came from by data: what an attempt used, who made
// a value, what it was taken from.
function sourcesOf(i) {
  const out = [];
  for (const e of edgesFrom[i]) if (e.kind === "used" || e.kind === "derived") out.push(e.to);
  for (const e of edgesTo[i]) if (e.kind === "generated") out.push(e.from);
  return out;
}

// dependentsOf is the reverse of sourcesOf.
function dependentsOf(i) {
  const out = [];
  for (const e of edgesTo[i]) if (e.kind === "used" || e.kind === "derived") out.push(e.from);
  for (const e of edgesFrom[i]) if (e.kind === "generated") out.push(e.to);
  return out;
}

// digestsOf are the contents that are shown with a thing.
function digestsOf(t) {
  const all = (t.parts || []).map((p) => p.digest);
  for (const v of t.verdicts || []) if (v.reason) all.push(v.reason);
  return all;
}
