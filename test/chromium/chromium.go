// Package chromium drives a headless browser in tests, over the pair of pipes that it takes
// DevTools commands from: it opens files, clicks, presses keys, takes pictures, and tells
// whether a page asked for anything or complained.
package chromium

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rlam/test/need"
)

// Browser is a headless chromium with one page. Its methods end the test where something
// can't be done.
type Browser struct {
	t       testing.TB
	in      io.Writer
	session string

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	seen    []message // events, in their order
	ended   error
}

// message is one of the protocol: a command, its answer or an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Open starts a browser that ends with the test, and opens a file in it. Without a file it
// shows nothing. Width and height are CSS pixels.
func Open(t testing.TB, file string, width, height int) *Browser {
	t.Helper()
	program := need.Program(t, "chromium")
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	back, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--force-device-scale-factor=1", "--hide-scrollbars", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, out}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	out.Close()
	b := &Browser{t: t, in: ours, waiting: map[int]chan message{}}
	read := make(chan struct{})
	go func() { defer close(read); b.read(back) }()
	t.Cleanup(func() {
		_, _ = b.call("Browser.close", nil)
		ours.Close()
		_ = cmd.Wait()
		<-read
		if t.Failed() {
			t.Logf("chromium said: %.2000s", said.String())
		}
	})
	target := b.ask("Target.createTarget", map[string]any{"url": "about:blank"})
	b.session = b.ask("Target.attachToTarget", map[string]any{"targetId": target["targetId"], "flatten": true})["sessionId"].(string)
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.ask(domain+".enable", nil)
	}
	b.ask("Performance.enable", map[string]any{"timeDomain": "threadTicks"})
	b.Size(width, height)
	if file != "" {
		b.Visit(file)
	}
	return b
}

// read takes in answers and events until the browser ends.
func (b *Browser) read(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		raw, err := in.ReadBytes(0)
		var m message
		if err == nil {
			err = json.Unmarshal(raw[:len(raw)-1], &m)
		}
		b.mu.Lock()
		if err != nil {
			b.ended = err
			for id, c := range b.waiting {
				close(c)
				delete(b.waiting, id)
			}
			b.mu.Unlock()
			return
		}
		if c := b.waiting[m.ID]; m.ID > 0 && c != nil {
			c <- m
			delete(b.waiting, m.ID)
		} else if m.Method != "" {
			b.seen = append(b.seen, m)
		}
		b.mu.Unlock()
	}
}

// call gives a command and waits for its answer.
func (b *Browser) call(method string, params any) (json.RawMessage, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	answer := make(chan message, 1)
	b.mu.Lock()
	if b.ended != nil {
		b.mu.Unlock()
		return nil, b.ended
	}
	b.last++
	m := message{ID: b.last, SessionID: b.session, Method: method, Params: raw}
	b.waiting[m.ID] = answer
	b.mu.Unlock()
	line, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if _, err := b.in.Write(append(line, 0)); err != nil {
		return nil, err
	}
	select {
	case got, ok := <-answer:
		if !ok {
			return nil, fmt.Errorf("%s: the browser has ended", method)
		}
		if got.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, got.Error.Message)
		}
		return got.Result, nil
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("%s: no answer in a minute", method)
	}
}

// ask gives a command and returns its result.
func (b *Browser) ask(method string, params any) map[string]any {
	b.t.Helper()
	raw, err := b.call(method, params)
	if err != nil {
		b.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	return out
}

// Visit opens a file and waits until it has loaded.
func (b *Browser) Visit(file string) {
	b.t.Helper()
	b.ask("Page.navigate", map[string]any{"url": "file://" + file})
	b.Wait(`document.readyState === "complete" && location.href.startsWith("file:")`)
}

// Size sets the size of the window; a narrow one is a telephone's.
func (b *Browser) Size(width, height int) {
	b.t.Helper()
	b.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
}

// Eval gives the value of an expression.
func (b *Browser) Eval(expression string) any {
	b.t.Helper()
	got := b.ask("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if e, ok := got["exceptionDetails"]; ok {
		b.t.Fatalf("%s: %v", expression, e)
	}
	return got["result"].(map[string]any)["value"]
}

// Wait waits until an expression is true.
func (b *Browser) Wait(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		got, err := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true})
		if err == nil && strings.Contains(string(got), `"value":true`) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("after 30 s it doesn't hold: %s (%s, %v)", expression, got, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Click clicks where an element is, as a person does.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	at, ok := b.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); if (!e) return null; e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect(); return [r.x + Math.min(r.width / 2, 120), r.y + r.height / 2]; })()`, selector)).([]any)
	if !ok {
		b.t.Fatalf("there is no %s to click", selector)
	}
	b.ClickAt(at[0].(float64), at[1].(float64))
}

// ClickAt clicks at a place of the window.
func (b *Browser) ClickAt(x, y float64) {
	b.t.Helper()
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.ask("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})
	}
}

// codes are those of keys that write nothing.
var codes = map[string]int{"ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39, "Escape": 27, "Enter": 13, "Home": 36, "End": 35, "Tab": 9}

// Key presses a key.
func (b *Browser) Key(key string) {
	b.t.Helper()
	press := map[string]any{"type": "keyDown", "key": key}
	if code := codes[key]; code > 0 {
		press["windowsVirtualKeyCode"], press["code"] = code, key
		if key == "Enter" {
			press["text"] = "\r"
		}
	} else {
		press["text"] = key
	}
	b.ask("Input.dispatchKeyEvent", press)
	b.ask("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key})
}

// Write writes a text where the cursor is.
func (b *Browser) Write(text string) {
	b.t.Helper()
	b.ask("Input.insertText", map[string]any{"text": text})
}

// Work is how long the page's main thread has computed so far. Unlike time on a clock it
// says the same on a machine that has other work as well.
func (b *Browser) Work() time.Duration {
	b.t.Helper()
	for _, m := range b.ask("Performance.getMetrics", nil)["metrics"].([]any) {
		if m := m.(map[string]any); m["name"] == "TaskDuration" {
			return time.Duration(m["value"].(float64) * float64(time.Second))
		}
	}
	b.t.Fatal("the browser doesn't say how much it works")
	return 0
}

// Picture keeps what is on the screen: go test -artifacts leaves it to look at.
func (b *Browser) Picture(name string) {
	b.t.Helper()
	b.Eval(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
	png, err := base64.StdEncoding.DecodeString(b.ask("Page.captureScreenshot", map[string]any{"format": "png"})["data"].(string))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Quiet fails the test if the page asked for anything but itself and its own data:
// addresses, broke its policy, threw, or wrote to the console.
func (b *Browser) Quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.seen {
		switch m.Method {
		case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening":
			b.t.Errorf("%s: %.600s", m.Method, m.Params)
		case "Network.requestWillBeSent":
			var p struct {
				Request struct {
					URL string `json:"url"`
				} `json:"request"`
			}
			if err := json.Unmarshal(m.Params, &p); err != nil {
				b.t.Fatal(err)
			}
			if u := p.Request.URL; !strings.HasPrefix(u, "file:") && !strings.HasPrefix(u, "data:") && u != "about:blank" {
				b.t.Errorf("a request was made: %.200s", u)
			}
		}
	}
}
