package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/change"
	"rlam/internal/design"
	"rlam/schemas"
)

// PointError says why there can be no member at a point of a design.
type PointError struct {
	Point int // from 0; -1: it is with the path itself, whatever its value
	Path  int // of the design, if the error is that of one; else -1
	Err   error
}

func (e *PointError) Error() string {
	if e.Point < 0 {
		return fmt.Sprintf("the design: %v", e.Err)
	}
	return fmt.Sprintf("point %d of the design: %v", e.Point+1, e.Err)
}

func (e *PointError) Unwrap() error { return e.Err }

// varied is a study at one point of a design.
type varied struct {
	study *schemas.LoadedStudy
	plan  []byte // if the design varies it; else nil
}

// varier puts the values of a design into a study.
type varier struct {
	base   *schemas.LoadedStudy
	design *design.Design
	places []design.Place // by path
	plan   *schemas.Plan  // the study's, if the design varies it
}

func newVarier(base *schemas.LoadedStudy, d *design.Design) (*varier, error) {
	v := &varier{base: base, design: d}
	for i, path := range d.Paths {
		place := design.PlaceOf(path)
		v.places = append(v.places, place)
		if place.Call == "" {
			continue
		}
		if err := v.readPlan(); err != nil {
			return nil, &PointError{Point: -1, Path: i, Err: err}
		}
		if v.call(v.plan, place.Call) == nil {
			err := &ChangeError{What: fmt.Sprintf("the plan has no call %q (it has %q)", place.Call, v.calls()), Nearest: schemas.Nearest(place.Call, v.calls())}
			return nil, &PointError{Point: -1, Path: i, Err: err}
		}
	}
	return v, nil
}

// CheckDesign judges a study at every point of a design, as [LaunchEnsemble] does before it
// starts anything, but without a server. Its errors are of type *[PointError].
func CheckDesign(base *schemas.LoadedStudy, d *design.Design) error {
	v, err := newVarier(base, d)
	if err != nil {
		return err
	}
	for i := range d.Points {
		if _, err := v.at(i); err != nil {
			return err
		}
	}
	return nil
}

// readPlan reads the study's plan, once.
func (v *varier) readPlan() error {
	if v.plan != nil {
		return nil
	}
	file := v.base.Study.Planner.Plan
	if file == "" {
		return impossible("parameters of a call are varied in the study's plan, and its planner is none: a model chooses them anew in each member")
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(v.base.Path), file)
	}
	plan, problems := schemas.LoadPlan(file)
	v.plan = plan
	return problems.Err()
}

func (v *varier) calls() []string {
	var ids []string
	for _, c := range v.plan.Calls {
		ids = append(ids, c.ID)
	}
	return ids
}

func (v *varier) call(p *schemas.Plan, id string) *schemas.PlannedCall {
	for i := range p.Calls {
		if p.Calls[i].ID == id {
			return &p.Calls[i]
		}
	}
	return nil
}

// touches says whether a path of the design leads into a member of the study.
func (v *varier) touches(member string) bool {
	for _, p := range v.places {
		inside := p.Call == "" && !p.Model && (p.Pointer == "/"+member || strings.HasPrefix(p.Pointer, "/"+member+"/"))
		if inside || member == "planner" && (p.Model || p.Call != "") {
			return true
		}
	}
	return false
}

// at is the study at a point, checked as a whole. Its errors are of type *[PointError].
func (v *varier) at(point int) (varied, error) {
	set := map[string]json.RawMessage{}
	plan, model := v.copyOfPlan(), ""
	for i, place := range v.places {
		value := v.design.Points[point][i]
		wrong := func(err error) error { return &PointError{point, i, err} }
		switch {
		case place.Model:
			if json.Unmarshal(value, &model) != nil || model == "" {
				return varied{}, wrong(fmt.Errorf("want the name of a model, and not %s", value))
			}
		case place.Call != "":
			c := v.call(plan, place.Call)
			var err error
			if c.Params, err = change.Put(c.Params, place.Pointer, value, true); err != nil {
				return varied{}, wrong(refusal(err))
			}
		default:
			set[place.Pointer] = value
		}
	}
	out, err := v.put(set, model, plan)
	if err == nil {
		return out, nil
	}
	path := v.blame(err)
	if path >= 0 && v.leadsNowhere(set, path, err) {
		point = -1
	}
	return varied{}, &PointError{point, path, err}
}

// leadsNowhere says whether what is wrong with a value would be so with any.
func (v *varier) leadsNowhere(set map[string]json.RawMessage, path int, err error) bool {
	set = maps.Clone(set)
	set[v.places[path].Pointer] = json.RawMessage("null")
	_, again := WithChanges(v.base, set)
	var with, without schemas.Problems
	return errors.As(err, &with) && errors.As(again, &without) && with[0] == without[0]
}

// put makes the study with members set, with another model, and with a plan of its own.
func (v *varier) put(set map[string]json.RawMessage, model string, plan *schemas.Plan) (out varied, err error) {
	if out.study, err = WithChanges(v.base, set); err != nil {
		return varied{}, err
	}
	if model != "" {
		if out.study, err = WithModel(out.study, model); err != nil {
			return varied{}, err
		}
	}
	if plan != nil {
		out.plan, err = canon.Marshal(plan)
	}
	return out, err
}

// copyOfPlan is the plan with calls of its own, whose parameters can be replaced.
func (v *varier) copyOfPlan() *schemas.Plan {
	if v.plan == nil {
		return nil
	}
	p := *v.plan
	p.Calls = append([]schemas.PlannedCall{}, p.Calls...)
	return &p
}

// blame is the path whose value a problem is with, or -1.
func (v *varier) blame(err error) int {
	var problems schemas.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		return -1
	}
	at := problems[0].Pointer
	for i, p := range v.places {
		if p.Call == "" && !p.Model && (strings.HasPrefix(at, p.Pointer) || strings.HasPrefix(p.Pointer, at+"/")) {
			return i
		}
	}
	return -1
}

// besideStudy is a file that the study names.
func besideStudy(study *schemas.LoadedStudy, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(study.Path), name)
}

// planText is the plan that a study at a point has, and the file it comes from.
func (p varied) planText() (file string, text []byte, err error) {
	file = besideStudy(p.study, p.study.Study.Planner.Plan)
	if p.plan != nil {
		return file, p.plan, nil
	}
	text, err = os.ReadFile(file)
	return file, text, err
}
