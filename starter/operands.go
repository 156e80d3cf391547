package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rlam/internal/quantity"
)

// nameOperands has every command below c say by name which arguments are missing or too
// many, going by its usage line, before it checks them by itself.
func nameOperands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		nameOperands(sub)
	}
	if c.HasSubCommands() || strings.Contains(c.Use, " | ") {
		return
	}
	own := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := checkOperands(c, args); err != nil || own == nil {
			return err
		}
		return own(c, args)
	}
}

// checkOperands holds arguments against a usage line: those in brackets may be left out,
// and one that ends with dots may be there several times.
func checkOperands(c *cobra.Command, args []string) error {
	var names []string
	atMost := true
	for _, word := range strings.Fields(c.Use)[1:] {
		if strings.HasPrefix(word, "-") {
			break
		}
		if strings.HasPrefix(word, "[") {
			atMost = strings.HasPrefix(word, "[-")
			break
		}
		names = append(names, strings.TrimSuffix(word, "..."))
		atMost = atMost && !strings.HasSuffix(word, "...")
	}
	switch n := len(args); {
	case n < len(names) && len(names)-n == 1:
		return fmt.Errorf("%s is missing", names[n])
	case n < len(names):
		return fmt.Errorf("%s are missing", strings.Join(names[n:], " and "))
	case atMost && len(names) == 0 && n > 0:
		return fmt.Errorf("%s takes no arguments, and %q is one", c.CommandPath(), args[0])
	case atMost && n > len(names):
		return fmt.Errorf("%q is too many: %s takes %s, %s", args[len(names)], c.CommandPath(), quantity.Of(len(names), "argument"), strings.Join(names, " and "))
	}
	return nil
}
