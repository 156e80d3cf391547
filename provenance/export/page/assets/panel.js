"use strict";
// The panel: all that is known of the thing that is selected.

const panel = document.getElementById("panel");
const narrow = matchMedia("(max-width: 62rem)");

const kindNames = {
  run: "run", step: "step", plan: "planner’s turn", call: "call", attempt: "attempt", value: "value",
  artifact: "artifact", agent: "agent", environment: "environment", approval: "approval",
};

function showPanel(i) {
  const t = things[i];
  panel.replaceChildren(
    el("button", { class: "shut quiet", type: "button", onclick: closePanel }, "Close"),
    el("h2", {}, t.title),
    el("p", { class: "kind" }, mark(t.status), [kindNames[t.kind] || t.kind, plain(t.status)].filter(Boolean).join(", ")),
    ...(t.failure ? [el("p", { class: "failure" }, el("b", {}, t.failure.type), t.failure.message || "It left no message.")] : []),
    lineageButtons(i),
    factList(t),
    ...sections(i),
    ...relations(i),
  );
  panel.scrollTop = 0;
  panel.classList.add("shown");
}

function hint() {
  panel.replaceChildren(el("p", { class: "hint" },
    "Choose a step, a call, an attempt or a node of the graph, and what is known of it is shown here: prompt, answer, parameters, verdicts, output, environment and log. ",
    el("kbd", {}, "?"), " lists the keys."));
  panel.classList.remove("shown");
}

function closePanel() {
  panel.classList.remove("shown");
  if (current && narrow.matches) moveTo(current);
}

function factList(t) {
  const list = el("dl", { class: "facts" });
  for (const f of t.facts || []) list.append(el("dt", {}, f.name), el("dd", {}, f.mono ? el("code", {}, f.text) : f.text));
  if (t.digest) list.append(el("dt", {}, "Digest"), el("dd", {}, digestButton(t.digest)));
  return list;
}

// shownWith are the edges whose ends are shown with a thing, under headings of their own:
// a reader looks for the output there, and not two clicks further.
const shownWith = { attempt: ["generated", "used"], plan: ["used", "generated"] };

function sections(i) {
  const t = things[i];
  const out = [];
  if (t.kind === "call") {
    for (const j of paramsOf(i)) out.push(...valueSection(j, false));
    out.push(...verdictSection(t));
  }
  if (t.kind === "step") for (const j of answersOf(t.step)) out.push(...valueSection(j, false));
  for (const p of t.parts || []) out.push(...contentSection(p.name === "Content" ? "" : p.name, p.digest, i, collapsedParts.has(p.name)));
  for (const kind of shownWith[t.kind] || []) {
    for (const e of edgesFrom[i]) {
      if (e.kind === kind && things[e.to].role !== "params" || e.kind === kind && t.kind === "attempt") out.push(...valueSection(e.to, things[e.to].kind === "environment"));
    }
  }
  return out.filter(Boolean);
}

const collapsedParts = new Set(["Formal schema of the action", "What carries it out", "Study", "Environment"]);

function paramsOf(call) {
  return things.flatMap((t, j) => (t.role === "params" && t.owner === call ? [j] : []));
}

function answersOf(step) {
  return things.flatMap((t, j) => (t.role === "answer" && t.step === step ? [j] : []));
}

function valueSection(j, closed) {
  const t = things[j];
  const digest = t.parts && t.parts.length > 0 ? t.parts[0].digest : t.digest;
  if (!digest) return [];
  return contentSection(t.title, digest, j, closed);
}

// contentSection shows a content under a heading that leads to the thing it is of.
function contentSection(title, digest, of, closed) {
  const c = contents[digest];
  const body = el("div", {});
  const heading = !title && digest === things[of].digest ? null : el("h3", {}, title && of !== selected ? el("button", { class: "quiet", type: "button", onclick: () => select(of) }, title) : title, digestButton(digest));
  if (closed) {
    const more = el("details", { class: "message" }, el("summary", {}, "Show"), body);
    more.addEventListener("toggle", () => { if (more.open && !body.firstChild) body.append(...contentBody(c)); });
    return [heading, more];
  }
  body.append(...contentBody(c));
  return [heading, body];
}

function contentBody(c) {
  if (!c) return [el("p", { class: "state" }, "Its content isn’t part of this page.")];
  const out = [];
  if (c.state !== "present") {
    const said = { withheld: "Withheld: left out on purpose. Its digest stands above.", missing: "Missing: the store hasn’t its bytes.", spoilt: "Spoilt: the bytes in the store aren’t what was recorded." };
    out.push(el("p", { class: "state" }, said[c.state] || c.state), c.state === "withheld" ? null : el("p", { class: "small" }, c.why || ""));
  } else if (c.why) {
    out.push(el("p", { class: "state" }, c.why + (c.size ? " " + bytes(c.size) + "." : "")));
  }
  if (c.image) out.push(el("img", { src: c.image, alt: "" }));
  if (c.after && contents[c.after]) {
    const earlier = el("details", { class: "message" }, el("summary", {}, "What it had been sent before"));
    earlier.addEventListener("toggle", () => { if (earlier.open && earlier.children.length === 1) earlier.append(...contentBody(contents[c.after])); });
    out.push(earlier);
  }
  for (const p of c.parts || []) out.push(...textPart(p));
  return out.filter(Boolean);
}

const closedMessages = new Set(["system", "as received", "circumstances"]);

function textPart(p) {
  const pre = el("pre", { tabindex: "0" }, ...highlighted(p.text));
  const note = p.cut ? el("p", { class: "small" }, (p.end ? "The end of " : "The beginning of ") + bytes(p.cut) + ".") : null;
  if (!p.title) return [pre, note];
  return [el("details", { class: "message", open: !closedMessages.has(p.title) }, el("summary", {}, p.title), pre, note)];
}

function verdictSection(t) {
  if (!t.verdicts || t.verdicts.length === 0) return [];
  const body = el("tbody", {});
  for (const v of t.verdicts) {
    const reason = v.reason ? contents[v.reason] : null;
    const told = reason && reason.parts ? reason.parts.map((p) => p.text).join("\n") : reason ? reason.state : "";
    const facts = v.facts ? el("details", { class: "message" }, el("summary", {}, "digest of the facts"), digestButton(v.facts)) : null;
    body.append(el("tr", {},
      el("td", {}, mark(v.decision), v.gate, v.version ? el("span", { class: "dim" }, " v" + v.version) : null),
      el("td", {}, plain(v.decision) + (v.again ? ", when its sources had run" : "") + (v.rule ? ": " + v.rule : ""), told ? el("div", {}, told) : null, facts)));
  }
  return [el("h3", {}, "Verdicts"), el("table", { class: "verdicts" }, body)];
}

// Sentences of edges, as read from their beginning and from their end.
const sentences = {
  used: ["used", "used by"], generated: ["made", "made by"], derived: ["taken from", "went into"],
  informed: ["then", "after"], retried: ["retry of", "tried again"], recovered: ["got over", "got over by"],
  adopted: ["adopted from", "adopted by"], reused: ["answered from", "answered"], forked: ["forked from", "forked as"],
  reset: ["reset from", "reset to"], continued: ["continues", "continued as"],
  associatedWith: ["by", "did"], actedOnBehalfOf: ["for", "acted through"],
};
const relationLimit = 40;

function relations(i) {
  const rows = [];
  for (const e of edgesFrom[i]) rows.push([(sentences[e.kind] || [e.kind])[0], e.to, e.note]);
  for (const e of edgesTo[i]) rows.push([(sentences[e.kind] || ["", e.kind])[1], e.from, e.note]);
  if (rows.length === 0) return [];
  const list = el("ul", { class: "links" });
  const add = (some) => {
    for (const [how, j, note] of some) {
      list.append(el("li", {}, el("span", { class: "how" }, how), el("span", {},
        el("button", { type: "button", onclick: () => select(j) }, things[j].title), note ? el("span", { class: "dim" }, " " + note) : null)));
    }
  };
  add(rows.slice(0, relationLimit));
  if (rows.length > relationLimit) {
    const more = el("button", { type: "button", onclick: () => { more.parentElement.remove(); add(rows.slice(relationLimit)); } }, count(rows.length - relationLimit, "more link"));
    list.append(el("li", {}, more));
  }
  return [el("h3", {}, "Links"), list];
}
