// Package draw makes random numbers that anyone can make again from a seed.
//
// The bits come from ChaCha8, as C2SP specifies it (c2sp.org/chacha8rand) and
// math/rand/v2 has it, keyed with the SHA-256 of
//
//	"rlam.draw.v1\n", purpose, "\n", the seed as 8 bytes, the highest first
//
// so that streams for different purposes have nothing in common. What is made of
// the bits is defined here, and not by a library's choice of algorithm: a test
// holds the first numbers.
package draw

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"gonum.org/v1/gonum/mathext"
)

// Stream is a sequence of random numbers. It is not for concurrent use.
type Stream struct{ source *rand.ChaCha8 }

// New is the stream of a seed for a purpose.
func New(seed uint64, purpose string) *Stream {
	key := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("rlam.draw.v1\n"+purpose+"\n"), seed))
	return &Stream{rand.NewChaCha8(key)}
}

// Uniform is a number between 0 and 1, neither included: an odd multiple of 2⁻⁵³,
// so that 1 less a number is one as well, exactly.
func (s *Stream) Uniform() float64 {
	return (float64(s.source.Uint64()>>12) + 0.5) * 0x1p-52
}

// Below is an integer from 0 to n−1, each equally likely; n is positive. It takes
// the high half of a product with n, and draws again where the low half would
// favour some integers (Lemire, ACM TOMACS 29, 2019, article 3).
func (s *Stream) Below(n int) int {
	bound := uint64(n)
	for {
		high, low := bits.Mul64(s.source.Uint64(), bound)
		if low >= -bound%bound {
			return int(high)
		}
	}
}

// Shuffle puts values into an order, each equally likely (Fisher and Yates; Durstenfeld 1964).
func Shuffle[T any](s *Stream, values []T) {
	for i := len(values) - 1; i > 0; i-- {
		j := s.Below(i + 1)
		values[i], values[j] = values[j], values[i]
	}
}

// Normal is the standard normal number with the cumulative probability u, such as
// a uniform number (by inversion; Cephes).
func Normal(u float64) float64 { return mathext.NormalQuantile(u) }
