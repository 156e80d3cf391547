package ensemble_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"rlam/provenance/ensemble"
)

// TestNumbers has numbers computed by hand: 2, 4, 4, 4, 5, 5, 7, 9 with mean 5 and a sum of
// squares of 32, and t = 2.364624 for seven degrees of freedom from a table.
func TestNumbers(t *testing.T) {
	t.Parallel()
	r := summarise(t, results(`{"x":2}`, `{"x":4}`, `{"x":4}`, `{"x":4}`, `{"x":5}`, `{"x":5}`, `{"x":7}`, `{"x":9}`), ensemble.Options{Ensemble: "e"})
	n := field(t, r, "/x").Numbers
	sd := math.Sqrt(32.0 / 7)
	for name, c := range map[string][2]float64{
		"mean": {n.Mean, 5}, "sd": {*n.SD, sd}, "standard error": {*n.SE, sd / math.Sqrt(8)},
		"low": {n.Student.Low, 5 - 2.364624*sd/math.Sqrt(8)}, "high": {n.Student.High, 5 + 2.364624*sd/math.Sqrt(8)},
		"min": {n.Quantiles.Min, 2}, "2.5 %": {n.Quantiles.P2, 2.35}, "25 %": {n.Quantiles.P25, 4}, "median": {n.Quantiles.Median, 4.5},
		"75 %": {n.Quantiles.P75, 5.5}, "97.5 %": {n.Quantiles.P97, 8.65}, "max": {n.Quantiles.Max, 9},
	} {
		if math.Abs(c[0]-c[1]) > 1e-6 {
			t.Errorf("%s: %.9g, want %.9g", name, c[0], c[1])
		}
	}
	if n.N != 8 || n.Distinct != 5 || n.Without != "" {
		t.Errorf("n %d, distinct %d, without %q", n.N, n.Distinct, n.Without)
	}
	if b := n.Bootstrap; b.Method != "bca" || b.Low < 3.4 || b.Low > 4.2 || b.High < 6 || b.High > 7 {
		t.Errorf("the bootstrap interval %+v isn't near the other", *b)
	}
}

// TestFewNumbers says of few numbers, and of equal ones, why there is no interval.
func TestFewNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values             []string
		sd, student, boots bool
		without            string
	}{
		{[]string{"1"}, false, false, false, "one value"},
		{[]string{"1", "2"}, true, false, false, "needs 3 values"},
		{[]string{"1", "2", "3"}, true, true, false, "a bootstrap needs 8"},
		{[]string{"0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1", "0.1"}, true, false, false, "all 9 values are equal"},
		{[]string{"1.7e308", "-1.7e308", "1.7e308", "-1.7e308"}, false, false, false, "further apart"},
		{[]string{"1", "2", "3", "4", "5", "6", "7", "8"}, true, true, true, ""},
	} {
		var all []string
		for _, v := range c.values {
			all = append(all, `{"x":`+v+`}`)
		}
		r := summarise(t, results(all...), ensemble.Options{})
		n := field(t, r, "/x").Numbers
		if n.N != len(c.values) || (n.SD != nil) != c.sd || (n.Student != nil) != c.student || (n.Bootstrap != nil) != c.boots {
			t.Errorf("%v: %+v", c.values, *n)
		}
		if !strings.Contains(n.Without, c.without) || (c.without == "") != (n.Without == "") {
			t.Errorf("%v: %q, want %q", c.values, n.Without, c.without)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%v: %v", c.values, err)
		}
	}
}

// TestFields has results of every form, and counts who lacks what.
func TestFields(t *testing.T) {
	t.Parallel()
	digest := `"sha256:` + strings.Repeat("ab", 32) + `"`
	r := summarise(t, results(
		`{"n":1,"mixed":1,"a":{"b/c":[1,{"d":true}]},"plot":`+digest+`,"none":[]}`,
		`{"n":2,"mixed":"many","a":{"b/c":[2]},"plot":`+digest+`,"none":[]}`,
		`{"n":3,"mixed":"NaN","a":null,"none":{}}`,
		`{"n":4,"mixed":"-inf"}`,
	), ensemble.Options{Schema: json.RawMessage(`{"properties":{"n":{"title":"Count","unit":"1/s"},"a":{"properties":{"b/c":{"items":{"unit":"K"}}}}}}`)})
	var got []string
	for _, f := range r.Fields {
		line := fmt.Sprintf("%s %s in %d lacking %d unit %q", f.Pointer, f.Kind, f.In, f.Lacking, f.Unit)
		if f.Numbers != nil {
			line += fmt.Sprintf(" n %d unbounded %v", f.Numbers.N, f.Numbers.Unbounded)
		}
		if f.Values != nil {
			line += fmt.Sprintf(" %v", f.Values.Values)
		}
		got = append(got, line)
	}
	want := []string{
		`/a category in 1 lacking 3 unit "" [{null 1}]`,
		`/a/b~1c/0 number in 2 lacking 2 unit "K" n 2 unbounded []`,
		`/a/b~1c/1/d category in 1 lacking 3 unit "" [{true 1}]`,
		`/mixed mixed in 4 lacking 0 unit "" n 1 unbounded [{-Infinity 1} {NaN 1}] [{"many" 1}]`,
		`/n number in 4 lacking 0 unit "1/s" n 4 unbounded []`,
		`/none category in 3 lacking 1 unit "" [{[] 2} {{} 1}]`,
		`/plot artifact in 2 lacking 2 unit "" [{` + digest + ` 2}]`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if f := field(t, r, "/n"); f.Title != "Count" {
		t.Errorf("title %q", f.Title)
	}
}

// TestAbsent counts every member that no statistic is of, and says why.
func TestAbsent(t *testing.T) {
	t.Parallel()
	members := results(`{"x":1}`, `{"x":`, `{"x":1e999}`, ``)
	members = append(members,
		ensemble.Member{ID: "m5", Status: "failed", Failure: "no model"},
		ensemble.Member{ID: "m6", Status: "limit", Failure: "12 steps", Result: json.RawMessage(`{"x":100}`)},
		ensemble.Member{ID: "m7"},
	)
	r := summarise(t, members, ensemble.Options{})
	if r.Members != 7 || r.Results != 1 || len(r.Absent) != 6 {
		t.Errorf("%d members, %d results, %d absent", r.Members, r.Results, len(r.Absent))
	}
	if want := []ensemble.Count{{"completed", 4}, {"failed", 1}, {"limit", 1}, {"unknown", 1}}; !reflect.DeepEqual(r.Statuses, want) {
		t.Errorf("statuses %v, want %v", r.Statuses, want)
	}
	for i, want := range []string{"reading its result", "not held by a double", "without a result", "no model", "12 steps", "nobody said why"} {
		if got := r.Absent[i]; !strings.Contains(got.Failure, want) || got.Partial != (got.ID == "m6") {
			t.Errorf("%s: %q, partial %t, want %q", got.ID, got.Failure, got.Partial, want)
		}
	}
	if f := field(t, r, "/x"); f.In != 1 || f.Numbers.Mean != 1 {
		t.Errorf("a partial result counts: %+v", f.Part)
	}
}

// TestGroups parts members by what was varied, and not by seeds.
func TestGroups(t *testing.T) {
	t.Parallel()
	members := results(`{"x":1}`, `{"x":2}`, `{"x":3}`, `{"x":10}`, `{"x":"none"}`, `{}`)
	for i, m := range []string{`"b"`, `"b"`, ` "b" `, `"a"`, `"a"`, `"a"`} {
		members[i].Varied = []ensemble.Setting{{Path: "model", Value: json.RawMessage(m)}, {Path: "seed", Value: fmt.Append(nil, i)}}
	}
	members = append(members, ensemble.Member{ID: "m7", Status: "failed", Varied: members[0].Varied})
	r := summarise(t, members, ensemble.Options{})
	if len(r.Groups) != 2 || r.GroupLabel(0) != "model = b" || r.Groups[0].Members != 4 || r.Groups[0].Results != 3 || r.Groups[1].Results != 3 {
		t.Errorf("groups %+v", r.Groups)
	}
	parts := field(t, r, "/x").Groups
	if len(parts) != 2 || parts[0].Numbers.Mean != 2 || *parts[0].Numbers.SD != 1 || parts[1].Numbers.Mean != 10 || parts[1].Values.N != 1 || parts[1].Lacking != 1 {
		t.Errorf("parts %+v", parts)
	}
}

// TestCuts has results that are too wide, too long and too deep, each of which is told.
func TestCuts(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	wide := &strings.Builder{}
	for i := range 3000 {
		fmt.Fprintf(wide, `"f%d":%d,`, i, i)
	}
	items := strings.TrimSuffix(strings.Repeat("1,", 5000), ",")
	r := summarise(t, results(`{"deep":`+deep+`,"items":[`+items+`]}`, `{`+wide.String()+`"deep":1,"items":[1,2,3]}`, `{"deep":{"b":2},"items":[]}`), ensemble.Options{})
	var got []string
	for _, c := range r.Cuts {
		got = append(got, c.Words())
	}
	want := []string{
		"200 of 3024 fields have statistics, those that most results have; 2824 more have none",
		"/deep/a/a/a/a/a/a/a/a/a/a/a: what is below is compared as a whole (in 1 result)",
		"/items: the first 20 items have statistics, and 4980 more have none (the longest of 1 result)",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if f := field(t, r, "/items/2"); f.In != 2 || f.Lacking != 1 {
		t.Errorf("a field that most results have is cut: %+v", f.Part)
	}
}

// TestOrder gives members in another order, and gets the same bytes.
func TestOrder(t *testing.T) {
	t.Parallel()
	members := decays(40)
	write := func() string {
		r := summarise(t, members, ensemble.Options{Ensemble: "decays", Schema: []byte(schema)})
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(r); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := write()
	for range 3 {
		rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if write() != want {
			t.Fatal("another order of the members gives another report")
		}
	}
}

// TestRefused has what can't be summarised.
func TestRefused(t *testing.T) {
	t.Parallel()
	twice := results(`1`, `2`)
	twice[1].ID = "m1"
	bad := results(`1`)
	bad[0].Varied = []ensemble.Setting{{Path: "model", Value: json.RawMessage(`small`)}}
	for want, c := range map[string]struct {
		members []ensemble.Member
		schema  string
	}{
		`two members "m1"`: {members: twice}, `what member "m1" has for "model"`: {members: bad}, "schema of the ensemble's results": {schema: "{"},
	} {
		if _, err := ensemble.Summarise(c.members, ensemble.Options{Schema: json.RawMessage(c.schema)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestCSV has cells that a spreadsheet would compute, and text that looks like another value.
func TestCSV(t *testing.T) {
	t.Parallel()
	members := results(`{"a":"=1+1","b":1.5}`, `{"a":"true","b":"x, \"y\""}`, `{"a":"plain"}`)
	members[0].Varied = []ensemble.Setting{{Path: "model", Value: json.RawMessage(`"+large"`)}}
	members[0].Seed, members[0].RunID = 7, "e.m1"
	members = append(members, ensemble.Member{ID: "m4", Status: "failed", Failure: "@broken\nin two lines"})
	var b bytes.Buffer
	if err := summarise(t, members, ensemble.Options{}).WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	const want = `member,run_id,seed,status,failure,model,/a,/b
m1,e.m1,7,completed,,"""+large""","""=1+1""",1.5
m2,,0,completed,,,"""true""","x, ""y"""
m3,,0,completed,,,plain,
m4,,0,failed,"""@broken\nin two lines""",,,
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
