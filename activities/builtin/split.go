package builtin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"rlam/activities/executor"
	"rlam/internal/draw"
)

type splitParams struct {
	Data     string  `json:"data"`
	Share    float64 `json:"test_share"`
	Stratify string  `json:"stratify"`
	Seed     *uint64 `json:"seed"` // the call's own if absent
}

type splitOutput struct {
	Train     string    `json:"train"`
	Test      string    `json:"test"`
	TrainRows int       `json:"train_rows"`
	TestRows  int       `json:"test_rows"`
	Strata    []stratum `json:"strata,omitempty"`
	Seed      string    `json:"seed"`
}

// stratum is the rows that have one value in the column that is stratified by.
type stratum struct {
	Value string `json:"value"`
	Train int    `json:"train_rows"`
	Test  int    `json:"test_rows"`
	rows  []int
}

func splitTable(ctx context.Context, p splitParams) (splitOutput, error) {
	seed, err := seedOf(ctx, p.Seed)
	if err != nil {
		return splitOutput{}, err
	}
	t, err := openTable(ctx, p.Data)
	if err != nil {
		return splitOutput{}, err
	}
	strata, err := t.strata(p.Stratify)
	if err != nil {
		return splitOutput{}, err
	}
	out := splitOutput{TestRows: int(math.Round(p.Share * float64(len(t.rows)))), Seed: strconv.FormatUint(seed, 10)}
	out.TrainRows = len(t.rows) - out.TestRows
	if out.TestRows <= 0 || out.TrainRows <= 0 {
		return splitOutput{}, executor.Fail(BadData, fmt.Sprintf("a share of %v of %d rows leaves %d to train with and %d to test with: both need one", p.Share, len(t.rows), out.TrainRows, out.TestRows), nil)
	}
	apportion(strata, out.TestRows)
	test := map[int]bool{}
	stream := draw.New(seed, "table.split")
	for _, s := range strata {
		draw.Shuffle(stream, s.rows)
		for _, row := range s.rows[:s.Test] {
			test[row] = true
		}
	}
	if p.Stratify != "" {
		out.Strata = strata
	}
	if out.Train, err = executor.Save(ctx, "train.csv", "text/csv", t.write(func(row int) bool { return !test[row] })); err != nil {
		return splitOutput{}, err
	}
	out.Test, err = executor.Save(ctx, "test.csv", "text/csv", t.write(func(row int) bool { return test[row] }))
	return out, err
}

// strata are the rows by their value in a column, sorted; all in one without a column.
func (t *table) strata(column string) ([]stratum, error) {
	byValue := map[string][]int{}
	c := -1
	if column != "" {
		var err error
		if c, err = t.column(column); err != nil {
			return nil, invalid(err.Error())
		}
	}
	for i, r := range t.rows {
		value := ""
		if c >= 0 {
			value = r.cells[c]
		}
		byValue[value] = append(byValue[value], i)
	}
	var all []stratum
	for _, value := range slices.Sorted(maps.Keys(byValue)) {
		all = append(all, stratum{Value: value, rows: byValue[value]})
	}
	return all, nil
}

// apportion gives each stratum its share of test rows, rounded down, and the rest
// to the largest remainders (Hamilton's method); of equal ones to the first.
func apportion(strata []stratum, test int) {
	total := 0
	for _, s := range strata {
		total += len(s.rows)
	}
	given := 0
	order := make([]int, len(strata))
	for i := range strata {
		order[i] = i
		strata[i].Test = len(strata[i].rows) * test / total
		given += strata[i].Test
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(len(strata[b].rows)*test%total, len(strata[a].rows)*test%total)
	})
	for _, i := range order[:test-given] {
		strata[i].Test++
	}
	for i := range strata {
		strata[i].Train = len(strata[i].rows) - strata[i].Test
	}
}

// write is the table's rows that are kept, as they were and in their order.
func (t *table) write(keep func(row int) bool) []byte {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write(t.names) // a bytes.Buffer takes everything
	for i, r := range t.rows {
		if keep(i) {
			_ = w.Write(r.cells)
		}
	}
	w.Flush()
	return file.Bytes()
}
