package monitor

import (
	"io"
	"time"

	"espalier.dev/espalier/firmware"
)

// Options are what New needs. The zero value splits lines and recognises
// crashes, without names for addresses.
type Options struct {
	Symbols    *firmware.Symbols // nil: no annotation
	Expect     []Rule            // all must appear, in any order
	Fail       []Rule            // any of them ends the run
	For        time.Duration     // length of the run in the time of Write; 0: no limit
	KeepColor  bool              // keep colour sequences in Line.Text
	KeepGoing  bool              // a crash is reported and remembered, but ends nothing
	AllowReset bool              // a watchdog reset is reported, but is no failure
	Raw, Log   io.Writer         // get every byte unaltered, as it comes; nil: nobody
}
