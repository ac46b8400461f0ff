package monitor

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

// Result is the verdict and its reasons.
type Result struct {
	Verdict Verdict
	Reason  string   // one line, lower case
	Report  *Report  // first crash, if any
	Missing []string // expectations that did not appear, as the user wrote them
}
