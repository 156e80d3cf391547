//go:build rlam_no_intents

package journal

const writesIntents = false
