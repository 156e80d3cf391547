// Package rocrate describes a run as a Provenance Run Crate: RO-Crate 1.1 with the
// profiles Process, Workflow and Provenance Run Crate 0.5, as workflow managers and
// repositories read them. It writes one file, ro-crate-metadata.json, from a run and the
// list of files that lie beside it; what the files are is up to the caller.
//
//	study                         the main workflow: File, SoftwareSourceCode, ComputationalWorkflow, HowTo
//	action, model                 SoftwareApplication, the instrument of what it did
//	parameter and output field    FormalParameter of the tool; of what was said, PropertyValue
//	turn, call                    HowToStep, and a ControlAction over its attempts
//	attempt, failed ones too      CreateAction
//	the run                       CreateAction of the workflow; OrganizeAction of the engine
//	who started it                Person; the study's authors are the crate's
//
// What isn't known is left out. Nothing is executed, no server is asked, and the same run
// and files give the same bytes.
package rocrate
