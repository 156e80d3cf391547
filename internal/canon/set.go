package canon

import "hash/maphash"

// Set remembers digests in 11 to 22 bytes each, instead of the digest itself: a hash of 64
// bits, under a key that is drawn for each set, so that nobody can choose two digests that it
// takes for one. Among a million digests the chance that one that was never added seems to
// be in is below 1 in 10 million million.
type Set struct {
	seed  maphash.Seed
	table []uint64 // by the lower bits of the hash, or in the next free place; 0 is free
	count int
}

// NewSet is a set that is empty.
func NewSet() *Set { return &Set{seed: maphash.MakeSeed(), table: make([]uint64, 64)} }

// Add puts a digest in, and says whether it was new.
func (s *Set) Add(d Digest) bool {
	hash := s.hash(d)
	at := s.place(hash)
	if s.table[at] == hash {
		return false
	}
	s.table[at] = hash
	if s.count++; s.count > len(s.table)/4*3 {
		before := s.table
		s.table = make([]uint64, 2*len(before))
		for _, hash := range before {
			if hash != 0 {
				s.table[s.place(hash)] = hash
			}
		}
	}
	return true
}

// Has says whether a digest was added.
func (s *Set) Has(d Digest) bool {
	hash := s.hash(d)
	return s.table[s.place(hash)] == hash
}

func (s *Set) hash(d Digest) uint64 { return max(1, maphash.Bytes(s.seed, d[:])) }

// place is where a hash is in the table, or would be.
func (s *Set) place(hash uint64) int {
	last := len(s.table) - 1
	at := int(hash) & last
	for s.table[at] != 0 && s.table[at] != hash {
		at = (at + 1) & last
	}
	return at
}
