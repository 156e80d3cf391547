package ensemble_test

import (
	"encoding/json"
	"os"
	"testing"

	"rlam/provenance/ensemble"
	"rlam/schemas"
)

// TestSchema holds reports against the published schema, which knows every member of them.
func TestSchema(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../schemas/meta/ensemble.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	// Strictly here: a member that the schema doesn't name would be an error.
	compiled, err := schemas.Compile(strict(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	mixed := results(`{"x":1,"a":[1,2,3]}`, `{"x":"NaN"}`, `{"x":"text"}`, `[`)
	mixed = append(mixed, ensemble.Member{ID: "m9", Status: "limit", Failure: "12 steps", Result: json.RawMessage(`{}`)})
	for name, c := range map[string]struct {
		members []ensemble.Member
		options ensemble.Options
	}{
		"a grid":  {decays(54), ensemble.Options{Ensemble: "decays", Schema: []byte(schema)}},
		"mixed":   {mixed, ensemble.Options{MaxItems: 1, MaxFields: 1}},
		"nothing": {},
	} {
		report, err := json.Marshal(summarise(t, c.members, c.options))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range compiled.Validate(report) {
			t.Errorf("%s: %v", name, v)
		}
	}
	if len(compiled.Validate([]byte(`{"format":"rlam.ensemble","version":2}`))) == 0 {
		t.Error("the schema takes anything")
	}
}

// strict is the schema whose objects have no members but those it names.
func strict(t *testing.T, raw []byte) []byte {
	t.Helper()
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	case map[string]any:
		for _, member := range v {
			closeObjects(member)
		}
		if properties, is := v["properties"].(map[string]any); is && v["type"] == "object" {
			// A field is a part and more: each would refuse what the other names.
			if properties["lacking"] == nil && properties["kind"] == nil {
				v["additionalProperties"] = false
			}
		}
	}
}
