// Package retryafter reads how long a server asks its clients to wait.
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Of is how long the server of a response asks to wait before another request, by
// Retry-After (RFC 9110: seconds, or a date that is read against the server's own
// clock where it shows one) or by the retry-after-ms that some send. It is 0 if the
// server doesn't say, and at most a day.
func Of(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return bounded(ms / 1000)
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 {
		return bounded(seconds)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return bounded(at.Sub(now).Seconds())
}

// bounded is a wait of at least nothing and at most a day.
func bounded(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), 86400) * float64(time.Second))
}
