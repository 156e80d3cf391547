// Package schemas holds what a person writes for R-LAM, and the gate that every
// proposal of a planner passes before anything runs.
//
// # Files
//
// A study ([Study]), an action ([Action] and, under the key "run", its
// [Binding]) and a plan ([Plan]) are YAML 1.2 or JSON. They are read strictly:
// each unknown key, wrong type, duplicate key and number that a double can't
// hold is a [Problem] with file, line, column, JSON pointer and, where one is
// close, the valid name. All problems of a file are reported together. The keys
// of the three kinds are written down as JSON Schemas in meta/, which the loader
// itself validates against and which editors can use.
//
// YAML is narrowed to what JSON can say: no anchors, no merge keys, no tags but
// the core ones, one document, string keys. "1e-8" is a number; "y", "no" and
// dates are strings.
//
// # Specs and bindings
//
// An action's spec (everything but "run") and its binding (what carries it out)
// have digests of their own, each of its canonical JSON; the scripts a command
// names enter the binding by content. A [Bound] is both, compiled. A [Registry]
// finds the actions that a study lists.
//
// # The gate
//
// [Gate.Judge] is a pure function from proposed calls and [Facts] to verdicts:
//
//	parse → references → schema → preconditions → policy → limits (→ approval)
//
// Expressions (preconditions, a policy's rules) are CEL, typed by the schemas of
// what they read; [FactsSchema] is that of everything but params and inputs. Limits
// are held by a call from its admission to its end, in the order of the calls.
// [Facts.Turn] decides whether the planner may be asked at all, and
// [Facts.Remaining] says what is left.
//
// A refused call says what was wrong, where, and what would be accepted. A call
// whose parameters refer to another call of the same step is deferred where its
// values matter, and judged again when they are known. Each [Verdict] names the
// gate's version and the digest of the facts it judged.
//
// The package reads files and knows neither Temporal nor executors. JSON Schema
// validators are imported by validate.go alone, and never fetch anything.
package schemas
