package design

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func points(d *Design) []string {
	var out []string
	for _, p := range d.Points {
		var values []string
		for _, v := range p {
			values = append(values, string(v))
		}
		out = append(out, strings.Join(values, " "))
	}
	return out
}

func TestGrid(t *testing.T) {
	t.Parallel()
	d, err := Grid([]string{"seed=1,2", `fit/params/start=[1,2],{"a":"x,y"},"b,c",plain`}, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`1 [1,2]`, `1 {"a":"x,y"}`, `1 "b,c"`, `1 "plain"`, `2 [1,2]`, `2 {"a":"x,y"}`, `2 "b,c"`, `2 "plain"`}
	if got := points(d); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(d.Paths, []string{"seed", "fit/params/start"}) {
		t.Errorf("%q of %q", got, d.Paths)
	}
	if d, err := Grid(nil, 1); err != nil || len(d.Points) != 1 || len(d.Paths) != 0 {
		t.Errorf("nothing varied: %+v, %v", d, err)
	}
	for arg, says := range map[string]string{
		"seed": "want PATH=VALUE", "=1": "want PATH=VALUE", "a=1,": "value 2: the value is missing", "a=[1,2": "single quotes",
		"a=1,2,3,4": "at most 3", "a=1.0,1": "value 2 is value 1 again",
	} {
		_, err := Grid([]string{arg}, 3)
		if bad := (*Error)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", arg, err, says)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	d, err := Read("d.csv", strings.NewReader("\ufeffseed, model\r\n1,small\r\n\r\n2,\"\"\"4\"\"\"\r\n"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := points(d), []string{`1 "small"`, `2 "4"`}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, c := range []struct {
		point, path int
		want        string
	}{{-1, 1, "d.csv:1:7: model"}, {0, 1, "d.csv:2:3: model"}, {1, -1, "d.csv:4:1"}} {
		if got := d.Where(c.point, c.path); got != c.want {
			t.Errorf("point %d, path %d: %q, want %q", c.point, c.path, got, c.want)
		}
	}
	for text, says := range map[string]string{
		"": "d.csv: the file is empty", "seed\n": "no row below", "a,,b\n": "d.csv:1:3: column 2 has no name", "a,a\n": `d.csv:1:3: column 2 is named "a"`,
		"a,b\n1,2,3\n": "d.csv:2:5: fields: the row has 3, and the header 2", "a\n\"x\n": "d.csv:2:", "a,b\n1,\n": `column "b": the value is missing`,
		"a\n1\n2\n3\n": "d.csv:4:1: an ensemble has at most 2",
	} {
		_, err := Read("d.csv", strings.NewReader(text), 2)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// TestSeed holds the derivation that docs/ensembles.md gives.
func TestSeed(t *testing.T) {
	t.Parallel()
	if a := Seed(7, nil, nil, 1); a != 7425857241293995 {
		t.Errorf("the first repeat of seed 7 has seed %d: seeds that are on record would come out otherwise", a)
	}
	seen := map[uint64]bool{}
	for study := range uint64(3) {
		for _, point := range []string{"1", "2"} {
			for repeat := 1; repeat <= 100; repeat++ {
				s := Seed(study, []string{"x"}, []json.RawMessage{json.RawMessage(point)}, repeat)
				if s >= 1<<53 || seen[s] {
					t.Fatalf("seed %d comes twice, or is no number of JSON", s)
				}
				seen[s] = true
			}
		}
	}
}

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]Place{
		"model": {Model: true}, "seed": {Pointer: "/seed"}, "limits.steps": {Pointer: "/limits/steps"}, "limits/steps": {Pointer: "/limits/steps"},
		"/limits/steps": {Pointer: "/limits/steps"}, "fit/params/start/b1": {Call: "fit", Pointer: "/start/b1"}, "fit/params": {Call: "fit"},
	} {
		if got := PlaceOf(path); got != want {
			t.Errorf("%q leads to %+v, want %+v", path, got, want)
		}
	}
}
