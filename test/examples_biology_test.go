package test

import (
	"path/filepath"
	"testing"

	"rlam/test/expected"
	"rlam/test/need"
)

// TestExamplesOfBiologyAndStatistics runs the examples that need programs of Debian, and
// the one that needs Python only, each with its scripted model and with its plan.
func TestExamplesOfBiologyAndStatistics(t *testing.T) {
	t.Parallel()
	for example, programs := range map[string][]string{
		"wrap-a-script": {"python3"},
		"iqtree":        {"iqtree2"},
		"jags-pump":     {"jags", "python3", "dpkg-query"},
	} {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			for _, program := range programs {
				need.Program(t, program)
			}
			expected.Example(t, filepath.Join("../examples", example))
		})
	}
}
