package store

import (
	"fmt"
	"strings"
)

// MaxSegment is how many characters a segment of a key may have: written with
// two for each upper-case letter it still fits a file system's 255.
const MaxSegment = 120

// maxKey keeps a key's path well below the 4096 bytes that systems allow.
const maxKey = 1000

// CheckKey refuses what is no key: see [Entry].
func CheckKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("key %.80q… has %d characters: want at most %d", key, len(key), maxKey)
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return fmt.Errorf("key %q has an empty segment", key)
		case len(segment) > MaxSegment:
			return fmt.Errorf("key %q has a segment of %d characters: want at most %d", key, len(segment), MaxSegment)
		case segment[0] == '.' || segment[len(segment)-1] == '.':
			return fmt.Errorf("key %q has a segment that begins or ends with %q", key, ".")
		}
		for _, c := range []byte(segment) {
			if !keyByte(c) {
				return fmt.Errorf("key %q has the character %q: want A-Z, a-z, 0-9, \".\", \"_\" or \"-\"", key, c)
			}
		}
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// escape spells a key or a segment so that a file system that folds case keeps "A" and "a" apart.
func escape(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if 'A' <= c && c <= 'Z' {
			b.WriteByte('!')
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescape undoes escape, and refuses what escape doesn't write.
func unescape(name string) (segment string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '!' && i+1 < len(name) && 'a' <= name[i+1] && name[i+1] <= 'z' {
			i++
			c = name[i] - ('a' - 'A')
		}
		b.WriteByte(c)
	}
	segment = b.String()
	return segment, escape(segment) == name && CheckKey(segment) == nil
}
