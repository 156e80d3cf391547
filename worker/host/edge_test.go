package host

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// another puts a run that has ended into a store: with a step that made table.csv, and,
// unless it is empty, a result in which TABLE stands for its handle and DATA for that of
// an input of which the run keeps no bytes.
func another(t *testing.T, s store.Store, id string, status record.Status, result string) canon.Digest {
	t.Helper()
	begun, err := Begin(t.Context(), s, load(t, map[string]string{
		"study.yaml": strings.Replace(study, "{file: data.csv}", "{file: data.csv, keep: digest}", 1), "data.csv": "x,y\n1,2\n",
	}), BeginOptions{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	table := []byte("a,b\n1,2\n")
	put := func(rec any) canon.Digest {
		d, blob, err := record.Encode(rec)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob, table}}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	attempt := record.AttemptRecord{N: 1, Status: record.AttemptCompleted, Artifacts: []record.Artifact{{Name: "table.csv", Digest: canon.Sum(table), Size: int64(len(table))}}}
	failed := record.AttemptRecord{N: 1, Status: record.AttemptFailed, Artifacts: []record.Artifact{{Name: "half.csv", Digest: canon.Sum(table)}}}
	step := put(&record.Step{Kind: record.KindStep, Parent: begun.Run, Index: 1, Calls: []record.CallRecord{
		{Call: record.Call{ID: "1.1"}, Status: record.CallCompleted, Attempts: []record.AttemptRecord{attempt}},
		{Call: record.Call{ID: "1.2"}, Status: record.CallFailed, Attempts: []record.AttemptRecord{failed}},
	}})
	seal := &record.Seal{Kind: record.KindSeal, Parent: step, Status: status}
	if result != "" {
		ref, blob, err := record.NewSecret().Content(json.RawMessage(
			strings.NewReplacer("TABLE", canon.Sum(table).String(), "DATA", canon.Sum([]byte("x,y\n1,2\n")).String()).Replace(result)))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
			t.Fatal(err)
		}
		seal.Result = ref.Digest
	}
	archive(t, s, begun.Run, "first", time.Unix(100, 0), workflows.StudyResult{Status: status, Head: put(seal)})
	return begun.Run
}

// archive keeps a history that consists of the event that closes it; terminated, if r has no status.
func archive(t *testing.T, s store.Store, run canon.Digest, temporalRun string, at time.Time, r workflows.StudyResult) {
	t.Helper()
	payloads, err := DataConverter().ToPayloads(r)
	if err != nil {
		t.Fatal(err)
	}
	e := &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, EventTime: timestamppb.New(at)}
	e.Attributes = &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads},
	}
	if r.Status == "" {
		e = &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, EventTime: timestamppb.New(at)}
	}
	b, err := proto.Marshal(&historypb.History{Events: []*historypb.HistoryEvent{e}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.PutIfAbsent(t.Context(), s, record.HistoryKey(run, temporalRun), []byte(canon.Sum(b).String()), b); err != nil {
		t.Fatal(err)
	}
}

// startWith begins a run with one input, and gives what its record pins.
func startWith(t *testing.T, s store.Store, input string) (record.Input, error) {
	t.Helper()
	begun, err := Begin(t.Context(), s, load(t, map[string]string{
		"study.yaml": strings.Replace(study, "{file: data.csv}", input, 1), "data.csv": "x,y\n1,2\n",
	}), BeginOptions{ID: "next"})
	if err != nil {
		return record.Input{}, err
	}
	var run record.Run
	if err := record.Load(t.Context(), s, begun.Run, &run); err != nil {
		t.Fatal(err)
	}
	if len(run.Inputs) != 1 {
		t.Fatalf("%d inputs", len(run.Inputs))
	}
	return run.Inputs[0], nil
}

func TestWhatAnotherRunLeftIsAnInput(t *testing.T) {
	t.Parallel()
	table := "a,b\n1,2\n"
	for name, c := range map[string]struct {
		output, bytes, media string
	}{
		"the whole result":  {`""`, `{"list":[1,2],"sum":"sha256:` + strings.Repeat("0", 64) + `","table":"` + canon.Sum([]byte(table)).String() + `"}`, "application/json"},
		"a part of it":      {"/list/1", "2", "application/json"},
		"a handle":          {"/table", table, "text/csv"},
		"a mere checksum":   {"/sum", `"sha256:` + strings.Repeat("0", 64) + `"`, "application/json"},
		"a call's artifact": {"1.1/table.csv", table, "text/csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store.Mem{}
			run := another(t, s, "first", record.Completed, `{"table": "TABLE", "list": [1, 2.0], "sum": "sha256:`+strings.Repeat("0", 64)+`"}`)
			for _, by := range []string{"first", run.String()} {
				in, err := startWith(t, s, "{run: \""+by+"\", output: "+c.output+"}")
				if err != nil {
					t.Fatal(err)
				}
				kept, err := store.Read(t.Context(), s, in.Digest, 1000)
				if err != nil || string(kept) != c.bytes || in.Size != int64(len(c.bytes)) || in.MediaType != c.media {
					t.Errorf("the input is %q (%s, %d bytes, %s), want %q; %v", kept, in.Digest, in.Size, in.MediaType, c.bytes, err)
				}
				want := record.Origin{ID: "first", Run: run, Output: strings.Trim(c.output, `"`)}
				if got := *in.From; got.Head.IsZero() || got != (record.Origin{ID: want.ID, Run: want.Run, Head: got.Head, Output: want.Output}) {
					t.Errorf("the edge is %+v, want %+v", got, want)
				}
			}
		})
	}
}

func TestWhatAnotherRunLeftIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		input, says string
		prepare     func(*testing.T, store.Store)
	}{
		"no such run":     {input: "{run: frist}", says: `there is no run "frist" in the store (did you mean "first"?)`},
		"no such record":  {input: "{run: \"" + canon.Sum(nil).String() + "\"}", says: "there is no run with the record"},
		"several":         {input: "{run: first}", says: `2 runs of the store have the id "first"`, prepare: func(t *testing.T, s store.Store) { another(t, s, "first", record.Completed, `{}`) }},
		"no value":        {input: "{run: first, output: /lits}", says: `(did you mean "list"?)`},
		"no artifact":     {input: "{run: first, output: 1.1/tabel.csv}", says: `(did you mean "1.1/table.csv"?)`},
		"of a failure":    {input: "{run: first, output: 1.2/half.csv}", says: "of a call that completed"},
		"without result":  {input: "{run: cut, output: /list}", says: `run "cut" ended as limit_reached, without a result`},
		"terminated":      {input: "{run: ended}", says: "was terminated, and left no seal"},
		"nobody knows":    {input: "{run: open}", says: "nothing tells how run"},
		"another digest":  {input: "{run: first, output: /list, digest: \"" + canon.Sum(nil).String() + "\"}", says: "and the study says " + canon.Sum(nil).String()},
		"bytes elsewhere": {input: "{run: first, output: /gone}", says: "that run kept none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store.Mem{}
			another(t, s, "first", record.Completed, `{"list": [1, 2], "gone": "DATA"}`)
			another(t, s, "cut", record.LimitReached, "")
			for _, id := range []string{"ended", "open"} {
				begun, err := Begin(t.Context(), s, load(t, map[string]string{"study.yaml": study, "data.csv": "x\n"}), BeginOptions{ID: id})
				if err != nil {
					t.Fatal(err)
				}
				if id == "ended" {
					archive(t, s, begun.Run, "first", time.Unix(1, 0), workflows.StudyResult{})
				}
			}
			if c.prepare != nil {
				c.prepare(t, s)
			}
			_, err := startWith(t, s, c.input)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "/inputs/data/") {
				t.Errorf("it says %v, want %q in it", err, c.says)
			}
		})
	}
}

// A run that a limit ended may have left a result all the same: then it is said to be partial.
func TestAPartialResultIsSaidToBeOne(t *testing.T) {
	t.Parallel()
	s := &store.Mem{}
	another(t, s, "cut", record.LimitReached, `{"rows": 2}`)
	in, err := startWith(t, s, "{run: cut, output: /rows}")
	if err != nil || in.From.Ended != record.LimitReached {
		t.Errorf("%+v, %v", in, err)
	}
}

// A reset leaves several ends, of which the last counts.
func TestTheLastEndOfARunCounts(t *testing.T) {
	t.Parallel()
	s := &store.Mem{}
	run := another(t, s, "first", record.Completed, `{"rows": 2}`)
	d, blob, err := record.Encode(&record.Seal{Kind: record.KindSeal, Parent: run, Status: record.NoResult})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Commit(t.Context(), store.Batch{Blobs: [][]byte{blob}}); err != nil {
		t.Fatal(err)
	}
	archive(t, s, run, "second", time.Unix(200, 0), workflows.StudyResult{Status: record.NoResult, Head: d})
	if _, err := startWith(t, s, "{run: first, output: /rows}"); err == nil || !strings.Contains(err.Error(), "no_result") {
		t.Errorf("%v", err)
	}
}

func TestHowAFileIsKept(t *testing.T) {
	t.Parallel()
	data := canon.Sum([]byte("x,y\n1,2\n"))
	for name, c := range map[string]struct {
		input  string
		keep   record.Keep
		stored bool
		unseen bool
	}{
		"a copy":        {input: "{file: data.csv}", stored: true},
		"by reference":  {input: "{file: data.csv, keep: reference}", keep: record.KeepReference},
		"by its digest": {input: "{file: data.csv, keep: digest}", keep: record.KeepDigest},
		"given":         {input: "{given: {source: a book}, keep: digest, digest: \"" + data.String() + "\"}", keep: record.KeepDigest, unseen: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store.Mem{}
			in, err := startWith(t, s, c.input)
			if err != nil {
				t.Fatal(err)
			}
			_, missing := s.Get(t.Context(), data)
			if in.Digest != data || in.Keep != c.keep || in.Unseen != c.unseen || (missing == nil) != c.stored {
				t.Errorf("%+v; in the store: %v", in, missing)
			}
			if (in.Path != "") != (c.keep == record.KeepReference) || (in.Given != nil) != c.unseen || (in.Size == 0) != c.unseen {
				t.Errorf("%+v", in)
			}
		})
	}
}

// An input is spelled as it was before it could be kept otherwise: older records stay what they are.
func TestACopyIsSpelledAsBefore(t *testing.T) {
	t.Parallel()
	a := record.Artifact{Name: "data", Digest: canon.Sum(nil), Size: 3, MediaType: "text/csv"}
	before, err := canon.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := canon.Marshal(record.Input{Artifact: a}); err != nil || string(now) != string(before) {
		t.Errorf("%s, %v; want %s", now, err, before)
	}
}

func TestAChangedFileIsRefusedBeforeAnythingIsStored(t *testing.T) {
	t.Parallel()
	_, err := startWith(t, &store.Mem{}, "{file: data.csv, keep: reference, digest: \""+canon.Sum(nil).String()+"\"}")
	var problems schemas.Problems
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Pointer != "/inputs/data/digest" {
		t.Fatalf("%v", err)
	}
	for _, d := range []canon.Digest{canon.Sum(nil), canon.Sum([]byte("x,y\n1,2\n"))} {
		if !strings.Contains(problems[0].Message, d.String()) {
			t.Errorf("%q doesn't name %s", problems[0].Message, d)
		}
	}
}
