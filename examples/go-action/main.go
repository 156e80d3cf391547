// A worker with an action of one's own, in Go. See docs/actions-in-go.md.
package main

import "rlam/worker/host"

func main() { host.Main(lineFit) }
