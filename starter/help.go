package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// fitHelp makes the help of a command and of those below it fit into a terminal of the
// default width: the paragraphs of its text are filled anew, tables stay as they are.
func fitHelp(root *cobra.Command) {
	show := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		c.Long = filled(c.Long)
		show(c, args)
	})
}

// filled breaks the paragraphs of a text at the default width. One that has a line that
// begins with a space is a table.
func filled(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.Contains("\n"+p, "\n ") {
			paragraphs[i] = strings.Join(wrap(strings.ReplaceAll(p, "\n", " "), defaultWidth), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
