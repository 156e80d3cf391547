package expected

import (
	"fmt"
	"slices"
	"strings"

	"rlam/internal/record"
)

// Story tells a chain, a line for each call ("4.1 fit.nonlinear completed", "2.1
// fit.nonlinear failed rlam.NotConverged", "3.1 fit.nonlinear refused by schema"), for
// each answer of the planner that proposed none ("6 finish"), and for the end
// ("completed").
func Story(links []record.Link) []string {
	var all []string
	for _, l := range links {
		switch rec := l.Record.(type) {
		case *record.Proposal:
			if rec.Outcome != "calls" {
				all = append(all, fmt.Sprintf("%d %s", rec.Index, rec.Outcome))
			}
		case *record.Step:
			for _, c := range rec.Calls {
				all = append(all, tell(c))
			}
		case *record.Seal:
			all = append(all, string(rec.Status))
		}
	}
	return all
}

func tell(c record.CallRecord) string {
	name, _, _ := strings.Cut(c.Action, "@")
	line := fmt.Sprintf("%s %s %s", c.ID, name, c.Status)
	if i := slices.IndexFunc(c.Verdicts, func(v record.Verdict) bool { return v.Decision == "refused" }); i >= 0 {
		line += " by " + c.Verdicts[i].Gate
	}
	if n := len(c.Attempts); n > 0 && c.Attempts[n-1].Error != nil {
		line += " " + c.Attempts[n-1].Error.Type
	}
	return line
}
