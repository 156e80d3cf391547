// Package faults compares what R-LAM says of a run with evidence from outside, and its
// tests break things while a study runs: the worker, the server, the model, the disk.
//
// There are five tellers of what happened, and none can see another's notes:
//
//	outside   the actions count themselves in a file that R-LAM doesn't know
//	model     the scripted model logs each request that reaches it
//	journal   intents and outcomes in the store
//	history   the events of the Temporal server
//	records   the chain that a reviewer gets
//
// [Evidence.Check] holds them against each other and returns what doesn't agree. A run
// may fail, be cancelled or be torn apart: its evidence must agree all the same. What
// was executed is never missing from the journal, what the journal says completed was
// executed, each attempt on record is an event of the history, and each failure in the
// history is on record with its type.
//
// The worker under test is a process of its own (package subject).
package faults
