package schemas

// Without is a gate of which one part never refuses, as if it were not there.
func Without(gate string) *Gate { return &Gate{deleted: gate} }

// ParseDraft is [DraftStudy] for a text.
func ParseDraft(file string, text []byte) (*LoadedStudy, Problems) { return parseStudy(file, text) }
