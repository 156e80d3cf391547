package prov

import (
	"strings"

	"rlam/provenance/graph"
)

// relation adds an edge:
//
//	used, generated            used, wasGeneratedBy
//	derived                    wasDerivedFrom
//	informed                   by what its ends are: between activities wasInformedBy, from an
//	                           activity to a call wasGeneratedBy, from a call to an activity
//	                           used, else wasInfluencedBy
//	retried, recovered, …      wasInformedBy, with the verb as its type
//	associatedWith             wasAssociatedWith; of an entity wasAttributedTo
//	actedOnBehalfOf            actedOnBehalfOf
func (t *translation) relation(e graph.Edge) {
	from, to := t.g.Node(e.From), t.g.Node(e.To)
	switch e.Kind {
	case graph.Used:
		t.used(from, to)
	case graph.Generated:
		t.generated(from, to)
	case graph.Derived:
		t.derived(e)
	case graph.Informed:
		t.informed(from, to)
	case graph.AssociatedWith:
		t.associated(from, to)
	case graph.ActedOnBehalfOf:
		numbered(&t.d.ActedOnBehalfOf, "delegation", Attributes{"prov:delegate": ID(e.From), "prov:responsible": ID(e.To)})
	default: // the newer knew of the older
		t.communicated(to, from, string(e.Kind))
	}
}

// again says whether there is a relation of the kind between the two already.
func (t *translation) again(kind string, a, b *graph.Node) bool {
	key := [3]string{kind, a.ID, b.ID}
	if t.seen[key] {
		return true
	}
	t.seen[key] = true
	return false
}

func (t *translation) used(by, what *graph.Node) {
	if classOf(by.Kind) != activity {
		t.influenced(by, what)
	} else if !t.again("used", by, what) {
		numbered(&t.d.Used, "usage", Attributes{"prov:activity": ID(by.ID), "prov:entity": ID(what.ID)})
	}
}

func (t *translation) generated(by, what *graph.Node) {
	if classOf(by.Kind) != activity {
		t.influenced(what, by)
	} else if !t.again("generated", by, what) {
		numbered(&t.d.WasGeneratedBy, "generation", Attributes{"prov:activity": ID(by.ID), "prov:entity": ID(what.ID)})
	}
}

func (t *translation) derived(e graph.Edge) {
	a := Attributes{"prov:generatedEntity": ID(e.From), "prov:usedEntity": ID(e.To)}
	for attribute, v := range map[string]string{"rlam:at": e.At, "rlam:pointer": e.Pointer, "rlam:through": e.Through} {
		if v != "" {
			a[attribute] = v
		}
	}
	numbered(&t.d.WasDerivedFrom, "derivation", a)
}

func (t *translation) informed(from, to *graph.Node) {
	switch {
	case classOf(from.Kind) == activity && classOf(to.Kind) == activity:
		t.communicated(from, to, "")
	case classOf(from.Kind) == activity && to.Kind == graph.Call:
		t.generated(from, to)
	case from.Kind == graph.Call && classOf(to.Kind) == activity:
		t.used(to, from)
	default:
		t.influenced(to, from)
	}
}

// communicated says that one activity knew of another: by a verb, if it has one.
func (t *translation) communicated(informant, informed *graph.Node, verb string) {
	if t.again("informed "+verb, informant, informed) {
		return
	}
	a := Attributes{"prov:informed": ID(informed.ID), "prov:informant": ID(informant.ID)}
	if verb != "" {
		a["prov:type"] = name("rlam:" + verb)
	}
	numbered(&t.d.WasInformedBy, "communication", a)
}

func (t *translation) influenced(what, by *graph.Node) {
	if !t.again("influenced", what, by) {
		numbered(&t.d.WasInfluencedBy, "influence", Attributes{"prov:influencee": ID(what.ID), "prov:influencer": ID(by.ID)})
	}
}

// associated says who did something; of an attempt, by which call. What a person put in
// place of an output is attributed to them.
func (t *translation) associated(what, who *graph.Node) {
	if classOf(what.Kind) != activity {
		numbered(&t.d.WasAttributedTo, "attribution", Attributes{"prov:entity": ID(what.ID), "prov:agent": ID(who.ID)})
		return
	}
	a := Attributes{"prov:activity": ID(what.ID), "prov:agent": ID(who.ID)}
	if call := t.g.Node(callOf(what)); call != nil {
		a["prov:plan"] = ID(call.ID)
	}
	numbered(&t.d.WasAssociatedWith, "association", a)
}

// callOf is the id of the call that an attempt carries out.
func callOf(n *graph.Node) string {
	id, isAttempt := strings.CutPrefix(n.ID, "attempt:")
	if !isAttempt {
		return ""
	}
	call, numbered, _ := strings.Cut(id, "#")
	if i := strings.IndexByte(numbered, '~'); i >= 0 { // it was reset away
		call += numbered[i:]
	}
	return "call:" + call
}

// started says which Temporal run asked for an activity. What a reset took over began
// before the run that has it now: then that is left unsaid.
func (t *translation) started(n *graph.Node) {
	run := t.g.Node("run:" + n.Run)
	if run == nil || n.Kind != graph.Plan && n.Kind != graph.Attempt || n.Started == "" || n.Started < run.Started {
		return
	}
	numbered(&t.d.WasStartedBy, "start", Attributes{"prov:activity": ID(n.ID), "prov:starter": ID(run.ID)})
}
