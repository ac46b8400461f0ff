// Command espalier takes an embedded Rust project for the ESP32-C3 from source
// to a running board.
package main

import (
	"os"

	"espalier.dev/espalier/internal/cli"
	"espalier.dev/espalier/internal/remote/worker"
	"espalier.dev/espalier/internal/sandbox"
)

func main() {
	// The sandbox executes this program again as its runner; that must happen
	// before anything else has started a goroutine or opened a file. On a worker
	// of a cluster, the program is the command.
	sandbox.Init()
	worker.Init()
	os.Exit(cli.Main(os.Args[1:]))
}
