"use strict";
// Making elements. Whatever a run said is given as a string among the children, and so
// becomes a text node.

function el(name, properties, ...children) {
  const e = document.createElement(name);
  for (const [key, v] of Object.entries(properties || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), v);
    else if (key === "class") e.className = v;
    else e.setAttribute(key, v === true ? "" : v);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
  return e;
}

const marks = new Set(Array.from(document.querySelectorAll("symbol"), (s) => s.id));

// mark is the drawing of a status; nothing for one that has none.
function mark(status) {
  if (!marks.has("mark-" + status)) return null;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "mark " + status);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#mark-" + status);
  svg.append(use);
  return svg;
}

function plain(status) {
  return String(status || "").replaceAll("_", " ");
}

function bytes(n) {
  if (n < 1e3) return n + " B";
  if (n < 1e6) return (n / 1e3).toFixed(1) + " kB";
  return (n / 1e6).toFixed(1) + " MB";
}

// digestButton shows a digest and copies it.
function digestButton(digest) {
  const b = el("button", { class: "digest", type: "button", title: "Copy", "aria-label": "Copy digest " + digest }, digest);
  b.addEventListener("click", async () => {
    let done = "copied";
    try {
      await navigator.clipboard.writeText(digest);
    } catch {
      getSelection().selectAllChildren(b); // the browser lets no page copy: leave it to the reader
      done = "selected";
    }
    if (done === "copied") {
      b.textContent = "copied";
      setTimeout(() => (b.textContent = digest), 900);
    }
  });
  return b;
}

const rendered = new Intl.NumberFormat("en");

function count(n, what) {
  return rendered.format(n) + " " + what + (n === 1 ? "" : "s");
}
