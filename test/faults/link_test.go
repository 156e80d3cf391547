//go:build linux || darwin

package faults_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// link is the network between a worker and the server: it can be cut and mended.
type link struct {
	address string
	to      string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// newLink makes a link to an address.
func newLink(t *testing.T, to string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{address: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		l.Close()
		k.cut()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go k.carry(c)
		}
	}()
	return k
}

// carry carries one connection's bytes until either side ends or the link is cut.
func (k *link) carry(near net.Conn) {
	far, err := net.Dial("tcp", k.to)
	if err != nil {
		near.Close()
		return
	}
	if !k.add(near, far) {
		return
	}
	defer k.remove(near, far)
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		io.Copy(to, from)
		done <- struct{}{}
	}
	go pipe(near, far)
	go pipe(far, near)
	<-done
}

func (k *link) add(conns ...net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range conns {
		if k.down {
			c.Close()
		} else {
			k.conns[c] = true
		}
	}
	return !k.down
}

func (k *link) remove(conns ...net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(k.conns, c)
	}
}

// cut ends all connections and refuses new ones: nothing gets through any more.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = true
	for c := range k.conns {
		c.Close()
	}
}

// mend lets connections through again.
func (k *link) mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = false
}

// turnstile stands before the model, and keeps the first requests waiting until it is told to
// let them through.
type turnstile struct {
	url     string
	arrived chan struct{} // gets one for each request that is kept

	mu   sync.Mutex
	keep int
	pass chan struct{}
}

// newTurnstile keeps the first n requests to a model waiting.
func newTurnstile(t *testing.T, modelURL string, n int) *turnstile {
	t.Helper()
	target, err := url.Parse(modelURL)
	if err != nil {
		t.Fatal(err)
	}
	s := &turnstile{arrived: make(chan struct{}, 16), keep: n, pass: make(chan struct{})}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.kept() {
			s.arrived <- struct{}{}
			<-s.pass
		}
		forward.ServeHTTP(w, r)
	})}
	go server.Serve(l)
	t.Cleanup(func() {
		s.let()
		server.Close()
	})
	s.url = "http://" + l.Addr().String() + target.Path
	return s
}

func (s *turnstile) kept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep--
	return s.keep >= 0
}

// close keeps the next n requests waiting.
func (s *turnstile) close(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = n
}

// let lets through what was kept.
func (s *turnstile) let() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.pass:
	default:
		close(s.pass)
	}
}
