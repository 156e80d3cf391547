package executor_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rlam/activities/executor"
	"rlam/activities/executor/web"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
)

// service is a web service of the test, on loopback.
func service(t *testing.T, h http.HandlerFunc) (address, origin string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), s.URL
}

func requestTask(h *schemas.HTTP, params string) executor.Task {
	return executor.Task{
		Call: "1.1", Attempt: 1, Action: "ask@1", Binding: schemas.Binding{HTTP: h}, Params: json.RawMessage(params), Idempotent: true,
		Returns: json.RawMessage(`{"type":"object","properties":{"mass":{"type":"number"},"n":{"type":"integer"}}}`), IdempotencyKey: "key-1",
	}
}

// A request goes where its template says, whatever the values are.
func TestRequest(t *testing.T) {
	var got *http.Request
	var body string
	address, origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		var b strings.Builder
		fmt.Fprint(&b, r.ContentLength, " ")
		raw := make([]byte, 1000)
		n, _ := r.Body.Read(raw)
		body = string(raw[:n])
		w.Header().Set("X-Version", "7")
		w.Header().Set("Set-Cookie", "session=private")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, `{"data":[{"mass":"12.50","id":9007199254740993}],"n":3}`)
	})
	blobs := &store.Mem{}
	set := newSet(t, executor.Config{Blobs: blobs, AllowAddresses: []string{address}})
	h := &schemas.HTTP{
		Method: "POST", URL: origin + "/v1/{params.id}/rows?q={params.q}&from={params.from}&page=1",
		Headers: map[string]string{"X-Unit": "{params.unit}"},
		Body:    json.RawMessage(`{"range":"{params.range}","label":"{params.id} in {params.unit}","n":1,"skip":"{params.none}"}`),
		Result:  map[string]string{"mass": "/data/0/mass", "n": "/n", "version": "header.X-Version", "raw": "body", "status": "status"}, Response: "rows", IdempotencyKey: "Idempotency-Key",
	}
	r, f := outcome(t, set, requestTask(h, `{"id":"a/../b?c#d","q":"x&y=1 z","unit":"g","range":[1,2.5]}`))
	if f != nil {
		t.Fatal(f)
	}
	if got.URL.EscapedPath() != "/v1/a%2F..%2Fb%3Fc%23d/rows" || got.URL.RawQuery != "q=x%26y%3D1+z&page=1" {
		t.Errorf("asked %q", got.URL)
	}
	if got.Header.Get("X-Unit") != "g" || got.Header.Get("Idempotency-Key") != "key-1" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", got.Header)
	}
	if body != `{"label":"a/../b?c#d in g","n":1,"range":[1,2.5]}` {
		t.Errorf("body %s", body)
	}
	raw := canon.Sum([]byte(`{"data":[{"mass":"12.50","id":9007199254740993}],"n":3}`))
	if want := `{"mass":12.5,"n":3,"raw":"` + raw.String() + `","status":200,"version":"7"}`; string(r.Output) != want {
		t.Errorf("output %s, want %s", r.Output, want)
	}
	if len(r.Artifacts) != 2 || r.Artifacts[0].Name != "rows" || r.Artifacts[0].Digest != raw || r.Artifacts[0].MediaType != "application/json" || r.Artifacts[1].Name != "rows.http.json" {
		t.Fatalf("artifacts %+v", r.Artifacts)
	}
	exchange := text(t, blobs, r.Artifacts[1].Digest)
	for _, want := range []string{`"status":200`, `"X-Version":["7"]`, address, `"method":"POST"`} {
		if !strings.Contains(exchange, want) {
			t.Errorf("the recorded exchange lacks %s: %s", want, exchange)
		}
	}
	if strings.Contains(exchange, "session=private") {
		t.Errorf("a cookie is recorded: %s", exchange)
	}
}

func TestUploadIsTheArtifact(t *testing.T) {
	var got string
	address, origin := service(t, func(_ http.ResponseWriter, r *http.Request) {
		raw := make([]byte, 100)
		n, _ := r.Body.Read(raw)
		got = r.Header.Get("Content-Type") + " " + string(raw[:n])
	})
	blobs := &store.Mem{}
	d, _, err := blobs.Put(t.Context(), strings.NewReader("t,n\n1,2\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := &schemas.HTTP{Method: "PUT", URL: origin + "/", Upload: "data", Headers: map[string]string{"Content-Type": "text/csv"}, Result: map[string]string{"status": "status"}}
	if _, f := outcome(t, newSet(t, executor.Config{Blobs: blobs, AllowAddresses: []string{address}}), requestTask(h, `{"data":"`+d.String()+`"}`)); f != nil || got != "text/csv t,n\n1,2\n" {
		t.Errorf("sent %q, failure %v", got, f)
	}
}

func TestValuesThatDontFitTheirPlace(t *testing.T) {
	set := newSet(t, executor.Config{})
	for params, want := range map[string]string{
		`{"id":".."}`:           "would ask for something else",
		`{"id":"."}`:            "would ask for something else",
		`{"id":""}`:             "would ask for something else",
		`{"id":"a\r\nHost: b"}`: "control character",
		`{"id":[1]}`:            "no string, number or boolean",
		`{}`:                    "not given",
	} {
		_, f := outcome(t, set, requestTask(&schemas.HTTP{URL: "https://api.example.org/v1/{params.id}"}, params))
		wantFailure(t, f, executor.TypeInvalidParams, want)
	}
}

// What a status means decides whether the call is tried again, and when.
func TestStatus(t *testing.T) {
	address, origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		fmt.Fprint(w, "the reason")
	})
	set := newSet(t, executor.Config{AllowAddresses: []string{address}})
	for _, c := range []struct {
		status     int
		idempotent bool
		typ        string
		after      time.Duration
	}{
		{429, false, web.TypeRateLimited, 7 * time.Second},
		{503, false, web.TypeTransient, 7 * time.Second},
		{500, false, web.TypeTransient, 0},
		{504, true, web.TypeTransient, 0},
		{504, false, web.TypeInDoubt, 0},
		{404, true, web.TypeHTTPStatus, 0},
		{401, true, web.TypeHTTPStatus, 0},
		{304, true, web.TypeHTTPStatus, 0},
	} {
		task := requestTask(&schemas.HTTP{URL: fmt.Sprintf("%s/%d", origin, c.status)}, `{}`)
		task.Idempotent = c.idempotent
		_, f := outcome(t, set, task)
		wantFailure(t, f, c.typ, fmt.Sprint(c.status))
		if time.Duration(f.RetryAfter) != c.after {
			t.Errorf("%d asks for a wait of %v, want %v", c.status, time.Duration(f.RetryAfter), c.after)
		}
		if len(f.Artifacts) != 2 {
			t.Errorf("%d: the response is not kept: %+v", c.status, f.Artifacts)
		}
	}
}

// A connection that breaks after the request was sent leaves an effect in doubt.
func TestNoAnswer(t *testing.T) {
	address, origin := service(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	set := newSet(t, executor.Config{AllowAddresses: []string{address, nobody.Addr().String()}})
	for _, c := range []struct {
		url        string
		idempotent bool
		typ        string
	}{
		{origin, true, web.TypeTransient},
		{origin, false, web.TypeInDoubt},
		{"http://" + nobody.Addr().String(), false, web.TypeTransient}, // never sent
	} {
		task := requestTask(&schemas.HTTP{Method: "POST", URL: c.url + "/"}, `{}`)
		task.Idempotent = c.idempotent
		_, f := outcome(t, set, task)
		wantFailure(t, f, c.typ, "")
	}
}

// No spelling of an address that isn't public is reached, nor by a redirect or by a name.
func TestAddressesThatAreNotPublic(t *testing.T) {
	var reached atomic.Bool
	inside, _ := service(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	_, port, _ := net.SplitHostPort(inside)
	outside, origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	set := newSet(t, executor.Config{AllowAddresses: []string{outside}})
	for _, host := range []string{
		"127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "0x7f000001", "2130706433", "127.1", "0177.0.0.1",
		"169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "224.0.0.1", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[2002:7f00:1::]", "255.255.255.255",
	} {
		target := "http://" + host + ":" + port + "/"
		_, f := outcome(t, set, requestTask(&schemas.HTTP{URL: target}, `{}`))
		wantFailure(t, f, web.TypeAddressRefused, "")
		if u, err := url.Parse(target); err == nil {
			_, f = outcome(t, set, requestTask(&schemas.HTTP{URL: origin + "/?to=" + url.QueryEscape(target), Hosts: []string{outside, u.Host}}, `{}`))
			wantFailure(t, f, web.TypeAddressRefused, "")
		}
	}
	_, f := outcome(t, set, requestTask(&schemas.HTTP{URL: origin + "/?to=" + url.QueryEscape("http://"+inside+"/")}, `{}`))
	wantFailure(t, f, web.TypeAddressRefused, "not among those that the action may ask")
	if reached.Load() {
		t.Error("the service inside was reached")
	}
}

// canary is a secret that must turn up nowhere.
const canary = `canary-"7f3a/c1+d9`

func TestSecretsAreNotRecorded(t *testing.T) {
	t.Setenv("RLAM_SECRET_TOKEN", canary)
	var got, elsewhere string
	second, secondOrigin := service(t, func(_ http.ResponseWriter, r *http.Request) {
		elsewhere = fmt.Sprint(r.Header, r.URL)
	})
	address, origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, secondOrigin+"/", http.StatusFound)
			return
		case "/bad":
			w.WriteHeader(http.StatusForbidden)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", got)
		json.NewEncoder(w).Encode(map[string]any{"you sent": got, "url": r.URL.String(), "raw": r.URL.Query().Get("key")})
	})
	blobs := &store.Mem{}
	set := newSet(t, executor.Config{Blobs: blobs, AllowAddresses: []string{address, second}})
	for _, path := range []string{"/good", "/bad", "/away"} {
		h := &schemas.HTTP{
			URL: origin + path + "?key={secret.TOKEN}", Headers: map[string]string{"Authorization": "Bearer {secret.TOKEN}", "X-Key": "{secret.TOKEN}"},
			Hosts: []string{address, second}, Result: map[string]string{"status": "status"},
		}
		r, err := executor.Run(t.Context(), set, requestTask(h, `{}`))
		if got != "Bearer "+canary {
			t.Errorf("sent %q", got)
		}
		all := fmt.Sprintf("%s %+v %+v %v", r.Output, r.Artifacts, r.Log, err)
		artifacts, log := r.Artifacts, r.Log
		if f, ok := err.(*executor.Failure); ok {
			b, _ := json.Marshal(f)
			all += string(b)
			artifacts, log = f.Artifacts, f.Log
		}
		if len(artifacts) != 2 || log.Digest.IsZero() {
			t.Fatalf("%s left %+v and log %+v, %v", path, artifacts, log, err)
		}
		for _, a := range append(artifacts, log) {
			all += text(t, blobs, a.Digest)
		}
		for _, spelled := range []string{canary, url.QueryEscape(canary), "7f3a/c1", "7f3a%2Fc1"} {
			if strings.Contains(all, spelled) {
				t.Errorf("%s: the secret is in what is kept: %s", path, all)
			}
		}
		if path != "/away" && !strings.Contains(all, "[secret.TOKEN]") {
			t.Errorf("%s: nothing shows where the secret was: %s", path, all)
		}
	}
	if elsewhere == "" || strings.Contains(elsewhere, "7f3a") {
		t.Errorf("another origin was sent %q", elsewhere)
	}
	_, f := outcome(t, set, requestTask(&schemas.HTTP{URL: origin + "/", Headers: map[string]string{"A": "{secret.OTHER}"}}, `{}`))
	wantFailure(t, f, web.TypeNoSecret, "RLAM_SECRET_OTHER")
	env, err := set.Environment(t.Context(), requestTask(&schemas.HTTP{URL: origin + "/", Headers: map[string]string{"A": "{secret.TOKEN}"}}, `{}`))
	if err != nil || fmt.Sprint(env.Identity.Secrets) != "[TOKEN]" || len(env.Identity.Allowed) != 2 {
		t.Errorf("environment %+v, %v", env.Identity, err)
	}
}

func TestResponsesThatAreNoOutput(t *testing.T) {
	address, origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			fmt.Fprint(w, strings.Repeat("x", 2000))
		case "/twice":
			fmt.Fprint(w, `{"n":1,"n":2}`)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"n":1}`)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			fmt.Fprint(w, `{"m":{"n":9007199254740993}}`)
		}
	})
	set := newSet(t, executor.Config{AllowAddresses: []string{address}})
	for _, c := range []struct{ path, pointer, typ, word string }{
		{"/large", "/n", web.TypeInvalidOutput, "larger than 1000 bytes"},
		{"/twice", "/n", web.TypeInvalidOutput, "duplicate"},
		{"/none", "/n", web.TypeInvalidOutput, `has no "n"; its keys are "m"`},
		{"/none", "/m/n", web.TypeInvalidOutput, "exact"},
		{"/none", "header.X-None", web.TypeInvalidOutput, "no header"},
		{"/cut", "/n", web.TypeTransient, "EOF"},
		{"/round", "/n", web.TypeHTTPStatus, "more than 5 times"},
	} {
		_, f := outcome(t, set, requestTask(&schemas.HTTP{URL: origin + c.path, Result: map[string]string{"n": c.pointer}, MaxBytes: 1000}, `{}`))
		wantFailure(t, f, c.typ, c.word)
	}
}

func TestARequestIsEndedAtOnce(t *testing.T) {
	asked, release := make(chan bool, 2), make(chan bool)
	address, origin := service(t, func(http.ResponseWriter, *http.Request) {
		asked <- true
		<-release
	})
	t.Cleanup(func() { close(release) })
	set := newSet(t, executor.Config{AllowAddresses: []string{address}})
	h, err := set.Start(t.Context(), requestTask(&schemas.HTTP{URL: origin + "/"}, `{}`))
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	begun := time.Now()
	if err := set.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
	_, err = set.Collect(t.Context(), h)
	wantFailure(t, err.(*executor.Failure), executor.TypeCancelled, "had been sent")

	task := requestTask(&schemas.HTTP{URL: origin + "/"}, `{}`)
	task.Timeout = 50 * time.Millisecond
	_, f := outcome(t, set, task)
	wantFailure(t, f, executor.TypeTimeout, "had been sent")
}

func TestAddressesAreHostAndPort(t *testing.T) {
	for _, bad := range []string{"localhost", "*:80", ":80", "http://a:80"} {
		if _, err := executor.New(executor.Config{Blobs: &store.Mem{}, AllowAddresses: []string{bad}}); err == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}
