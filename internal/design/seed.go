package design

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
)

// Seed is the study's seed in one repeat of a point: HMAC-SHA-256 of the study's seed
// there (8 bytes, big-endian) over the line "rlam.ensemble.v1", one line PATH=VALUE for
// each path, and the number of the repeat (8 bytes), of which the first 53 bits count, so
// that JSON holds it. It depends neither on how many repeats or points there are nor on
// their order: an ensemble that is made larger has the same members, and more.
func Seed(study uint64, paths []string, point []json.RawMessage, repeat int) uint64 {
	key := binary.BigEndian.AppendUint64(nil, study)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("rlam.ensemble.v1\n"))
	for i, path := range paths {
		mac.Write([]byte(path + "=" + string(point[i]) + "\n"))
	}
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(repeat)))
	return binary.BigEndian.Uint64(mac.Sum(nil)) >> 11
}
