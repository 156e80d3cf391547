// Command cmd is the worker of package subject as a program of its own, for tests that
// build it another way than themselves.
package main

import "rlam/test/faults/subject"

func main() { subject.Main() }
