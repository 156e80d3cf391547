package scripted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"rlam/internal/canon"
)

// maxBody bounds a request.
const maxBody = 64 << 20

// Options say where a server listens and what it writes down.
type Options struct {
	// Addr is a loopback address to listen on; "127.0.0.1:0" by default.
	Addr string
	// Log is the path of a JSONL file of [Entry], created or appended to; none by default.
	Log string
	// LogBodies keeps each request's whole body in the log, for tests that look for
	// what a model must never see.
	LogBodies bool
}

// Server plays a scenario. It is safe for concurrent use.
type Server struct {
	scenario  *Scenario
	log       *os.File // nil without
	logBodies bool
	http      *http.Server
	address   string
	served    chan error

	ended   context.Context // done when Close is called
	end     context.CancelFunc
	mu      sync.Mutex
	closed  bool
	happens map[canon.Digest]int // how often a fault with times has happened, by rule and body
	active  sync.WaitGroup
}

// Start plays s until Close is called.
func Start(s *Scenario, opts Options) (*Server, error) {
	listener, err := net.Listen("tcp", first(opts.Addr, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("starting scripted model %q: %w", s.model, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("starting scripted model %q: %q is no loopback address", s.model, opts.Addr), listener.Close())
	}
	srv := &Server{
		scenario: s, logBodies: opts.LogBodies,
		address: listener.Addr().String(),
		served:  make(chan error, 1),
		happens: make(map[canon.Digest]int),
	}
	if opts.Log != "" {
		srv.log, err = os.OpenFile(opts.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("starting scripted model %q: %w", s.model, err), listener.Close())
		}
	}
	srv.ended, srv.end = context.WithCancel(context.Background())
	srv.http = &http.Server{Handler: srv.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { srv.served <- srv.http.Serve(listener) }()
	return srv, nil
}

// URL is the base URL for OpenAI clients; it ends in /v1.
func (s *Server) URL() string { return "http://" + s.address + "/v1" }

// Close ends the server: stalls are over, answers on their way are cut.
// It returns when no request is being answered any more.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.end()
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.active.Wait()
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	if err != nil {
		return fmt.Errorf("closing scripted model %q: %w", s.scenario.model, err)
	}
	return nil
}

// Handler is what the server serves, for those who bring a listener of their own.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.chat)
	mux.HandleFunc("GET /v1/models", s.models)
	mux.HandleFunc("GET /v1/models/{model...}", s.models)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "unknown_url", fmt.Sprintf("%s %s: a scripted model serves POST /v1/chat/completions and GET /v1/models", r.Method, r.URL.Path))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			panic(http.ErrAbortHandler)
		}
		defer s.active.Done()
		w.Header().Set("X-Scripted-Model", s.scenario.model)
		mux.ServeHTTP(w, r)
	})
}

// enter counts a request that Close must wait for, unless Close has been called.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.active.Add(1)
	}
	return !s.closed
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	this := model{ID: s.scenario.model, Object: "model", OwnedBy: "scripted"}
	switch name := r.PathValue("model"); name {
	case "":
		respond(w, http.StatusOK, encode(map[string]any{"object": "list", "data": []model{this}}))
	case this.ID:
		respond(w, http.StatusOK, encode(this))
	default:
		refuse(w, http.StatusNotFound, "model_not_found", s.scenario.otherModel(name))
	}
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, "unreadable", fmt.Sprintf("reading request: %v", err))
		return
	}
	p := s.play(body)
	p.entry.Time = time.Now().UTC()
	if s.logBodies {
		p.entry.Body = string(body)
	}
	if s.log != nil {
		if err := p.entry.append(s.log); err != nil {
			// An execution that nobody counted must not be answered.
			refuse(w, http.StatusInternalServerError, "log", err.Error())
			return
		}
	}
	if p.entry.Rule > 0 {
		w.Header().Set("X-Scripted-Rule", strconv.Itoa(p.entry.Rule))
	}
	p.send(w, r.Context(), s.ended)
}

// use says whether a fault happens to a request. A fault with times is counted.
func (s *Server) use(rule int, f *fault, body canon.Digest) bool {
	if f.Times == 0 {
		return true
	}
	key := canon.Key("rlam.scripted.fault.v1", strconv.Itoa(rule), body.Hex())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.happens[key] == f.Times {
		return false
	}
	s.happens[key]++
	return true
}

// respond writes an answer that is JSON.
func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}

// refuse answers with an error object.
func refuse(w http.ResponseWriter, status int, code, message string) {
	kind := "invalid_request_error"
	if status >= 500 {
		kind = "server_error"
	}
	respond(w, status, errorObject(kind, code, message))
}
