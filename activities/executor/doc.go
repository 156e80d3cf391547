// Package executor carries out one attempt of one call.
//
// What carries it out is named by the action's binding: a handler in Go that the
// worker registered ([Typed], the authors' API), or a program of this machine. To the
// engine both are an [Executor]: Start gives a [Handle], which is journalled before
// Wait, and Collect gives a [Result] or a [*Failure]. A [Set] is all executors of a
// worker.
//
// Nothing here decides whether a call may run, whether its output is what the action
// promised, or whether it is tried again: gates, schemas and the workflow do. Nothing
// here isolates: a handler is part of the worker, a program has the rights of the
// worker's user, and an [Env] says "none".
//
// # The contract with a program
//
// A program runs in a folder of its own, which is new for each attempt, without a shell,
// in a session of its own without a terminal, and reads what the binding's "stdin" names,
// or nothing.
//
//	params.json   the parameters, canonical JSON
//	inputs/…      a file for each parameter that the action's schema marks with
//	              "format": "artifact"; params.json has its path in place of the handle
//	FILE          the binding's scripts, by their names, and the files of its "in",
//	              read-only
//	tmp/          for temporary files
//
// The program writes
//
//	result.json   the output, if the binding has no "result": strict JSON of at most
//	              1 MiB. A string that the action's returns schema marks with "format":
//	              "artifact" is the path of a file in the folder. The file becomes an
//	              artifact of that name, and the string its handle. The media type is the
//	              schema's "contentMediaType", or goes by the name's extension.
//	error.json    optional: {"type": "lab.OutOfRange", "message": "…"}, how it failed.
//	              The attempt has failed even if the program exits with status 0.
//	              The output, if there is one, is kept as partial.
//	FILE          what the binding's "out" names becomes an artifact: a file, those that
//	              match a pattern, or a folder (see package tree).
//
// With "result", the output's members are read from stdout, stderr and files, by pattern,
// JSON pointer or cell of a table, and their text as the type that the returns schema
// states. Streams are looked at as they come, line by line, and no more than a line is
// held. What isn't found is an rlam.InvalidOutput that says what was looked for, and
// where. "errors" tells failures the same way, "progress" how far it is.
//
// Paths are relative, within the folder, and no part of them is a link; a file with a
// second name is refused. Whatever else is in the folder is not kept. A missing or broken
// result.json after exit status 0 is an rlam.InvalidOutput. What the program prints, on
// stdout and stderr, is its log, up to a size; "stdout" keeps all of it as an artifact.
//
// In command lines and templates, {params.NAME} stands for a parameter that is a string,
// number or boolean (an artifact's path, if it is one), {seed} for the seed and {cpus} for
// the number of processors. A value has no control character. In a command line it stays
// part of the one argument, and can't become an option: a text that begins with "-" needs
// something before it in the argument, or an earlier argument "--". The program's name has
// no placeholder; it is a path, or looked up in the PATH of the environment below.
//
// The environment holds PATH (the worker's setting), HOME (the folder), TMPDIR, TZ=UTC,
// LC_ALL=C.UTF-8, PYTHONHASHSEED=0, SOURCE_DATE_EPOCH=315532800 (1980, the first year
// that zip knows), OMP_NUM_THREADS (1, or the task's processors); RLAM_CALL, RLAM_ATTEMPT,
// RLAM_IDEMPOTENCY_KEY, RLAM_SEED (of a seeded action), RLAM_EXECUTION (a random mark by
// which leftovers are found); then what the binding adds by "env", which may replace all
// but HOME, TMPDIR and RLAM_…, and what it lets through by "pass". The values of what is
// let through are replaced by [NAME] in the log.
//
// When the program ends, everything that it started and left behind is ended. A cancelled
// or overdue program and all its processes get SIGTERM, and SIGKILL a second later. On
// Linux, a process that left the group is found by its mark; one that also wiped its
// environment and lost its parent is not, and neither is one of another user.
package executor
