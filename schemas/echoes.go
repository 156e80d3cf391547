package schemas

import "strings"

// noAlternative ends what is said of a value that fits none of several schemas.
const noAlternative = ", which fits none of the alternatives"

// merged drops the violation of the nearest of several alternatives where that of all
// alternatives says the same of the same value, and more of what would be accepted.
func merged(vs Violations) Violations {
	said := map[[2]string]int{}
	for i, v := range vs {
		if !strings.HasSuffix(v.Message, noAlternative) {
			said[[2]string{v.Pointer, v.Message}] = i
		}
	}
	drop := map[int]bool{}
	for i, v := range vs {
		message, all := strings.CutSuffix(v.Message, noAlternative)
		if nearer, ok := said[[2]string{v.Pointer, message}]; all && ok && strings.HasPrefix(v.Expected, vs[nearer].Expected) {
			vs[nearer].Expected, drop[i] = v.Expected, true
		}
	}
	var kept Violations
	for i, v := range vs {
		if !drop[i] {
			kept = append(kept, v)
		}
	}
	return kept
}

// withoutEchoes drops what only repeats another violation.
func withoutEchoes(vs Violations) Violations {
	var kept Violations
	for _, v := range vs {
		if !strings.HasPrefix(v.Message, echo) {
			kept = append(kept, v)
		}
	}
	if len(kept) > 0 {
		return kept
	}
	for i := range vs {
		vs[i].Message = strings.TrimPrefix(vs[i].Message, echo)
	}
	return vs
}
