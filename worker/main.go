// Worker serves R-LAM's workflows and activities, with the actions that ship:
//
//	worker --store FOLDER
//
// Where and how it connects is Temporal's standard configuration; worker --help has
// all of it. A worker with actions of your own in Go is the same line with arguments:
// see package rlam/worker/host.
package main

import "rlam/worker/host"

func main() { host.Main() }
