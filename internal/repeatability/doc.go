// Package repeatability says from what repeated executions of one action gave how far
// its outputs can be had again, and compares that with what the action declares.
//
// Every field of the output and every artifact is judged by itself, as the strongest
// class that the executions bear out:
//
//   - bitwise: the same bytes each time;
//   - tolerance: numbers that differ by no more than [Bounds], and nothing else differs;
//   - statistical: numbers that differ by more;
//   - unrepeatable: something other than numbers differs, or the form does.
//
// An array is one field, and so is an object whose names the action's schema doesn't
// list, since a class can't be declared for each of their members ahead of a call. Two
// numbers a and b agree within a relative tolerance r and an absolute one t if
//
//	|a − b| ≤ max(r · max(|a|, |b|), t)
//
// What a few executions on one machine show is no proof: that they agree doesn't mean
// that the next will, that they differ does mean that a stronger class is wrong.
//
// The package executes nothing and reads no store.
package repeatability
