package schemas

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// SeedOf is the seed of a call; nil if its action takes none. It is the one that a plan
// gave the call, if given is not nil. Else it is derived from the study's seed and the
// call's id, not from the attempt, and has 53 bits, so that JSON holds it; where the study
// says so, it is the study's own.
func (s *Study) SeedOf(a *Action, call string, given *uint64) *uint64 {
	if !a.Seeded {
		return nil
	}
	if given != nil {
		return given
	}
	if s.Seeds == SeedsShared {
		return &s.Seed
	}
	var study [8]byte
	binary.BigEndian.PutUint64(study[:], s.Seed)
	mac := hmac.New(sha256.New, study[:])
	mac.Write([]byte(call))
	seed := binary.BigEndian.Uint64(mac.Sum(nil)) >> 11
	return &seed
}
