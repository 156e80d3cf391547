package ensemble_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"rlam/provenance/ensemble"
)

// TestPlans has plans that part by an action, by a parameter, and by their ends.
func TestPlans(t *testing.T) {
	t.Parallel()
	read := step(1, "table.read", `{"data":"d"}`)
	fit := func(b1 int) ensemble.Call {
		return step(2, "fit", fmt.Sprintf(`{"start":{"b1":%d,"b2":7},"rows":[1,2]}`, b1))
	}
	plans := [][]ensemble.Call{
		{read, fit(1), step(3, "plot", `{}`)},
		{read, fit(1), step(3, "plot", `{}`)},
		{read, fit(2), step(3, "plot", `{}`)},
		{read, fit(1)},
		{read, step(2, "describe", `{}`), step(2, "plot", `{}`)},
		nil,
	}
	var members []ensemble.Member
	for i, plan := range plans {
		members = append(members, ensemble.Member{ID: fmt.Sprintf("m%d", i+1), Status: "failed", Plan: plan})
	}
	p := summarise(t, members, ensemble.Options{}).Plans
	if p.Members != 5 || p.Without != 1 || p.ByAction.Distinct != 3 || p.ByCall.Distinct != 4 {
		t.Errorf("%d members, %d without, %d and %d distinct", p.Members, p.Without, p.ByAction.Distinct, p.ByCall.Distinct)
	}
	if first := p.ByAction.Plans[0]; first.N != 3 || !reflect.DeepEqual(first.Members, []string{"m1", "m2", "m3"}) || ensemble.Sequence(first.Calls, 0) != "table.read → fit → plot" {
		t.Errorf("the most common plan: %+v", first)
	}
	for name, c := range map[string]struct {
		parting *ensemble.Branch
		want    string
	}{
		"actions": {p.ByAction.Parting, `5 step 1: table.read
  4 step 2: fit (1 end)
    3 step 3: plot
  1 step 2: describe → plot
`},
		"calls": {p.ByCall.Parting, `5 step 1: table.read
  3 step 2: fit (/start/b1 = 1) (1 end)
    2 step 3: plot
  1 step 2: fit → plot (/start/b1 = 2)
  1 step 2: describe → plot
`},
	} {
		if got := outline(*c.parting, 0); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

func outline(b ensemble.Branch, depth int) string {
	line := fmt.Sprintf("%s%d %s", strings.Repeat("  ", depth), b.Members, b.Words())
	if b.Ends > 0 {
		line += fmt.Sprintf(" (%d end)", b.Ends)
	}
	line += "\n"
	for _, next := range b.Next {
		line += outline(next, depth+1)
	}
	return line
}

// TestPlansOfAnySize has many plans and long ones: nobody is lost from the counts.
func TestPlansOfAnySize(t *testing.T) {
	t.Parallel()
	var members []ensemble.Member
	for i := range 1000 {
		m := ensemble.Member{ID: fmt.Sprintf("m%04d", i), Status: ensemble.Completed, Result: []byte(`{}`)}
		for j := range 30 {
			m.Plan = append(m.Plan, step(j+1, fmt.Sprintf("a%d", i>>(j%10)&1), fmt.Sprintf(`{"i":%d}`, i)))
		}
		members = append(members, m)
	}
	p := summarise(t, members, ensemble.Options{}).Plans
	if p.ByAction.Distinct != 1000 || p.ByCall.Distinct != 1000 || p.ByCall.More != 980 || p.ByCall.MoreN != 980 {
		t.Errorf("%d and %d distinct, %d not listed", p.ByAction.Distinct, p.ByCall.Distinct, p.ByCall.More)
	}
	for _, root := range []*ensemble.Branch{p.ByAction.Parting, p.ByCall.Parting} {
		branches := 0
		checkBranch(t, *root, &branches)
		if branches > 201 {
			t.Errorf("there are %d branches", branches)
		}
	}
}

// checkBranch counts the members of a branch again.
func checkBranch(t *testing.T, b ensemble.Branch, branches *int) {
	*branches++
	n := b.Ends + b.MoreN
	for _, next := range b.Next {
		checkBranch(t, next, branches)
		n += next.Members
	}
	if n != b.Members && (len(b.Next) > 0 || b.More > 0) {
		t.Errorf("a branch of %d members goes on with %d", b.Members, n)
	}
}
