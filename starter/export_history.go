package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rlam/provenance/export"
	"rlam/provenance/history"
)

var historyFormat = exportFormat{
	name: "history", suffix: ".history.json", also: ".history.pb", about: "Temporal's history, as its tools and SDKs read it; .pb for protobuf",
	flags: func(c *cobra.Command, o *exportOptions) {
		c.Flags().StringVar(&o.runID, "run-id", "", "of history: the Temporal run `ID`; the newest if absent")
	},
	write: func(_ context.Context, w io.Writer, e *evidence, o exportOptions) error {
		h, err := e.chosenHistory(o)
		if err != nil {
			return err
		}
		if strings.HasSuffix(strings.ToLower(o.file), ".pb") {
			_, err := w.Write(h.Protobuf)
			return err
		}
		return history.WriteJSON(w, h.Protobuf)
	},
}

// chosenHistory is the history of the Temporal run that the options name, or of the
// newest: then it is said which one that is.
func (e *evidence) chosenHistory(o exportOptions) (*export.History, error) {
	var ids []string
	for i := range e.Histories {
		if e.Histories[i].RunID == o.runID {
			return &e.Histories[i], nil
		}
		ids = append(ids, e.Histories[i].RunID)
	}
	if o.runID != "" {
		return nil, badUsage("run %q has no Temporal run %q: it has %s", e.Trace.ID, o.runID, strings.Join(ids, ", "))
	}
	newest := len(e.Trace.Line) - 1
	if len(ids) > 1 {
		o.app.notef("Run %s has %d Temporal runs. This is the newest, %s; --run-id takes another: %s",
			e.Trace.ID, len(ids), ids[newest], strings.Join(slices.Delete(ids, newest, newest+1), ", "))
	}
	return &e.Histories[newest], nil
}
