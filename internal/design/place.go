package design

import (
	"strings"

	"rlam/internal/change"
)

// Place is where a path leads.
type Place struct {
	Model   bool   // the model that is asked instead of the study's planner
	Call    string // of the study's plan, whose parameters Pointer leads into; or "": Pointer leads into the study
	Pointer string // a JSON pointer
}

// PlaceOf says where a path leads: "model"; CALL/params/path, as changes spell it; else
// into the study, as run --set spells it: limits.steps or limits/steps.
func PlaceOf(path string) Place {
	if path == "model" {
		return Place{Model: true}
	}
	call, rest, _ := strings.Cut(path, "/")
	part, pointer, below := strings.Cut(rest, "/")
	if call != "" && change.Part(part) == change.Params {
		p := Place{Call: call}
		if below && pointer != "" {
			p.Pointer = "/" + pointer
		}
		return p
	}
	if !strings.Contains(path, "/") {
		path = strings.ReplaceAll(path, ".", "/")
	}
	return Place{Pointer: "/" + strings.TrimPrefix(path, "/")}
}
