package web

import (
	"fmt"
	"net/http"
	"time"

	"rlam/internal/retryafter"
)

// The failure types that requests give.
const (
	TypeRateLimited    = "rlam.RateLimited"    // 429
	TypeTransient      = "rlam.Transient"      // nobody answered, or the service can't at the moment: 408, 425, 500, 502, 503, 504
	TypeHTTPStatus     = "rlam.HTTPStatus"     // any other status but 200 to 299
	TypeAddressRefused = "rlam.AddressRefused" // a host that isn't listed, or an address that isn't public
	TypeNoSecret       = "rlam.NoSecret"       // the worker lacks a secret
	TypeInvalidParams  = "rlam.InvalidParams"  // a value that can't stand where the request has it
	TypeInvalidOutput  = "rlam.InvalidOutput"  // the response isn't what the binding reads
	TypeInDoubt        = "rlam.InDoubt"        // the request was sent, no answer came, and the action isn't idempotent
)

// Error is why a request gave no output. No secret is in it.
type Error struct {
	Type       string
	Message    string
	RetryAfter time.Duration // as the service asked; 0 if it didn't
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

func failing(typ, format string, args ...any) *Error {
	return &Error{Type: typ, Message: fmt.Sprintf(format, args...)}
}

// statusError is what a status other than 200 to 299 means; nil for those.
func statusError(r *Response, idempotent bool) *Error {
	if r.Status >= 200 && r.Status < 300 {
		return nil
	}
	e := failing(TypeHTTPStatus, "the service answered %d %s to %s %s%s", r.Status, http.StatusText(r.Status), r.Method, r.URL, r.words())
	switch r.Status {
	case http.StatusTooManyRequests:
		e.Type, e.RetryAfter = TypeRateLimited, retryafter.Of(r.Header, time.Now())
	case http.StatusServiceUnavailable:
		e.Type, e.RetryAfter = TypeTransient, retryafter.Of(r.Header, time.Now())
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusInternalServerError:
		e.Type = TypeTransient
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		e.Type = TypeTransient
		if !idempotent {
			e.Type = TypeInDoubt
			e.Message += "; it came from a gateway, and the service behind it may have acted on the request. Look there before it is sent again"
		}
	}
	return e
}
