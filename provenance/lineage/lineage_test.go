package lineage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/provenance/graph"
	"rlam/provenance/lineage"
)

// digest is one that stands for a name.
func digest(name string) canon.Digest { return canon.Sum([]byte(name)) }

// chain is a run in which call 1.1 reads an input, 2.1 takes a part of what that gave, and
// the result a part of what 2.1 gave. Its input came from another run.
func chain() *lineage.Run {
	g := &graph.Graph{}
	contents := map[canon.Digest]json.RawMessage{}
	value := func(id, role string, step int, call, v string) *graph.Node {
		contents[digest(id)] = json.RawMessage(v)
		return g.Add(graph.Node{ID: id, Kind: graph.Value, Role: role, Step: step, Call: call, Digest: digest(id)})
	}
	in := g.Add(graph.Node{ID: "input:data", Kind: graph.Artifact, Role: "input", Name: "data"})
	other := g.Add(graph.Node{ID: "run:other", Kind: graph.Run, Name: "first", Digest: digest("first")})
	made := g.Add(graph.Node{ID: "elsewhere:x", Kind: graph.Value, Role: "elsewhere", Name: "/table", Source: "first"})
	g.Join(graph.Generated, other, made)
	g.Join(graph.Derived, in, made).Pointer = "/table"
	var before *graph.Node
	for step := 1; step <= 2; step++ {
		id := fmt.Sprintf("%d.1", step)
		plan := g.Add(graph.Node{ID: fmt.Sprintf("plan:%d#1", step), Kind: graph.Plan, Step: step, Model: "m"})
		call := g.Add(graph.Node{ID: "call:" + id, Kind: graph.Call, Step: step, Call: id, Name: "act@1", Status: "completed"})
		params := value("params:"+id, "params", step, id, `{"from":1,"set":{"a":1,"b":[2,3]}}`)
		g.Join(graph.Generated, plan, params)
		if step == 1 {
			g.Join(graph.Derived, params, in).At = "/from"
		} else {
			e := g.Join(graph.Derived, params, before)
			e.At, e.Pointer = "/set/b/1", "/x"
		}
		lost := g.Add(graph.Node{ID: "attempt:" + id + "#1", Kind: graph.Attempt, Step: step, Call: id, N: 1, Status: "lost", Failure: &graph.Failure{Type: "rlam.Lost"}})
		done := g.Add(graph.Node{ID: "attempt:" + id + "#2", Kind: graph.Attempt, Step: step, Call: id, N: 2, Status: "completed"})
		for _, a := range []*graph.Node{lost, done} {
			g.Join(graph.Informed, call, a)
			g.Join(graph.Used, a, params)
		}
		before = value("output:"+id+"#2", "output", step, id, `{"x":{"y":42},"z":7}`)
		g.Join(graph.Generated, done, before)
	}
	result := value("result", "result", 3, "", `{"n":42,"why":"because"}`)
	e := g.Join(graph.Derived, result, before)
	e.At, e.Pointer = "/n", "/x/y"
	return &lineage.Run{ID: "second", Record: digest("second"), Graph: g, Value: func(d canon.Digest) json.RawMessage { return contents[d] }}
}

// spell writes a tree in one line.
func spell(i *lineage.Item) string {
	s := i.ID + i.Pointer
	if len(i.Value) > 0 && i.Pointer != "" {
		s += "=" + string(i.Value)
	}
	if i.Again {
		return s + "^"
	}
	if i.Absent {
		s += "?"
	}
	for _, t := range i.Typed {
		s += fmt.Sprintf(" !%s=%s", t.At, t.Value)
	}
	var of []string
	for _, o := range i.Of {
		of = append(of, o.At+"<"+spell(o))
	}
	if len(of) > 0 {
		s += " (" + strings.Join(of, "; ") + ")"
	}
	return s
}

func TestFollow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target string
		d      lineage.Direction
		want   string
	}{
		{"result/n", lineage.Up, `result/n=42 (/n<output:2.1#2/x/y=42 !/from=1 !/set/a=1 !/set/b/0=2 (/set/b/1<output:1.1#2/x={"y":42} !/set={"a":1,"b":[2,3]} (/from<input:data (<elsewhere:x?))))`},
		{"result/why", lineage.Up, `result/why="because" !/why="because"`},
		{"1.1", lineage.Up, `call:1.1 !/set={"a":1,"b":[2,3]} (/from<input:data (<elsewhere:x?))`},
		{"2.1/params/set/b", lineage.Up, `params:2.1/set/b=[2,3] !/set/b/0=2 (/set/b/1<output:1.1#2/x={"y":42} !/set={"a":1,"b":[2,3]} (/from<input:data (<elsewhere:x?)))`},
		{"data", lineage.Down, `input:data (/from<call:1.1 (<output:1.1#2 (/set/b/1<call:2.1 (<output:2.1#2 (/n<result/n=42)))))`},
		{"1.1/output/z", lineage.Down, `output:1.1#2/z=7`},
		{"2.1#1", lineage.Down, `attempt:2.1#1`},
	} {
		r := chain()
		target, err := r.Find(c.target)
		if err != nil {
			t.Errorf("%s: %v", c.target, err)
			continue
		}
		i := lineage.World{r.Record: r}.Follow(target, c.d)
		if got := spell(i); got != c.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.target, c.d, got, c.want)
		}
		if got := i.Graph(c.d); len(got.Nodes) == 0 || len(got.Cycle()) > 0 {
			t.Errorf("%s as a graph: %+v", c.target, got)
		}
	}
}

// What an attempt was given stands once, whatever it made; and attempts before it are named.
func TestFollowTellsOnce(t *testing.T) {
	t.Parallel()
	r := chain()
	made := r.Graph.Add(graph.Node{ID: "artifact:2.1#2/plot.png", Kind: graph.Artifact, Name: "plot.png", Step: 2, Call: "2.1", Digest: digest("plot")})
	r.Graph.Join(graph.Generated, r.Graph.Node("attempt:2.1#2"), made)
	r.Graph.Join(graph.Derived, r.Graph.Node("result"), made).At = "/why"
	target, err := r.Find("result")
	if err != nil {
		t.Fatal(err)
	}
	i := lineage.World{r.Record: r}.Follow(target, lineage.Up)
	if len(i.Of) != 2 || i.Of[0].By.Again || !i.Of[1].By.Again || len(i.Of[1].Of) > 0 {
		t.Errorf("got %s", spell(i))
	}
	if got := i.Of[0].By.Before; !slices.Equal(got, []string{"lost: rlam.Lost"}) {
		t.Errorf("attempts before: %q", got)
	}
	if turn := i.Of[0].By.Turn; turn == nil || turn.Model != "m" || turn.Step != 2 {
		t.Errorf("proposed in %+v", turn)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	r := chain()
	for name, want := range map[string]string{
		"result": "result", "output:1.1#2": "output:1.1#2", "2.1#1": "attempt:2.1#1", "data": "input:data",
		"sha256:" + digest("output:2.1#2").Hex()[:10]: "output:2.1#2",
	} {
		if got, err := r.Find(name); err != nil || got.Node.ID != want {
			t.Errorf("%s is %+v, %v; want %s", name, got.Node, err, want)
		}
	}
	for _, name := range []string{"result/none", "3.1", "1.1/none.png", "1.1/output/none", "sha256:00", ""} {
		_, err := r.Find(name)
		var unknown *lineage.UnknownError
		if !errors.As(err, &unknown) || !slices.Contains(unknown.Known, "result/why") {
			t.Errorf("%q is found: %v", name, err)
		}
	}
	r.Graph.Add(graph.Node{ID: "artifact:1.1#2/data", Kind: graph.Artifact, Name: "data", Call: "1.1"})
	var ambiguous *lineage.AmbiguousError
	if _, err := r.Find("data"); !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Of, []string{"input:data", "1.1/data"}) {
		t.Errorf("data is %v", err)
	}
}
