// Reads a crate with two programs of others, offline, and prints what they saw as JSON:
//
//   node read.js FOLDER
//
// jsonld expands the metadata in its safe mode, in which a term that no context defines,
// and any other value that would fall away, is an error. ro-crate loads it as its users do.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const jsonld = require("jsonld");
const { ROCrate } = require("ro-crate");
const { standardContexts } = require("ro-crate/lib/defaults");

// The published context has a term that JSON-LD 1.1 reserves and leaves out.
const { "@label": reserved, ...terms } = standardContexts["https://w3id.org/ro/crate/1.1/context"]["@context"];

const contexts = {
  "https://w3id.org/ro/crate/1.1/context": { "@context": terms },
  "https://w3id.org/ro/terms/workflow-run/context": JSON.parse(fs.readFileSync(path.join(__dirname, "run-context.json"), "utf8")),
};

async function documentLoader(url) {
  if (!contexts[url]) throw new Error(`the crate asks for ${url}, which no profile names`);
  return { contextUrl: null, documentUrl: url, document: contexts[url] };
}

async function main(folder) {
  const metadata = JSON.parse(fs.readFileSync(path.join(folder, "ro-crate-metadata.json"), "utf8"));
  const expanded = await jsonld.expand(metadata, { base: "https://crate.invalid/", documentLoader, safe: true });
  const members = {};
  for (const e of expanded) members[e["@id"]] = Object.keys(e).length;

  const crate = new ROCrate(metadata, { array: true, link: true });
  const actions = [...crate.entities()]
    .filter((e) => e["@type"].includes("CreateAction"))
    .map((e) => ({
      id: e["@id"],
      instrument: e.instrument?.[0]?.name?.[0],
      agent: e.agent?.[0]?.["@type"]?.[0],
      status: e.actionStatus?.[0],
      error: e.error?.[0],
      results: e.result?.length ?? 0,
    }));
  console.log(JSON.stringify({
    members,
    actions,
    name: crate.rootDataset?.name?.[0],
    workflow: crate.rootDataset?.mainEntity?.[0]?.["@type"],
    steps: crate.rootDataset?.mainEntity?.[0]?.step?.length ?? 0,
    parts: crate.rootDataset?.hasPart?.map((e) => e["@id"]) ?? [],
  }));
}

main(process.argv[2]).catch((err) => {
  console.error(err.details ? `${err.message}: ${JSON.stringify(err.details)}` : err);
  process.exit(1);
});
