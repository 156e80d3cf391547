// Package scan proposes an action file for a script: it reads the script's text and
// looks for the ways in which programs say which parameters they take.
//
// It knows argparse, optparse and click of Python, optparse of R, docopt, getopts of
// shells, and arguments by their number. It looks for the usual spelling of each and
// evaluates nothing: what it can't read with certainty it leaves out, and says so in the
// file. No script is ever run by it.
package scan
