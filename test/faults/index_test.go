//go:build linux || darwin

package faults_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// defects are those that were found by running the prototype of the paper (arXiv 2601.09749),
// each with the tests that it can't happen here: "TestX" of this package, or "folder: TestX" of
// another. One without a test says where it belongs.
var defects = []struct {
	what  string
	tests []string
	not   string
}{
	{what: "immutability is shallow: inputs and results can be changed after they were logged", tests: []string{"TestWhatIsRecordedCantBeRewritten", "TestBitFlippedInAnArtifact", "TestBitFlippedInAPack", "../../internal/replay: TestTampered"}},
	{what: "replay hands out an alias of the trace", tests: []string{"TestReadersShareNothing", "../../activities/executor: TestOutputSharesNoMemoryWithTheHandler"}},
	{what: "a process that exits in the middle leaves no trace, and no record of intent", tests: []string{"TestKilledInAnAttempt", "TestKilledInAModelCall", "TestTerminated", "TestWithoutIntentsTheEvidenceDoesNotAgree"}},
	{what: "error types and chains are lost, partial outputs too", tests: []string{"TestErrorsKeepTypeMessageAndChain", "TestFailedAttemptsAreEvents", "TestCancelOfAProgram", "../../activities/executor: TestFailureSurvivesJSON"}},
	{what: "an output that was never computed is logged as success", tests: []string{"TestWhatWasNeverComputedIsNoSuccess", "../../activities/executor: TestWhatIsNoJSONIsNeverSuccess"}},
	{what: "replaying a failed action looks like a success that returned nothing", tests: []string{"TestAReplayedFailureIsAFailure"}},
	{what: "a child of a failed parent is accepted", tests: []string{"TestNothingFollowsFromAFailedCall", "../../schemas: TestVerdicts"}},
	{what: "non-determinism goes unnoticed", tests: []string{"TestTwoOutputsOfOneCallDiffer"}},
	{what: "the type of an action isn't bound to what runs; no version, digest, start or end", tests: []string{"TestAnActionIsBoundToWhatRan", "../../schemas: TestSpecAndBindingHaveDigestsOfTheirOwn"}},
	{what: "a fork is a prefix of one topological order", not: "there are no forks yet"},
	{what: "no trace id, parent trace or difference is recorded at a fork", not: "there are no forks yet"},
	{what: "edges are asserted by the caller", tests: []string{"TestEdgesComeFromReferences"}},
	{what: "serialisation is lossy", tests: []string{"TestNumbersAreNeverRounded", "TestWhatWasNeverComputedIsNoSuccess", "../../internal/canon: TestTransformRefusesWhatHasNoSingleMeaning"}},
	{what: "the environment hash is any string, and can't be compared piece by piece", tests: []string{"TestEnvironmentsAreComparedPieceByPiece", "../../activities/executor: TestEnvironmentSaysWhatRan"}},
	{what: "overhead that buys nothing durable", not: "measured in test/bench; what it buys is this package"},
}

// TestEveryDefectHasItsTests keeps the index true: a test that is named exists.
func TestEveryDefectHasItsTests(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{}
	for i, d := range defects {
		if len(d.tests) == 0 && d.not == "" {
			t.Errorf("defect %d (%s) has no test, and no reason", i+1, d.what)
		}
		for _, name := range d.tests {
			folder, test, elsewhere := strings.Cut(name, ": ")
			if !elsewhere {
				folder, test = ".", name
			}
			if known[folder] == nil {
				known[folder] = testsIn(t, folder)
			}
			if !known[folder][test] {
				t.Errorf("defect %d (%s): there is no %s in %q", i+1, d.what, test, folder)
			}
		}
	}
}

func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("tests in %q: %v (%v)", folder, files, err)
	}
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
