//go:build linux || darwin

package faults_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rlam/test/need"
)

// TestWithoutIntentsTheEvidenceDoesNotAgree builds a worker that writes no intents, and shows
// that the comparison finds what is missing: the other tests of this package can fail.
func TestWithoutIntentsTheEvidenceDoesNotAgree(t *testing.T) {
	t.Parallel()
	tool := need.Program(t, "go")
	program := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.Context(), tool, "build", "-tags", "rlam_no_intents", "-o", program, "./subject/cmd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building a worker without intents: %v\n%s", err, out)
	}
	x := try(t, script([]step{{call("a", "work")}}, nil, "a"))
	x.worker("one", workerOptions{program: program})
	r := x.start(nil)
	x.begun("a", 1)
	// The call's outcome is there, and no intent: the engine itself can't go on from that.
	r.await("the next step fails", func() bool {
		_, closed := r.event("2.plan#1")
		return closed.GetActivityTaskFailedEventAttributes() != nil
	})
	if err := r.client.TerminateWorkflow(t.Context(), r.handle.GetID(), r.handle.GetRunID(), "the test has seen enough"); err != nil {
		t.Fatal(err)
	}
	a, findings, err := r.evidence().Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a.Executed != 1 || a.Intents != 0 {
		t.Errorf("account %+v, want one execution and no intent", a)
	}
	for _, want := range []string{
		"a: it ran 1 times and the journal has no intent of it",
		"reached the model, and the journal has no intent of it",
		"1.plan: the proposal on record names a turn that is not in the journal",
		".outcome: the journal holds it, and no intent came before",
	} {
		found := false
		for _, f := range findings {
			found = found || strings.Contains(f.String(), want)
		}
		if !found {
			t.Errorf("no finding says %q; there are %v", want, findings)
		}
	}
	if _, m := r.measure(); m.Completeness.Score() >= 1 || len(m.Completeness.Missing) == 0 {
		t.Errorf("the audit calls a run without intents complete: %+v", m.Completeness)
	}
}
