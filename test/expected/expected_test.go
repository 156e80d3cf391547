package expected

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDifferences holds one result against files that it meets and others that it doesn't.
func TestDifferences(t *testing.T) {
	t.Parallel()
	const result = `{"energy": -15.8445, "model": "JC", "list": [1, 2.5], "none": null}`
	for expects, difference := range map[string]string{
		`{"/energy": {"value": -15.84, "absolute": 0.01}}`:  "",
		`{"/energy": {"value": -15.84, "relative": 0.001}}`: "",
		`{"/energy": {"value": -15.84, "absolute": 0.001}}`: "/energy of the result: -15.8445 is 0.0045 from -15.84, and 0.001 is allowed",
		`{"/energy": {"value": -15.84}}`:                    "and 0 is allowed",
		`{"/energy": {"value": "-15.8445"}}`:                "should be",
		`{"/energy": {"from": -16, "to": -15}}`:             "",
		`{"/energy": {"to": -16}}`:                          "above",
		`{"/energy": {"from": -15}}`:                        "below",
		`{"/energy": {"source": "hearsay"}}`:                "neither value nor from nor to",
		`{"/model": {"value": "JC"}}`:                       "",
		`{"/model": {"value": "HKY"}}`:                      `it is "JC" and should be "HKY"`,
		`{"/model": {"from": 1}}`:                           "is no number",
		`{"/none": {"value": 0}}`:                           "it is null and should be 0",
		`{"/list": {"value": [1.0, 2.5]}}`:                  "",
		`{"/list/1": {"value": 2.5}}`:                       "",
		`{"/list/2": {"value": 2.5}}`:                       "/list/2",
		`{"/absent": {"value": 1}}`:                         "/absent",
		`{"/model": {"value": "JC"}, "/list/0": {"to": 0}}`: "above",
	} {
		var file File
		if err := json.Unmarshal([]byte(expects), &file.Result); err != nil {
			t.Fatal(err)
		}
		found := file.Differences(json.RawMessage(result))
		switch {
		case difference == "" && len(found) > 0:
			t.Errorf("%s: %v", expects, found)
		case difference != "" && (len(found) != 1 || !strings.Contains(found[0].Error(), difference)):
			t.Errorf("%s: found %v and not %q", expects, found, difference)
		}
	}
}
