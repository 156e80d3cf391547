package canon

import "hash/maphash"

// Set remembers digests in about 16 bytes each, instead of the digest itself: a hash of 64
// bits, under a key that is drawn for each set, so that nobody can choose two digests that it
// takes for one. Among a million digests the chance that one that was never added seems to
// be in is below 1 in 10 million million.
type Set struct {
	seed maphash.Seed
	in   map[uint64]struct{}
}

// NewSet is a set that is empty.
func NewSet() *Set { return &Set{seed: maphash.MakeSeed(), in: map[uint64]struct{}{}} }

// Add puts a digest in, and says whether it was new.
func (s *Set) Add(d Digest) bool {
	before := len(s.in)
	s.in[maphash.Bytes(s.seed, d[:])] = struct{}{}
	return len(s.in) > before
}

// Has says whether a digest was added.
func (s *Set) Has(d Digest) bool {
	_, has := s.in[maphash.Bytes(s.seed, d[:])]
	return has
}
