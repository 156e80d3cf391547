package main

import (
	"github.com/spf13/cobra"
)

// newActionOptions are the flags of actions new. Exactly one of the sources is set.
type newActionOptions struct {
	from  string // a script or program
	file  string // that is written for it
	force bool   // whether files that are there are replaced

	mcp     string   // an MCP server's command line, or its URL
	headers []string // "NAME: VALUE", for a URL
	pass    []string // variables that a server which is started gets
	out     string   // the folder that files are written to
}

func newActionsNewCommand(a *app) *cobra.Command {
	var o newActionOptions
	c := &cobra.Command{
		Use: "new", Short: "Write action files for what is there already",
		Long: `Write action files for what is there already.

With --from, one for a script or program, with comments that say what to fill in.
The script is read and not run: what it takes is looked for in its text, where it
uses argparse, optparse, click, docopt, getopts, or arguments by their number.

With --mcp, one file for each tool of an MCP server, pinned by a digest of the
tool's name, description, schemas and hints: a run refuses a tool that has
changed. SERVER is a command line, split at spaces and run without a shell, or a
URL. Nothing is asked of a server but its list of tools; no tool is called.

Look through the files before a study uses them: what a tool changes in the
world, and whether calling it twice does harm, only you can say.`,
		Example: `  starter actions new --from relax.py
  starter actions new --mcp "mcp-server-files /data" --out actions
  starter actions new --mcp https://mcp.example.org/ \
    --header 'Authorization: Bearer {secret.TOKEN}'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.from != "":
				return newFromScript(a, o.from, o.file, o.force)
			case o.mcp != "":
				return newFromTools(c.Context(), a, o)
			}
			return badUsage("nothing to make an action of: name a script with --from, or an MCP server with --mcp")
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "`SCRIPT` or program that becomes an action")
	f.StringVarP(&o.file, "file", "o", "", "`FILE` to write with --from; SCRIPT.yaml beside the script by default")
	f.StringVar(&o.mcp, "mcp", "", "`SERVER` whose tools become actions: a command line or a URL")
	f.StringArrayVar(&o.headers, "header", nil, "`'NAME: VALUE'` that a server at a URL gets; {secret.NAME} in it is $RLAM_SECRET_NAME (repeatable)")
	f.StringArrayVar(&o.pass, "pass", nil, "`NAME` of a variable that a server which is started gets (repeatable)")
	f.StringVar(&o.out, "out", "actions", "`DIR` to write the files to, with --mcp")
	f.BoolVar(&o.force, "force", false, "replace files that are there and differ")
	c.MarkFlagsMutuallyExclusive("from", "mcp")
	return c
}
