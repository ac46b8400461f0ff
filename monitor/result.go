package monitor

import "strings"

// Verdict is the outcome of a run.
type Verdict uint8

// Verdicts, with their exit status.
const (
	Running  Verdict = iota // not decided
	Passed                  // 0: every expected text appeared
	Elapsed                 // 0: the time of --for is over and nothing is outstanding
	Ended                   // 0: the stream ended and nothing is outstanding
	Crashed                 // 1: see Result.Report
	FailText                // 1: a --fail rule matched
	Missing                 // 1: the stream ended, expected text did not appear
	TimedOut                // 124: --timeout, or --for with expected text outstanding
)

var verdictNames = [...]string{"running", "passed", "elapsed", "ended", "crashed", "fail-text", "missing", "timed-out"}

// String returns the name used in JSON events.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "unknown"
}

// Result is the verdict and its reasons.
type Result struct {
	Verdict Verdict
	Reason  string   // one line, lower case
	Report  *Report  // first crash, if any
	Missing []string // expectations that did not appear, as the user wrote them
}

// VerdictError is a run that did not end well.
type VerdictError struct {
	Verdict Verdict // Crashed, FailText, Missing or TimedOut
	Reason  string
}

func (e *VerdictError) Error() string { return e.Reason }

// Err is nil for a good verdict and for one that is still open, else a
// *VerdictError. The hints of a crash are in its report.
func (r Result) Err() error {
	switch r.Verdict {
	case Crashed, FailText, Missing, TimedOut:
		return &VerdictError{r.Verdict, r.Reason}
	}
	return nil
}

// summary is the crash in one line.
func (r *Report) summary() string {
	msg, _, _ := strings.Cut(r.Message, "\n")
	s := verbs[r.Kind] + ": " + msg
	if r.Kind == Watchdog || r.Kind == ResetLoop || r.Kind == Brownout || r.Kind == BootFailure {
		s = msg
	}
	// A panic names the place that is to blame itself (#[track_caller]).
	if at := r.printed(); at != "" {
		return s + " (at " + at + ")"
	}
	if where := r.Where(); where != "" {
		return s + " (" + where + ")"
	}
	return s
}

var verbs = [...]string{
	Panic: "the firmware panicked", Exception: "the firmware raised an exception", StackOverflow: "the firmware overflowed its stack",
	Guru: "the firmware crashed", Abort: "the firmware aborted", Watchdog: "", Brownout: "", ResetLoop: "", BootFailure: "",
}
