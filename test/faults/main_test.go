//go:build linux || darwin

package faults_test

import (
	"flag"
	"os"
	"testing"

	"rlam/test/faults/subject"
	"rlam/test/lab"
)

// atOnce is how many tests go on at the same time. They mostly wait for timeouts, so
// they may be more than there are processors; each has a worker or two.
const atOnce = "12"

// TestMain runs the tests, or is the worker that a test started.
func TestMain(m *testing.M) {
	if subject.Asked() {
		subject.Main()
		return
	}
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if !told {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err)
		}
	}
	os.Exit(lab.Run(m))
}
