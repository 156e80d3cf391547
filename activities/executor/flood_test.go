//go:build linux || darwin

package executor_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/store"
	"rlam/schemas"
)

// Five gigabytes on stdout, half in lines and half in one line without an end, with
// patterns looked for in them: what the worker allocates in all stays far below that, and
// the log says what it doesn't hold. The test isn't parallel, so that nothing else allocates.
func TestAFloodOnStdoutLeavesMemoryFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 5 GB from a pipe")
	}
	const half, kept = 2_500_000_000, 1 << 20
	blobs := &store.Mem{}
	task := wrap(t, `{}`, fmt.Sprintf(`
		yes "iteration of no interest: residual 1.0E-03, and so on, as programs print" | head -c %d
		echo; echo "! energy = -15.5 Ry"
		head -c %d /dev/zero
		echo; echo "converged after 7 iterations"`, half, half), schemas.Command{
		Result: map[string]schemas.Extract{
			"energy": {Pattern: `^!\s+energy\s+=\s+(\S+) Ry`},
			"after":  {Pattern: `converged after (\d+)`},
		},
		Errors: []schemas.ErrorRule{{Pattern: `Error in routine (\w+)`, Type: "qe.Error"}},
	})
	task.Returns = object(`"energy":{"type":"number"},"after":{"type":"integer"}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, f := outcome(t, newSet(t, executor.Config{Blobs: blobs, MaxLog: kept}), task)
	runtime.ReadMemStats(&after)
	if f != nil || string(r.Output) != `{"after":7,"energy":-15.5}` {
		t.Fatalf("output %s, %v", r.Output, f)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d MB were allocated", n>>20)
	}
	log := text(t, blobs, r.Log.Digest)
	if want := fmt.Sprintf("rlam: %d more bytes were not kept\n", 2*half+len("\n! energy = -15.5 Ry\n\nconverged after 7 iterations\n")-kept); !strings.HasSuffix(log, want) || len(log) > kept+100 {
		t.Errorf("the log has %d bytes and ends %q, want %q", len(log), log[len(log)-80:], want)
	}
}
