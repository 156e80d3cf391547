//go:build !rlam_no_intents

package journal

// writesIntents is switched off in one test build only, which shows that the
// comparison with evidence from outside then fails.
const writesIntents = true
