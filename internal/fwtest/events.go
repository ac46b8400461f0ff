package fwtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Event is the JSON event "test": the result of one test.
type Event struct {
	Program   string   `json:"program"`
	Name      string   `json:"name"`
	Outcome   string   `json:"outcome"` // ok, failed, ignored
	Message   string   `json:"message,omitempty"`
	Seconds   float64  `json:"seconds"` // guest time
	Attempts  int      `json:"attempts,omitempty"`
	Seed      uint64   `json:"seed"`
	Trace     string   `json:"trace,omitempty"` // equal for equal runs
	Output    []string `json:"output,omitempty"`
	Backtrace []string `json:"backtrace,omitempty"`
	Repeat    string   `json:"repeat,omitempty"`
}

// ResultEvent is the JSON event "test-result": the counts of one program.
type ResultEvent struct {
	Program  string `json:"program"`
	Passed   int    `json:"passed"`
	Failed   int    `json:"failed"`
	Ignored  int    `json:"ignored"`
	Filtered int    `json:"filtered"`
	Flaky    int    `json:"flaky"`
}

// ProgramEvent is the JSON event "test-program": a built test program.
type ProgramEvent struct {
	Program string `json:"program"`
	ELF     string `json:"elf"`
}

// NewEvent makes the event of a result. The output is that of a failed test.
func NewEvent(r Result) Event {
	e := Event{
		Program: r.Program.Name, Name: r.Test.Name, Outcome: strings.ToLower(r.Outcome.String()), Message: r.Message,
		Seconds: r.Elapsed.Seconds(), Attempts: r.Attempts, Seed: r.Seed, Backtrace: r.Backtrace,
	}
	if r.Outcome != Ignored {
		e.Trace = fmt.Sprintf("%016x", r.Trace)
	}
	if r.Outcome == Failed {
		e.Output = r.Output
		if r.Program.Repeat != nil {
			e.Repeat = r.Program.Repeat(r.Test.Name)
		}
	}
	return e
}

// NewResultEvent makes the event of a program's counts.
func NewResultEvent(p *Program, s Summary) ResultEvent {
	return ResultEvent{p.Name, s.Passed, s.Failed, s.Ignored, s.Filtered, s.Flaky}
}

// place finds a file and a line in a message or backtrace.
var place = regexp.MustCompile(`([\w./-]+\.rs):(\d+)`)

// GitHub is the failures as workflow commands, which GitHub shows at the lines of a
// change.
func GitHub(results []Result) string {
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	for _, r := range results {
		if r.Outcome != Failed {
			continue
		}
		where := ""
		for _, text := range append([]string{r.Message}, r.Backtrace...) {
			if m := place.FindStringSubmatch(text); m != nil && !strings.HasPrefix(m[1], "/") {
				line, _ := strconv.Atoi(m[2])
				where = fmt.Sprintf("file=%s,line=%d,", property.Replace(m[1]), line)
				break
			}
		}
		fmt.Fprintf(&b, "::error %stitle=%s::%s\n", where, property.Replace(ID(r.Program, r.Test)), escape.Replace(r.Message))
	}
	return b.String()
}
