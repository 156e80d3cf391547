package faults_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/internal/record"
	"rlam/test/lab"
	"rlam/test/need"
	"rlam/workflows"
)

// fill writes a file until the file system is full, and returns how to free it.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	rand.Read(block)
	for err == nil {
		_, err = f.Write(block)
	}
	if f.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk fills the store's disk while an attempt is under way, frees it when that was
// noticed, and does the same in a model call: each time it is said, and the run goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	err := syscall.Mount("rlam-faults", mount, "tmpfs", 0, "size=16m")
	need.Need(t, "root", err == nil)
	t.Cleanup(func() { syscall.Unmount(mount, syscall.MNT_DETACH) })
	x := tryOn(t, lab.Server(t), filepath.Join(mount, "store"), script([]step{{held("a", "work")}, {call("b", "work")}}, nil, "a", "b"))
	gate := newTurnstile(t, x.modelURL, 0)
	x.worker("one", workerOptions{})
	r := x.start(map[string]string{"/planner/base_url": `"` + gate.url + `"`})

	x.begun("a", 1)
	free := fill(t, mount)
	x.open("a")
	r.await("the attempt fails", func() bool { return r.endOf("1.1#1") == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED })
	gate.close(1)
	free()
	r.noSpace("1.1#1")

	<-gate.arrived
	free = fill(t, mount)
	gate.let()
	r.await("the model call fails", func() bool { return r.endOf("2.plan#1") == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED })
	free()
	r.noSpace("2.plan#1")

	r.completed("a", "b")
	first := r.call("1.1").Attempts[0]
	if first.Status != record.AttemptLost || first.Error == nil || first.Error.Type != workflows.TypeStorage {
		t.Errorf("the first attempt is on record as %+v, want lost to %s", first, workflows.TypeStorage)
	}
	a := r.agree()
	if n := x.count("begin", "a"); n < 2 || a.Intents != a.Executed || a.Outcomes != 2 {
		t.Errorf("account %+v, %d executions of the first call", a, n)
	}
	// The first answer came, and could not be kept: it is on the journal as asked.
	if a.Answers != 3 || a.Turns < 4 || a.Requests != a.Turns {
		t.Errorf("account %+v, want 3 answers that were kept", a)
	}
}

// noSpace checks that an activity failed with words that say what to do.
func (r *run) noSpace(activity string) {
	r.t.Helper()
	_, closed := r.event(activity)
	f := closed.GetActivityTaskFailedEventAttributes().GetFailure()
	if typ := f.GetApplicationFailureInfo().GetType(); typ != workflows.TypeStorage || !strings.Contains(f.GetMessage(), "free some") {
		r.t.Errorf("%s failed as %s: %q, want %s and what to do", activity, typ, f.GetMessage(), workflows.TypeStorage)
	}
}
