package change

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	seven := uint64(7)
	got, err := Parse(Arguments{
		Set:    []string{`3.1/params/start/b1=0.25`, `fit2/output={"a": 1.0}`, `2.1/params/name=plain words`, `2.1/params/a~1b=""`},
		Inputs: []string{"y=b.csv", "x=a=b.csv"}, Model: "m", Instruct: "Look again.", Seed: "7",
		Limits: []string{"steps=40", "wall_time=2h", "actions.fit=3"}, Policy: "p.yaml", Drop: []string{"fit"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Changes{
		Edits: []Edit{
			{"3.1", Params, "/start/b1", json.RawMessage(`0.25`)},
			{"fit2", Output, "", json.RawMessage(`{"a":1}`)},
			{"2.1", Params, "/name", json.RawMessage(`"plain words"`)},
			{"2.1", Params, "/a~1b", json.RawMessage(`""`)},
		},
		Inputs: []Input{{"x", "a=b.csv"}, {"y", "b.csv"}}, Model: "m", Instruct: "Look again.", Seed: &seven,
		Limits: []Limit{{"actions/fit", json.RawMessage(`3`)}, {"steps", json.RawMessage(`40`)}, {"wall_time", json.RawMessage(`"2h"`)}},
		Policy: "p.yaml", Drop: []string{"fit"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.IsZero() || !(Changes{}).IsZero() {
		t.Error("only what changes nothing is zero")
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a    Arguments
		says string
	}{
		{Arguments{Set: []string{"3.1/params/x"}}, "want CALL/params/path=JSON"},
		{Arguments{Set: []string{"/params/x=1"}}, "want CALL/params/path=JSON"},
		{Arguments{Set: []string{"3.1/param/x=1"}}, "want CALL/params/path=JSON"},
		{Arguments{Set: []string{"3.1=1"}}, "want CALL/params/path=JSON"},
		{Arguments{Set: []string{"3.1/params/x="}}, "the value is missing"},
		{Arguments{Set: []string{"3.1/params/x=[1,"}}, "in single quotes"},
		{Arguments{Set: []string{"3.1/params/x={}}"}}, "in single quotes"},
		{Arguments{Set: []string{"3.1/params/x~2=1"}}, `"~" is followed by 0`},
		{Arguments{Set: []string{"3.1/params/x=1e999"}}, ""},
		{Arguments{Set: []string{"3.1/params/x=1", "3.1/params/x/y=2"}}, "changed twice"},
		{Arguments{Inputs: []string{"x"}}, "want NAME=FILE"},
		{Arguments{Inputs: []string{"x=a", "x=b"}}, "given twice"},
		{Arguments{Seed: "-1"}, "want a whole number"},
		{Arguments{Limits: []string{"steps"}}, "such as steps=40"},
		{Arguments{Limits: []string{"steps=1", "steps=2"}}, "given twice"},
		{Arguments{Drop: []string{"a", "a"}}, "once"},
	} {
		got, err := Parse(c.a)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) || !got.IsZero() {
			t.Errorf("%+v: %+v, %v; want an error that says %q", c.a, got, err, c.says)
		}
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	const doc = `{"a":{"b":[1,{"c":2}]},"d/e":3,"~":4}`
	for _, c := range []struct {
		pointer, value string
		add            bool
		want           string
		nearest        []string
	}{
		{pointer: "", value: "[ 7 ]", want: "[7]"},
		{pointer: "/a/b/1/c", value: "9", want: `{"a":{"b":[1,{"c":9}]},"d/e":3,"~":4}`},
		{pointer: "/d~1e", value: "9", want: `{"a":{"b":[1,{"c":2}]},"d/e":9,"~":4}`},
		{pointer: "/~0", value: "null", want: `{"a":{"b":[1,{"c":2}]},"d/e":3,"~":null}`},
		{pointer: "/a/x", value: "9", add: true, want: `{"a":{"b":[1,{"c":2}],"x":9},"d/e":3,"~":4}`},
		{pointer: "/a/x", value: "9", nearest: []string{"/a/b"}},
		{pointer: "/x/y", value: "9", add: true, nearest: []string{"/a", "/d~1e", "/~0"}},
		{pointer: "/a/b/2", value: "9", add: true, nearest: []string{"/a/b/0", "/a/b/1"}},
		{pointer: "/a/b/01", value: "9", nearest: []string{"/a/b/0", "/a/b/1"}},
		{pointer: "/a/b/0/c", value: "9", nearest: nil},
	} {
		got, err := Put(json.RawMessage(doc), c.pointer, json.RawMessage(c.value), c.add)
		var none *NoPlaceError
		switch {
		case c.want != "" && (err != nil || string(got) != c.want):
			t.Errorf("%q: %s, %v; want %s", c.pointer, got, err, c.want)
		case c.want == "" && (!errors.As(err, &none) || !reflect.DeepEqual(none.Have, c.nearest)):
			t.Errorf("%q: %s, %v (%+v); want nothing, and %q", c.pointer, got, err, none, c.nearest)
		}
	}
}

// FuzzParse holds that what is read can be typed again, and that putting a value where it
// is said to go leaves it there.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"3.1/params/start/b1=0.25", "a/output=[]", "1.1/params/~01/x=\"\"", "1.1/output/=3", "x/params/a=b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(Arguments{Set: []string{text}})
		if err != nil {
			return
		}
		e := c.Edits[0]
		again, err := Parse(Arguments{Set: []string{e.Place() + "=" + string(e.Value)}})
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%q is %+v, and typed again %+v (%v)", text, c, again, err)
		}
		doc, err := Put(json.RawMessage(`{}`), e.Pointer, e.Value, true)
		if err != nil {
			return // it leads deeper than there is anything
		}
		if twice, err := Put(doc, e.Pointer, e.Value, false); err != nil || string(twice) != string(doc) {
			t.Fatalf("%q put twice: %s, then %s (%v)", text, doc, twice, err)
		}
	})
}
