package crates

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

func (k *check) file(e Entity) {
	if !e.Is("File") {
		return
	}
	k.want(e.Text("encodingFormat") != "", "file-format", e, "it has no encodingFormat")
	k.want(k.all(e, "exampleOfWork", 0, "FormalParameter"), "example", e, "exampleOfWork is %v", e["exampleOfWork"])
	if absolute.MatchString(e.ID()) {
		return
	}
	name, err := url.PathUnescape(e.ID())
	if err != nil {
		k.want(false, "file-there", e, "%v", err)
		return
	}
	raw, err := fs.ReadFile(k.files, name)
	k.want(err == nil, "file-there", e, "%v", err)
	if err != nil {
		return
	}
	sum := sha256.Sum256(raw)
	k.want(e["sha256"] == nil || e.Text("sha256") == hex.EncodeToString(sum[:]), "file-digest", e, "sha256 is %v, the file's is %x", e["sha256"], sum)
	k.want(e["contentSize"] == nil || e.Text("contentSize") == strconv.Itoa(len(raw)), "file-size", e, "contentSize is %v, the file has %d bytes", e["contentSize"], len(raw))
}

func (k *check) workflow(e Entity) {
	if !e.Is("ComputationalWorkflow") {
		return
	}
	k.want(e.Is("File") && e.Is("SoftwareSourceCode"), "workflow-types", e, "it is %v, want File and SoftwareSourceCode too", e["@type"])
	k.want(k.all(e, "programmingLanguage", 1, "ComputerLanguage"), "workflow-language", e, "programmingLanguage is %v", e["programmingLanguage"])
	k.want(k.all(e, "hasPart", 1, "SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"), "workflow-tools", e, "hasPart is %v", e["hasPart"])
	k.want(k.all(e, "step", 1, "HowToStep"), "workflow-steps", e, "step is %v", e["step"])
	k.want(e["step"] == nil || e.Is("HowTo"), "workflow-howto", e, "it has steps, and is no HowTo")
	k.want(strings.HasPrefix(strings.Join(e.Refs("conformsTo"), " "), "https://bioschemas.org/profiles/ComputationalWorkflow/1"), "workflow-profile", e, "conformsTo is %v", e["conformsTo"])
	for _, name := range []string{"name", "version"} {
		k.want(e.Text(name) != "", "workflow-"+name, e, "it has no %s", name)
	}
	for _, id := range e.Refs("hasPart") {
		ran := false
		for _, a := range k.from(id, "instrument") {
			ran = ran || a.Is("CreateAction")
		}
		k.want(ran, "tool-ran", e, "the tool %s is part of it, and no action has it as its instrument", id)
	}
}

// software is a tool, a model or the engine.
func (k *check) software(e Entity) {
	if e.Is("SoftwareApplication", "SoftwareSourceCode") {
		k.want(k.all(e, "input", 0, "FormalParameter") && k.all(e, "output", 0, "FormalParameter"), "tool-parameters", e, "input is %v, output %v", e["input"], e["output"])
	}
	if !e.Is("SoftwareApplication") {
		return
	}
	k.want(absolute.MatchString(e.ID()), "software-id", e, "the id is not absolute")
	k.want(e.Text("name") != "", "software-name", e, "it has no name")
	k.want(e["url"] != nil, "software-url", e, "it has no url")
	k.want((e.Text("version") != "") != (e.Text("softwareVersion") != ""), "software-version", e, "want one of version and softwareVersion: %v, %v", e["version"], e["softwareVersion"])
}

func (k *check) parameter(e Entity) {
	if !e.Is("FormalParameter") {
		return
	}
	k.want(e.Text("additionalType") != "", "parameter-type", e, "it has no additionalType")
	k.want(e.Text("name") != "", "parameter-name", e, "it has no name")
	k.want(k.all(e, "workExample", 0, "File", "Dataset", "Collection", "PropertyValue"), "parameter-example", e, "workExample is %v", e["workExample"])
	found := false
	for _, v := range k.from(e.ID(), "exampleOfWork") {
		found = found || v.Is("File", "Dataset", "Collection", "PropertyValue")
	}
	k.want(found, "parameter-used", e, "no value is an example of it")
}

var digits = regexp.MustCompile(`^\d+$`)

func (k *check) step(e Entity) {
	if !e.Is("HowToStep") {
		return
	}
	owned := false
	for _, w := range k.from(e.ID(), "step") {
		owned = owned || w.Is("ComputationalWorkflow")
	}
	k.want(owned, "step-reached", e, "no workflow has it as a step")
	k.want(k.all(e, "workExample", 1, "SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"), "step-tool", e, "workExample is %v", e["workExample"])
	switch v := e["position"].(type) {
	case nil:
	case string:
		k.want(digits.MatchString(v), "step-position", e, "position is %q", v)
	case float64:
		k.want(v == float64(int64(v)) && v >= 0, "step-position", e, "position is %v", v)
	default:
		k.want(false, "step-position", e, "position is %v", v)
	}
	k.want(k.all(e, "connection", 0, "ParameterConnection"), "connections", e, "connection is %v", e["connection"])
}

const (
	done   = "http://schema.org/CompletedActionStatus"
	failed = "http://schema.org/FailedActionStatus"
)

var stamp = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?\+\d{2}:\d{2}$`)

// action is what all kinds of actions have, and of those that made something the rest.
func (k *check) action(e Entity) {
	if !e.Is("CreateAction", "ControlAction", "OrganizeAction") {
		return
	}
	for _, name := range []string{"startTime", "endTime"} {
		k.want(e[name] == nil || stamp.MatchString(e.Text(name)), "action-time", e, "%s is %v", name, e[name])
	}
	start, end := e.Text("startTime"), e.Text("endTime")
	k.want(start == "" || end == "" || start <= end, "action-order", e, "it ended at %s, before it began at %s", end, start)
	status := e["actionStatus"]
	k.want(status == nil || status == done || status == failed, "action-status", e, "actionStatus is %v", status)
	k.want(e["error"] == nil || status == failed, "action-error", e, "it has an error, and the status %v", status)
	if !e.Is("CreateAction") {
		return
	}
	k.want(k.all(e, "instrument", 1, "SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"), "action-instrument", e, "instrument is %v", e["instrument"])
	k.want(k.all(e, "agent", 1, "Person", "Organization"), "action-agent", e, "agent is %v", e["agent"])
	for _, name := range []string{"name", "description", "startTime"} {
		k.want(e.Text(name) != "", "action-"+strings.ToLower(name), e, "it has no %s", name)
	}
	if status != nil {
		k.want(end != "", "action-endtime", e, "it has the status %v, and no endTime", status)
		k.want(k.all(e, "result", 1, "File", "Dataset", "Collection", "CreativeWork", "PropertyValue"), "action-result", e, "result is %v", e["result"])
	}
	k.want(status != failed || e.Text("error") != "", "action-failure", e, "it failed, and doesn't say how")
	k.want(k.all(e, "object", 0, "File", "Dataset", "Collection", "CreativeWork", "PropertyValue"), "action-object", e, "object is %v", e["object"])
	k.want(k.all(e, "environment", 0, "PropertyValue"), "action-environment", e, "environment is %v", e["environment"])
	k.want(k.all(e, "containerImage", 0, "ContainerImage"), "action-image", e, "containerImage is %v", e["containerImage"])
	k.want(k.all(e, "resourceUsage", 0, "PropertyValue"), "usage", e, "resourceUsage is %v", e["resourceUsage"])
	for _, id := range e.Refs("resourceUsage") {
		if u := k.byID[id]; u != nil {
			k.want(u["propertyID"] != nil, "usage-property", u, "it has no propertyID")
			k.want(u["unitCode"] != nil, "usage-unit", u, "it has no unitCode")
		}
	}
}

// control is a ControlAction, or the OrganizeAction over all of them.
func (k *check) control(e Entity) {
	switch {
	case e.Is("ControlAction"):
		k.want(k.all(e, "instrument", 1, "HowToStep"), "control-step", e, "instrument is %v", e["instrument"])
		k.want(k.all(e, "object", 1, "CreateAction"), "control-object", e, "object is %v", e["object"])
	case e.Is("OrganizeAction"):
		k.want(k.all(e, "instrument", 1, "SoftwareApplication"), "organize-engine", e, "instrument is %v", e["instrument"])
		k.want(k.all(e, "object", 1, "ControlAction"), "organize-object", e, "object is %v", e["object"])
		k.want(k.all(e, "result", 1, "CreateAction"), "organize-result", e, "result is %v", e["result"])
		for _, id := range e.Refs("result") {
			if run := k.byID[id]; run != nil {
				k.want(k.all(run, "instrument", 1, "ComputationalWorkflow"), "organize-result", e, "its result %s is no run of the workflow", id)
			}
		}
	}
}

func (k *check) connection(e Entity) {
	if !e.Is("ParameterConnection") {
		return
	}
	k.want(k.all(e, "sourceParameter", 1, "FormalParameter"), "connection-source", e, "sourceParameter is %v", e["sourceParameter"])
	k.want(k.all(e, "targetParameter", 1, "FormalParameter"), "connection-target", e, "targetParameter is %v", e["targetParameter"])
	by := k.from(e.ID(), "connection")
	k.want(len(by) > 0, "connection-reached", e, "no step or workflow has it")
	// One into an output of the workflow belongs to the workflow, any other to its step.
	for _, id := range e.Refs("targetParameter") {
		ends := k.from(id, "output")
		for _, owner := range by {
			k.want(owner.Is("HowToStep") == (len(ends) == 0), "connection-reached", e, "%s has it", owner.ID())
		}
	}
}

// value is a PropertyValue: of a parameter, of an environment, of what was used.
func (k *check) value(e Entity) {
	switch {
	case e.Is("PropertyValue"):
		k.want(e.Text("name") != "", "value-name", e, "it has no name")
		k.want(e["value"] != nil, "value", e, "it has no value")
		k.want(k.all(e, "exampleOfWork", 0, "FormalParameter"), "example", e, "exampleOfWork is %v", e["exampleOfWork"])
	case e.Is("ContainerImage"):
		for _, name := range []string{"additionalType", "registry", "name"} {
			k.want(e[name] != nil, "image", e, "it has no %s", name)
		}
	case e.Is("Person", "Organization"):
		k.want(e.Text("name") != "", "agent-name", e, "it has no name")
	}
}
