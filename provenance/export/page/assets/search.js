"use strict";
// Search over everything: titles, facts, failures, digests, and every text on the page.

const searchBox = document.getElementById("search");
const hitList = document.getElementById("hits");
const hitLimit = 50;
let hits = [];
let chosen = -1;
let sought = ""; // in lower case; what texts in the panel are marked with

const lowered = new Map(); // digest -> the content's text in lower case

function loweredContent(digest) {
  let text = lowered.get(digest);
  if (text === undefined) {
    const c = contents[digest];
    text = c && c.parts ? c.parts.map((p) => p.text).join("\n").toLowerCase() : "";
    lowered.set(digest, text);
  }
  return text;
}

let heads = null; // of things: what is said of them beside their contents, in lower case

function headOf(i) {
  if (!heads) {
    heads = things.map((t) => [t.title, t.id, plain(t.status), t.digest || "", t.failure ? t.failure.type + " " + (t.failure.message || "") : "",
      ...(t.facts || []).map((f) => f.name + " " + f.text), ...(t.parts || []).map((p) => p.digest)].join("\n").toLowerCase());
  }
  return heads[i];
}

// find gives hits: things whose head has the words come before those whose contents do.
// A content is one hit, of the thing that it is of.
function find(words) {
  const inHead = [];
  const inContent = [];
  const seen = new Set();
  for (let i = 0; i < things.length && inHead.length < hitLimit; i++) {
    const at = headOf(i).indexOf(words);
    if (at >= 0) inHead.push({ thing: i, snippet: things[i].title.toLowerCase().includes(words) ? "" : around(headOf(i), at, words.length) });
  }
  for (let i = 0; i < things.length && inHead.length + inContent.length < hitLimit; i++) {
    for (const digest of digestsOf(things[i])) {
      if (seen.has(digest)) continue;
      const text = loweredContent(digest);
      const at = text.indexOf(words);
      if (at < 0) continue;
      seen.add(digest);
      inContent.push({ thing: i, snippet: around(text, at, words.length) });
      break;
    }
  }
  return inHead.concat(inContent).slice(0, hitLimit);
}

function around(text, at, length) {
  const from = Math.max(0, at - 36);
  return (from > 0 ? "… " : "") + text.slice(from, at + length + 60).replace(/\s+/g, " ").trim();
}

// highlighted splits a text into text nodes and marks around what is sought.
function highlighted(text) {
  if (!sought) return [text];
  const low = text.toLowerCase();
  if (low.length !== text.length) return [text]; // lower case moved the places
  const out = [];
  let at = 0;
  for (let found = low.indexOf(sought); found >= 0 && out.length < 400; found = low.indexOf(sought, at)) {
    out.push(text.slice(at, found), el("mark", {}, text.slice(found, found + sought.length)));
    at = found + sought.length;
  }
  out.push(text.slice(at));
  return out;
}

function search() {
  sought = searchBox.value.trim().toLowerCase();
  chosen = -1;
  if (!sought) return closeHits();
  hits = find(sought);
  hitList.replaceChildren(...hits.map((h, n) => el("div", { class: "hit", role: "option", id: "hit-" + n, "aria-selected": "false", onclick: () => take(n) },
    things[h.thing].title, h.snippet ? el("span", { class: "snippet" }, ...highlighted(h.snippet)) : null)));
  if (hits.length === 0) hitList.replaceChildren(el("div", { class: "hit", role: "option" }, "Nothing on this page has these characters."));
  if (hits.length === hitLimit) hitList.append(el("div", { class: "hit small" }, "The first " + hitLimit + "; more letters find less."));
  hitList.hidden = false;
  searchBox.setAttribute("aria-expanded", "true");
}

function closeHits() {
  hitList.hidden = true;
  searchBox.setAttribute("aria-expanded", "false");
  searchBox.removeAttribute("aria-activedescendant");
}

function choose(n) {
  if (hits.length === 0) return;
  hitList.children[chosen]?.setAttribute("aria-selected", "false");
  chosen = (n + hits.length) % hits.length;
  const option = hitList.children[chosen];
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  searchBox.setAttribute("aria-activedescendant", option.id);
}

function take(n) {
  if (!hits[n]) return;
  closeHits();
  select(hits[n].thing);
  const row = rowFor(hits[n].thing);
  if (row && shownView === "steps") moveTo(row);
  panel.querySelector("mark")?.scrollIntoView({ block: "nearest" });
}

function searchKey(event) {
  switch (event.key) {
    case "ArrowDown": choose(chosen + 1); break;
    case "ArrowUp": choose(chosen - 1); break;
    case "Enter": take(Math.max(chosen, 0)); break;
    case "Escape":
      if (hitList.hidden && searchBox.value === "") { searchBox.blur(); if (current) moveTo(current); }
      searchBox.value = "";
      sought = "";
      closeHits();
      break;
    default: return;
  }
  event.preventDefault();
  event.stopPropagation();
}
