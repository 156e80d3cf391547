package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/ensemble"
	"rlam/schemas"
	"rlam/worker/host"
	"rlam/workflows"
)

// reportFiles are where an ensemble's report goes besides stdout.
type reportFiles struct{ csv, html, figures string }

func (o *reportFiles) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&o.csv, "csv", "", "write a row for each member to `FILE` too")
	c.Flags().StringVar(&o.html, "html", "", "write the report to `FILE` as a page too, with its figures")
	c.Flags().StringVar(&o.figures, "figures", "", "write the figures to a new folder `DIR` too, each as PNG and as SVG")
}

// check refuses files that are there already, before hours are spent on what goes into them.
func (o reportFiles) check() error {
	for _, file := range []string{o.csv, o.html, o.figures} {
		if _, err := os.Lstat(file); file != "" && err == nil {
			return badUsage("writing %q: it is there already; name another, or remove it", file)
		}
	}
	return nil
}

func (o reportFiles) write(r *ensemble.Report) error {
	if o.csv != "" {
		if err := writePage(o.csv, r.WriteCSV); err != nil {
			return err
		}
	}
	if o.html != "" {
		if err := writePage(o.html, r.WriteHTML); err != nil {
			return err
		}
	}
	if o.figures != "" {
		return writeFigures(o.figures, r)
	}
	return nil
}

// writeFigures writes each figure of a report into a new folder.
func writeFigures(dir string, r *ensemble.Report) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	for _, f := range r.Figures() {
		for _, format := range []string{"png", "svg"} {
			err := writePage(filepath.Join(dir, f.Name+"."+format), func(w io.Writer) error {
				data, err := f.Render(format)
				if err == nil {
					_, err = w.Write(data)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// reportEnsemble makes the report of an ensemble that there is.
func (a *app) reportEnsemble(ctx context.Context, id, storeFlag string, files reportFiles) error {
	s, e, err := a.ensembleNamed(ctx, id, storeFlag)
	if err != nil {
		return err
	}
	if e == nil {
		return a.noEnsemble(ctx, id, s)
	}
	c := a.reached(ctx)
	if c != nil {
		defer c.close()
	}
	return allCompleted(a.sayEnsemble(ctx, c, s, *e, files, a.words))
}

// allCompleted is the error that an ensemble ends a command with of which not all members
// completed.
func allCompleted(completed bool, err error) error {
	if err != nil || completed {
		return err
	}
	return &codedError{code: exitNoResult}
}

// noEnsemble says that there is no ensemble of a name, and which is nearest.
func (a *app) noEnsemble(ctx context.Context, id string, s *store.Folder) error {
	var ids []string
	if s != nil {
		all, err := host.Ensembles(ctx, s)
		if err != nil {
			return err
		}
		for _, e := range all {
			ids = append(ids, e.Record.ID)
		}
	}
	return &unknownRunError{id: id, nearest: schemas.Nearest(id, ids), what: "ensemble"}
}

// sayEnsemble prints what an ensemble's members show, and how it stands; it is true if all
// completed. c is nil where no server is there.
func (a *app) sayEnsemble(ctx context.Context, c *connection, s store.Store, e host.ListedEnsemble, files reportFiles, stands printer) (complete bool, err error) {
	r, err := host.ReadRoster(ctx, c.asked(), s, e)
	if err != nil {
		return false, err
	}
	report, err := summarise(ctx, s, r)
	if err != nil {
		return false, err
	}
	if err := files.write(report); err != nil {
		return false, err
	}
	a.printer.Print(summaryMessage{report})
	end := a.endOfEnsemble(c, r)
	stands.Print(end)
	return end.Completed == end.Members, nil
}

// summarise says what an ensemble's members show together.
func summarise(ctx context.Context, s store.Store, r *host.Roster) (*ensemble.Report, error) {
	members, err := membersOf(ctx, s, r)
	if err != nil {
		return nil, err
	}
	schema, err := resultSchema(ctx, s, r.Record.Study)
	if err != nil {
		return nil, err
	}
	return ensemble.Summarise(members, ensemble.Options{Ensemble: r.Record.ID, Study: r.Record.Title, Schema: schema})
}

// endOfEnsemble says how an ensemble stands; c may be nil.
func (a *app) endOfEnsemble(c *connection, r *host.Roster) ensembleEnd {
	end := ensembleEnd{ensembleProgress: standing(r), Open: r.Open, Record: r.Digest, Next: a.nextOfEnsemble(r)}
	if r.Head != r.Digest {
		end.Seal = r.Head
	}
	if c != nil && r.TemporalRun != "" {
		end.URL = c.server.RunURL(r.Record.ID, r.TemporalRun)
	}
	return end
}

// nextOfEnsemble are commands worth a try now.
func (a *app) nextOfEnsemble(r *host.Roster) []string {
	p, id := a.program(), r.Record.ID
	if r.Open {
		return []string{p + " resume " + id, p + " cancel " + id}
	}
	var next []string
	for _, m := range r.Members {
		if m.Status == host.MemberWaits || m.Status.CutOff() {
			next = append(next, fmt.Sprintf("%s resume %s", p, id))
			break
		}
	}
	for _, m := range r.Members {
		if m.RunID != "" {
			return append(next, fmt.Sprintf("%s show %s", p, m.RunID), fmt.Sprintf("%s ensemble --report %s --csv members.csv", p, id))
		}
	}
	return next
}

// resultSchema is the schema of a study's result.
func resultSchema(ctx context.Context, s store.Store, study canon.Digest) (json.RawMessage, error) {
	raw, err := store.Read(ctx, s, study, record.MaxContent)
	if err != nil {
		return nil, err
	}
	var of struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(raw, &of); err != nil {
		return nil, fmt.Errorf("reading the study of the ensemble: %w", err)
	}
	return of.Result, nil
}

// ensembleOf is the record of an ensemble, and how many members it has at once, by what its
// workflow was started with.
func (c *connection) ensembleOf(ctx context.Context, id, runID string, s store.Store) (canon.Digest, *record.Ensemble, int, error) {
	it := c.client.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := it.Next()
	var in workflows.EnsembleInput
	if err == nil {
		err = host.DataConverter().FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in)
	}
	e := &record.Ensemble{}
	if err == nil {
		err = record.Load(ctx, s, in.Ensemble, e)
	}
	if err != nil {
		return in.Ensemble, nil, 0, fmt.Errorf("reading what ensemble %q was started with: %w", id, err)
	}
	return in.Ensemble, e, in.Parallel, nil
}
