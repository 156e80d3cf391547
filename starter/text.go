package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rlam/provenance/ancestry"
	"rlam/starter/follow"
)

// textPrinter says messages to people.
type textPrinter struct {
	*screen

	mu      sync.Mutex // Tick comes from beside Print
	headed  bool       // the columns of a listing have been named
	recap   bool       // what is told has happened before: a line each
	running map[string]*underWay
	params  map[string]follow.Value // of the newest calls

	live         bool      // there is a terminal, and a line of it may be written anew
	liveLine     bool      // such a line stands, without its end
	progressSaid time.Time // of an ensemble, last
	progressLine string    // the line of progress that was said last
}

// underWay is an attempt that was handed out.
type underWay struct {
	action string
	since  time.Time
	next   time.Duration // after which it is said that it still runs
}

func newTextPrinter(w io.Writer, getenv func(string) string) *textPrinter {
	return &textPrinter{screen: newScreen(w, getenv), running: map[string]*underWay{}, params: map[string]follow.Value{}, live: isTerminal(w) && getenv("TERM") != "dumb"}
}

// Print says one message.
func (p *textPrinter) Print(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m := m.(type) {
	case exitMessage:
		p.exit(m)
	case resultMessage:
		p.printf("%s\n", indent(m.Value.Value))
	case launched:
		p.launched(m)
	case interrupted:
		p.printf("\n")
		p.block("", fmt.Sprintf("Interrupted. Run %s is open, and nothing that was recorded is lost. Go on, or end it:", m.Run), unstyled)
		p.commands(m.Next)
	case recap:
		p.recap = true
	case serving:
		p.pairs("Temporal", m.Address, "Temporal UI", m.UI, "store", short(m.Store), "task queue", m.TaskQueue)
		p.printf("Ctrl-C stops the worker.\n")
	case serverStatus:
		p.serverStatus(m)
	case serverStopped:
		p.printf("Stopped the Temporal server at %s. Its runs are kept.\n", m.Address)
	case pinnedTool:
		p.pinnedTool(m)
	case checked:
		p.checked(m)
	case explained:
		p.explained(m)
	case askEnd:
		p.askEnd(m)
	case listedRun:
		p.listed(m)
	case listEnd:
		p.listEnd(m)
	case listedAction:
		p.listedAction(m)
	case shownAction:
		p.shownAction(m)
	case placed:
		p.environment(m)
	case whyMessage:
		p.why(m)
	case environmentDiff:
		p.environmentDiff(m)
	case writtenAction:
		p.written(m)
	case repeated:
		p.repeated(m)
	case version:
		p.version(m)
	case stepMessage:
		p.step(m)
	case keyMessage:
		p.key(m)
	case checkMessage:
		p.check(m)
	case writtenContent:
		p.content(m)
	case revealMessage:
		p.revealed(m)
	case verdictMessage:
		p.judged(m)
	case replayMessage:
		p.replayed(m)
	case replayEnd:
		p.replayEnd(m)
	case summaryMessage:
		p.summarised(m.Report)
	case ancestryMessage:
		p.ancestry(m)
	case diffMessage:
		p.diff(m.Diff)
	case auditMessage:
		p.audit(m)
	case resetMessage:
		p.rewound(m)
	case reproducedMessage:
		p.reproduced(m)
	case importedMessage:
		p.imported(m)
	case lineageMessage:
		p.lineage(m)
	case exportedMessage:
		p.exported(m)
	case standingMessage:
		p.standing(m)
	case memberMessage:
		p.member(m)
	case ensembleProgress:
		p.ensembleProgress(m)
	case ensembleEnd:
		p.ensembleEnd(m)
	case progressMessage:
		p.progress(m.Progress)
	default:
		p.event(m)
	}
}

func (p *textPrinter) exit(m exitMessage) {
	if len(m.Problems) > 0 {
		for _, problem := range m.Problems {
			p.printf("%s\n", printable(problem.Error()))
		}
		return
	}
	p.printf("%s %s\n", p.bad.Render("starter:"), printable(m.Message))
}

func (p *textPrinter) launched(m launched) {
	p.pairs("run", m.Run, "Temporal UI", m.URL, "worker's log", short(m.Log))
	p.commands(m.Next)
}

// pairs writes names and values, below each other; those without a value are left out.
func (p *textPrinter) pairs(pairs ...string) {
	widest := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			widest = max(widest, len(pairs[i]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			// Not broken: most are addresses and paths, which people copy.
			p.printf("%s  %s\n", p.dim.Render(fmt.Sprintf("%-*s", widest, pairs[i])), printable(pairs[i+1]))
		}
	}
}

func (p *textPrinter) commands(next []string) {
	for _, c := range next {
		p.printf("  %s\n", p.bold.Render(c))
	}
}

func (p *textPrinter) serverStatus(m serverStatus) {
	health := p.good.Render("serving")
	if !m.Healthy {
		health = p.bad.Render("not serving") + ": " + m.Problem
	}
	p.printf("The Temporal server is %s.\n", health)
	database := ""
	if m.Database != "" {
		database = fmt.Sprintf("%s, %s", short(m.Database), size(m.DatabaseSize))
	}
	p.pairs("address", m.Address, "Temporal UI", m.UI, "version", m.Version, "process", fmt.Sprint(m.PID),
		"since", m.Started.Local().Format(time.DateTime), "database", database, "log", short(m.Log))
}

func (p *textPrinter) checked(m checked) {
	if len(m.Problems) == 0 {
		p.printf("%s: %s\n", m.File, p.good.Render(m.Kind+" ok"))
		return
	}
	for _, problem := range m.Problems {
		p.printf("%s\n", printable(problem.Error()))
	}
	p.printf("%s: %s\n", m.File, p.bad.Render(count(len(m.Problems), "problem")))
}

// listed is a row of ls. Runs that were made from others, or rewound, are marked before
// their studies' titles.
func (p *textPrinter) listed(m listedRun) {
	run, status := max(20, m.columns[0]), max(13, m.columns[1])
	if !p.headed {
		p.headed = true
		p.printf("%s\n", p.dim.Render(fmt.Sprintf("%-*s %-*s %5s %-12s  %s", run, "run", status, "status", "steps", "started", "study")))
	}
	steps := "-"
	if m.Steps != nil {
		steps = fmt.Sprint(*m.Steps)
	}
	title := m.Title
	if m.Origin == string(ancestry.Fork) {
		title = strings.TrimSpace("fork of "+m.From) + " · " + title
	}
	if m.Reset {
		title = "reset · " + title
	}
	if e := m.Ensemble; e != nil {
		title = fmt.Sprintf("members %d/%d · %s", e.Completed, e.Members, title)
	}
	row := fmt.Sprintf("%-*s %-*s %5s %s  ", run, m.Run, status, m.Status, steps, m.Started.Local().Format("Jan _2 15:04"))
	p.printf("%s%s\n", row, p.dim.Render(oneLine(title, max(1, p.width-len(row)))))
}

func (p *textPrinter) listEnd(m listEnd) {
	switch {
	case m.Runs == 0:
		p.printf("No runs in %s.\n", short(m.Store))
	case m.Shown < m.Runs:
		p.printf("%s\n", p.dim.Render(fmt.Sprintf("%d of %d runs; -n 0 lists all", m.Shown, m.Runs)))
	}
}

func (p *textPrinter) version(m version) {
	revision := ""
	if m.Revision != "" {
		revision = " (" + m.Revision[:min(12, len(m.Revision))]
		if m.Modified {
			revision += ", modified"
		}
		revision += ")"
	}
	p.printf("rlam %s%s, %s, %s, Temporal SDK %s\n", m.Version, revision, m.Go, m.System, m.SDK)
}

// short is a path with the person's home folder as ~.
func short(path string) string {
	home, err := os.UserHomeDir()
	if err != nil || home == "/" || path == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); ok {
		return filepath.Join("~", rest)
	}
	return path
}

// firstReport is after how long it is first said that an attempt still runs.
const firstReport = 5 * time.Second

// Tick says of attempts that take long that they are under way, more and more rarely.
func (p *textPrinter) Tick(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for call, u := range p.running {
		if took := now.Sub(u.since); took >= u.next {
			p.printf("  %s %s\n", p.dim.Render("·"), p.dim.Render(fmt.Sprintf("%s %s under way for %s", call, u.action, duration(took.Round(time.Second).Seconds()))))
			u.next = 3 * took
		}
	}
}

func (p *textPrinter) handedOut(e follow.AttemptScheduled) {
	p.running[e.Call] = &underWay{action: e.Action, since: e.At, next: max(firstReport, 3*time.Since(e.At))}
}
