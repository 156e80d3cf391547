package schemas

// Without is a gate of which one part never refuses, as if it were not there.
func Without(gate string) *Gate { return &Gate{deleted: gate} }
