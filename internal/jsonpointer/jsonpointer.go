// Package jsonpointer spells the tokens of JSON pointers (RFC 6901), in which "~" and "/" are
// escaped.
package jsonpointer

import (
	"strconv"
	"strings"
)

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1")
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// Escape is a member's name as a token of a pointer.
func Escape(name string) string { return escaper.Replace(name) }

// Unescape is the name of the member that a token of a pointer stands for.
func Unescape(token string) string { return unescaper.Replace(token) }

// Member is the pointer of a member of what a pointer names.
func Member(of, name string) string { return of + "/" + Escape(name) }

// Item is the pointer of an item of the array that a pointer names.
func Item(of string, i int) string { return of + "/" + strconv.Itoa(i) }
