package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rlam/schemas"
)

const (
	maxRedirects   = 5
	connectTimeout = 30 * time.Second
)

// Client sends requests. Its zero value reaches public addresses only.
type Client struct {
	Allow []string // HOST:PORT of services that may have any address; HOST as in the URL
}

// Send sends r, follows redirects within its hosts, and reads the whole response. open
// opens the artifact that r uploads. A response of whatever status comes back; with it
// may come an *Error that says what is wrong with it. An error alone says that there was none.
func (c Client) Send(ctx context.Context, r *Request, open func(handle string) (io.ReadCloser, error)) (*Response, error) {
	out := &Response{Method: r.Method, Request: r}
	at := r.URL
	for range maxRedirects + 1 {
		if err := c.mayAsk(r, at); err != nil {
			return nil, err
		}
		next, err := c.exchange(ctx, r, at, out, open)
		if err != nil {
			return out.orNil(), err
		}
		if next == nil {
			if e := statusError(out, r.Idempotent); e != nil {
				return out, e
			}
			return out, nil
		}
		out.Redirects = append(out.Redirects, r.Secrets.Redact(next.String()))
		at = next
	}
	return out, failing(TypeHTTPStatus, "%s redirects more than %d times", out.URL, maxRedirects)
}

func (c Client) mayAsk(r *Request, u *url.URL) error {
	if !schemas.Allowed(r.Hosts, u) {
		return failing(TypeAddressRefused, "the host %q is not among those that the action may ask (%s); if it should be, list it under \"hosts\"", u.Host, strings.Join(r.Hosts, ", "))
	}
	return refuseHost(u.Hostname())
}

// exchange sends one request and reads its response into out. It returns where a
// redirect leads, or nil.
func (c Client) exchange(ctx context.Context, r *Request, at *url.URL, out *Response, open func(string) (io.ReadCloser, error)) (*url.URL, error) {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			sent.Store(true) // from here on, the service may have got it
			out.Address = i.Conn.RemoteAddr().String()
		},
	})
	req, err := r.newRequest(ctx, at, open)
	if err != nil {
		return nil, err
	}
	transport := c.transport()
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(req)
	if err != nil {
		return nil, r.noAnswer(ctx, err, sent.Load())
	}
	defer response.Body.Close()
	if err := out.read(response, at); err != nil {
		return nil, r.noAnswer(ctx, err, true)
	}
	if out.Truncated {
		return nil, failing(TypeInvalidOutput, "the response of %s is larger than %d bytes: raise \"max_bytes\", or ask for less", out.URL, r.MaxBytes)
	}
	return r.redirect(out, at)
}

func (r *Request) newRequest(ctx context.Context, at *url.URL, open func(string) (io.ReadCloser, error)) (*http.Request, error) {
	var body io.Reader
	switch {
	case r.Upload != "":
		content, err := open(r.Upload)
		if err != nil {
			return nil, err
		}
		body = content // closed by the transport
	case r.Body != nil:
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, at.String(), body)
	if err != nil {
		return nil, failing(TypeInvalidParams, "making the request: %s", r.Secrets.Redact(err.Error()))
	}
	if at.Scheme == r.URL.Scheme && at.Host == r.URL.Host {
		req.Header = r.Header.Clone()
	} else {
		req.Header.Set("User-Agent", "rlam") // another origin gets nothing that was meant for the first
	}
	return req, nil
}

// redirect is where a response sends its reader; nil if it is the answer.
func (r *Request) redirect(out *Response, from *url.URL) (*url.URL, error) {
	if !slices.Contains([]int{301, 302, 303, 307, 308}, out.Status) || out.Header.Get("Location") == "" {
		return nil, nil
	}
	to, err := from.Parse(out.location)
	switch {
	case err != nil:
		return nil, failing(TypeHTTPStatus, "%s redirects to what is no URL", out.URL)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil, failing(TypeHTTPStatus, "%s redirects a %s to %s: write that URL into the action if it is right", out.URL, r.Method, r.Secrets.Redact(to.String()))
	case to.Scheme != "https" && to.Scheme != from.Scheme || to.User != nil:
		return nil, failing(TypeAddressRefused, "%s redirects to %s, which is less safe", out.URL, r.Secrets.Redact(to.Redacted()))
	}
	to.Fragment = ""
	return to, nil
}

// noAnswer is what it means that no answer came.
func (r *Request) noAnswer(ctx context.Context, err error, sent bool) error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	if ctx.Err() != nil {
		// The attempt's end has a reason of its own, which the executor knows.
		return fmt.Errorf("%s %s: %w%s", r.Method, r.Secrets.Redact(r.URL.String()), ctx.Err(), map[bool]string{true: "; it had been sent, and the service may have acted on it"}[sent])
	}
	message := r.Secrets.Redact(fmt.Sprintf("%s %s: %v", r.Method, r.URL, err))
	if sent && !r.Idempotent {
		return failing(TypeInDoubt, "%s. The request was sent, no answer came, and the action is not idempotent: look whether the service acted on it before it is sent again", message)
	}
	return failing(TypeTransient, "%s", message)
}

// HTTP is a client for protocols that make requests of their own: with the same
// guard, without redirects, with headers added to each request, and a bound on each
// response. refused is the *Error of the first request that was refused here, nil if none
// was: what such a protocol makes of it may not tell.
func (c Client) HTTP(headers http.Header, maxBytes int64) (client *http.Client, refused func() error) {
	d := &decorated{Transport: c.transport(), headers: headers, maxBytes: maxBytes}
	client = &http.Client{
		Transport: d,
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			return d.refuse(failing(TypeAddressRefused, "the server redirects to %s: write that URL into the action if it is right", to.URL.Redacted()))
		},
	}
	return client, func() error {
		if e := d.refused.Load(); e != nil {
			return e
		}
		return nil
	}
}

// decorated adds headers to requests and bounds responses.
type decorated struct {
	*http.Transport
	headers  http.Header
	maxBytes int64
	refused  atomic.Pointer[Error]
}

// refuse remembers an *Error.
func (d *decorated) refuse(err error) error {
	var e *Error
	if errors.As(err, &e) {
		d.refused.CompareAndSwap(nil, e)
	}
	return err
}

func (d *decorated) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := refuseHost(r.URL.Hostname()); err != nil {
		return nil, d.refuse(err)
	}
	r = r.Clone(r.Context())
	for name, values := range d.headers {
		r.Header[name] = values
	}
	response, err := d.Transport.RoundTrip(r)
	if err != nil {
		return nil, d.refuse(err)
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, d.maxBytes), response.Body}
	return response, nil
}

// transport makes connections that the guard has looked at, and keeps none.
func (c Client) transport() *http.Transport {
	return &http.Transport{
		Proxy: nil, DisableKeepAlives: true, // on a kept connection, Go would send a request a second time
		DialContext:         c.dial,
		TLSHandshakeTimeout: connectTimeout, MaxResponseHeaderBytes: 256 << 10,
	}
}

func (c Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout, Control: guard}
	if slices.ContainsFunc(c.Allow, func(a string) bool { return strings.EqualFold(a, address) }) {
		d.Control = nil
	}
	return d.DialContext(ctx, network, address)
}
