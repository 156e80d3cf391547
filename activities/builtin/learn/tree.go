package learn

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// nearest is the mean target of the K rows with the smallest Euclidean distance;
// of equal distances the earlier row counts.
func (m *Model) nearest(x []float64) []float64 {
	distances := make([]float64, len(m.Rows))
	order := make([]int, len(m.Rows))
	for i, r := range m.Rows {
		order[i], distances[i] = i, floats.Distance(x, r.Features, 2)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distances[a], distances[b]) })
	rows := make([]Row, m.K)
	for i := range rows {
		rows[i] = m.Rows[order[i]]
	}
	return meanTarget(rows)
}

func meanTarget(rows []Row) []float64 {
	mean := make([]float64, len(rows[0].Target))
	for _, r := range rows {
		floats.Add(mean, r.Target)
	}
	floats.Scale(1/float64(len(rows)), mean)
	return mean
}

// Node is a question of a tree, whether a scaled feature is at most a threshold,
// or a leaf with the mean target of its rows.
type Node struct {
	Feature   int       `json:"feature,omitzero"`
	Threshold float64   `json:"threshold,omitzero"`
	Below     int       `json:"below,omitzero"` // index of the next node if it is
	Above     int       `json:"above,omitzero"` // and if it isn't
	Value     []float64 `json:"value,omitempty"`
}

func (m *Model) descend(x []float64) []float64 {
	node := m.Nodes[0]
	for node.Value == nil {
		if x[node.Feature] <= node.Threshold {
			node = m.Nodes[node.Below]
		} else {
			node = m.Nodes[node.Above]
		}
	}
	return node.Value
}

// grow splits rows where the sum of squared deviations from the parts' mean targets
// becomes smallest: least squares for numbers, Gini's index for classes (Breiman,
// Friedman, Olshen and Stone, Classification and Regression Trees, 1984). Of equal
// splits the first feature and the lowest threshold count.
func (m *Model) grow(rows []Row, o Options) {
	var add func(rows []Row, depth int) int
	add = func(rows []Row, depth int) int {
		at := len(m.Nodes)
		m.Nodes = append(m.Nodes, Node{Value: meanTarget(rows)})
		if depth >= o.MaxDepth {
			return at
		}
		feature, threshold, found := bestSplit(rows, o.MinLeaf)
		if !found {
			return at
		}
		var below, above []Row
		for _, r := range rows {
			if r.Features[feature] <= threshold {
				below = append(below, r)
			} else {
				above = append(above, r)
			}
		}
		m.Nodes[at] = Node{Feature: feature, Threshold: threshold, Below: add(below, depth+1), Above: add(above, depth+1)}
		return at
	}
	add(rows, 0)
}

func bestSplit(rows []Row, minLeaf int) (feature int, threshold float64, found bool) {
	n := len(rows)
	total := meanTarget(rows)
	floats.Scale(float64(n), total)
	squares := 0.0
	for _, r := range rows {
		squares += floats.Dot(r.Target, r.Target)
	}
	whole := floats.Dot(total, total) / float64(n)
	best := whole + 1e-12*squares // rounding is no gain
	for j := range rows[0].Features {
		sorted := slices.Clone(rows)
		slices.SortStableFunc(sorted, func(a, b Row) int { return cmp.Compare(a.Features[j], b.Features[j]) })
		left, right := make([]float64, len(total)), slices.Clone(total)
		for i, r := range sorted[:n-1] {
			floats.Add(left, r.Target)
			floats.Sub(right, r.Target)
			next := sorted[i+1].Features[j]
			if i+1 < minLeaf || n-i-1 < minLeaf || r.Features[j] == next {
				continue
			}
			gain := floats.Dot(left, left)/float64(i+1) + floats.Dot(right, right)/float64(n-i-1)
			if gain > best {
				best, feature, found = gain, j, true
				threshold = min(r.Features[j]/2+next/2, next)
				if threshold >= next { // no double lies between
					threshold = r.Features[j]
				}
			}
		}
	}
	return feature, threshold, found
}
