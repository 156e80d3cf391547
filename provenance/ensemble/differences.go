package ensemble

import (
	"encoding/json"
	"maps"
	"slices"

	"rlam/internal/canon"
	"rlam/internal/jsonpointer"
)

// listedDifferences is how many parameters are named by which a branch differs.
const listedDifferences = 8

// differences are, for each group of plans that part at a call, the parameters of that call
// that aren't the same in all groups whose call is of the same action. Parameters that
// can't be read differ in nothing that could be named.
func differences(groups [][]planned, at int) [][]Setting {
	given := make([]map[string]string, len(groups))
	byAction := map[string][]int{}
	for i, g := range groups {
		call := g[0].calls[at]
		given[i] = parametersOf(call.Given)
		if given[i] != nil {
			byAction[call.Action] = append(byAction[call.Action], i)
		}
	}
	out := make([][]Setting, len(groups))
	for _, same := range byAction {
		differ := differing(given, same)
		for _, i := range same {
			for _, pointer := range differ {
				value, has := given[i][pointer]
				if has && len(out[i]) < listedDifferences {
					out[i] = append(out[i], Setting{Path: pointer, Value: json.RawMessage(value)})
				}
			}
		}
	}
	return out
}

// differing are the pointers at which some of the parameters have another value than the
// first, or none.
func differing(given []map[string]string, some []int) []string {
	all, differ := map[string]bool{}, map[string]bool{}
	for _, i := range some {
		for pointer := range given[i] {
			all[pointer] = true
		}
	}
	first := given[some[0]]
	for pointer := range all {
		want, has := first[pointer]
		for _, i := range some[1:] {
			if value, is := given[i][pointer]; is != has || value != want {
				differ[pointer] = true
				break
			}
		}
	}
	return slices.SortedFunc(maps.Keys(differ), natural)
}

// parametersOf are parameters by pointer, each value as canonical JSON; arrays are values.
func parametersOf(given json.RawMessage) map[string]string {
	if len(given) == 0 {
		return nil
	}
	value, err := canon.Decode(given)
	if err != nil {
		return nil
	}
	all := map[string]string{}
	gather(all, "", value)
	return all
}

func gather(all map[string]string, pointer string, value any) {
	if object, is := value.(map[string]any); is && len(object) > 0 {
		for name, member := range object {
			gather(all, jsonpointer.Member(pointer, name), member)
		}
		return
	}
	if spelled, err := canon.Encode(value); err == nil {
		if len(spelled) > longest { // a string, so that it is JSON still
			spelled, _ = json.Marshal(shorten(spelled)) // text always has a spelling
		}
		all[pointer] = string(spelled)
	}
}
