//go:build linux || darwin

package faults_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/test/faults/subject"
	"rlam/workflows"
)

// flip changes one bit of a file, in the middle of a text that it holds, and returns how to
// change it back.
func flip(t *testing.T, file, text string) (back func()) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(text))
	if at < 0 {
		t.Fatalf("%q doesn't hold %q", file, text)
	}
	change := func() {
		b[at+len(text)/2] ^= 1
		// What is in a store is read-only, and a disk that rots doesn't ask.
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	change()
	return change
}

func (x *trial) blobFile(d canon.Digest) string {
	return filepath.Join(x.storeDir, "blobs", "sha256", d.Hex())
}

// TestBitFlippedInAnArtifact lets an action read a file that changed on the disk: it gets an
// error that names the file, and never the bytes.
func TestBitFlippedInAnArtifact(t *testing.T) {
	t.Parallel()
	const text = "the third peak lies at 1604.5 wave numbers"
	x := try(t, script([]step{
		{call("s", "save", "text", text), held("w", "work")},
		{call("r", "read", "artifact", from("s", "/file"))},
	}, nil, "s"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	x.begun("w", 1)
	r.await("the file is saved", func() bool { return r.endOf("1.1#1") == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED })
	d := canon.Sum([]byte(text))
	flip(t, x.blobFile(d), text)
	x.open("w")
	r.completed("s")
	c := r.call("2.1")
	if c.Status != record.CallFailed || !c.Attempts[0].Output.IsZero() {
		t.Fatalf("the call that read it is on record as %+v", c)
	}
	f := value[executor.Failure](x, c.Attempts[0].Error.Detail)
	if !strings.Contains(f.Message, d.String()) || !strings.Contains(f.Message, "corrupt") {
		t.Errorf("it failed with %q, want words that name %s", f.Message, d)
	}
	r.agree()
}

// TestBitFlippedInAPack changes the output of a call on the disk, before a worker that
// doesn't know it yet must tell the planner of it. The planner is never told; with the bit
// back, the run goes on.
func TestBitFlippedInAPack(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}, {held("b", "work")}, {call("c", "work")}}, nil, "a", "b", "c"))
	one := x.worker("one", workerOptions{})
	r := x.start(nil)
	x.begun("b", 1)
	output := r.call("1.1").Attempts[0].Output
	one.kill()
	back := flip(t, x.blobFile(output)+"@p", subject.Digits("a"))
	x.open("b")
	x.worker("two", workerOptions{})
	r.await("planning fails", func() bool { return r.endOf("3.plan#1") == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED })
	_, closed := r.event("3.plan#1")
	failure := closed.GetActivityTaskFailedEventAttributes().GetFailure()
	if typ := failure.GetApplicationFailureInfo().GetType(); typ != workflows.TypeStorage || !strings.Contains(failure.GetMessage(), output.String()) {
		t.Errorf("planning failed as %s: %q, want %s and words that name %s", typ, failure.GetMessage(), workflows.TypeStorage, output)
	}
	if n := len(x.requests()); n != 2 {
		t.Errorf("the model was asked %d times, want 2: not with a damaged output", n)
	}
	back()
	r.completed("a", "b", "c")
	r.agree()
}
