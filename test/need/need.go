// Package need is how a test says what it needs of the machine: root, a program, a
// kernel's feature. Without it the test is skipped, and says so by name.
//
// Where everything is there, a skip would hide a test that no longer runs. With
// RLAM_TEST_REQUIRE=all in the environment, as CI has it, what is missing is a
// failure; with a list of words, such as RLAM_TEST_REQUIRE=root,go, only those are.
package need

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Variable is the environment variable that makes needs requirements.
const Variable = "RLAM_TEST_REQUIRE"

// Need skips the test unless ok. what is a word for the need, "root".
func Need(t testing.TB, what string, ok bool) {
	t.Helper()
	switch {
	case ok:
	case required(os.Getenv(Variable), what):
		t.Fatalf("this test needs %s, and %s=%s says that it is here", what, Variable, os.Getenv(Variable))
	default:
		t.Skipf("this test needs %s; %s=all makes that a failure", what, Variable)
	}
}

// Program is Need of a program in PATH, and returns where it is.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	Need(t, name, err == nil)
	return path
}

// Has says whether a program is in PATH, for a script that has no testing.TB. It is an
// error if it isn't and the environment requires it.
func Has(name string) (bool, error) {
	_, err := exec.LookPath(name)
	if err != nil && required(os.Getenv(Variable), name) {
		return false, fmt.Errorf("this test needs %s, and %s=%s says that it is here", name, Variable, os.Getenv(Variable))
	}
	return err == nil, nil
}

func required(variable, what string) bool {
	words := strings.FieldsFunc(variable, func(r rune) bool { return r == ',' || r == ' ' })
	return slices.Contains(words, "all") || slices.Contains(words, what)
}
