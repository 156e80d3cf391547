package main

import "rlam/provenance/ensemble"

// summaryMessage is what the members of an ensemble show together.
type summaryMessage struct{ *ensemble.Report }

func (summaryMessage) MessageType() string { return "ensemble" }
