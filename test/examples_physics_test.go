package test

import (
	"path/filepath"
	"testing"

	"rlam/test/expected"
	"rlam/test/need"
)

// TestPhysics runs the examples that wrap programs of physics, on the real programs.
func TestPhysics(t *testing.T) {
	t.Parallel()
	for example, programs := range map[string][]string{
		"si-cutoff":   {"pw.x", "awk"},
		"nickel-scf":  {"pw.x"},
		"lammps-melt": {"lmp", "mpirun", "awk"},
	} {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			for _, program := range programs {
				need.Program(t, program)
			}
			expected.Example(t, filepath.Join("..", "examples", example))
		})
	}
}
