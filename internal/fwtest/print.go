package fwtest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Printer writes results as cargo test does, which editors and CI systems read.
type Printer struct {
	W         io.Writer
	Format    Format
	NoCapture bool          // the output of tests that pass, too
	Slow      time.Duration // a test that takes longer, in guest time, is noted; 0: none
	Paint     func(Outcome) string

	column int // terse
}

// terseWidth is how many tests are in a line of the terse format.
const terseWidth = 88

// Start begins a suite of n tests.
func (p *Printer) Start(n int) {
	switch p.Format {
	case JSON:
		p.event(map[string]any{"type": "suite", "event": "started", "test_count": n})
	default:
		fmt.Fprintf(p.W, "\nrunning %s\n", count(n, "test"))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Result shows one result.
func (p *Printer) Result(r Result) {
	switch p.Format {
	case JSON:
		p.event(map[string]any{"type": "test", "event": "started", "name": r.Test.Name})
		e := map[string]any{"type": "test", "name": r.Test.Name, "event": map[Outcome]string{Passed: "ok", Failed: "failed", Ignored: "ignored"}[r.Outcome]}
		if r.Outcome != Ignored {
			e["exec_time"] = r.Elapsed.Seconds()
		}
		if r.Outcome == Failed {
			e["stdout"] = p.details(r)
		}
		p.event(e)
	case Terse:
		fmt.Fprint(p.W, map[Outcome]string{Passed: ".", Failed: "F", Ignored: "i"}[r.Outcome])
		if p.column++; p.column%terseWidth == 0 {
			fmt.Fprintln(p.W)
		}
	default:
		text := r.Outcome.String()
		if p.Paint != nil {
			text = p.Paint(r.Outcome)
		}
		name := r.Test.Name
		if r.Test.ShouldPanic {
			name += " - should panic"
		}
		fmt.Fprintf(p.W, "test %s ... %s%s\n", name, text, p.remarks(r))
		if p.NoCapture {
			for _, l := range r.Output {
				fmt.Fprintf(p.W, "%s\n", l)
			}
		}
	}
}

func (p *Printer) remarks(r Result) string {
	var notes []string
	if r.Attempts > 1 && r.Outcome == Passed {
		notes = append(notes, fmt.Sprintf("flaky: passes with seed %d", r.Seed))
	}
	if p.Slow > 0 && r.Elapsed > p.Slow {
		notes = append(notes, fmt.Sprintf("slow: %v of guest time", r.Elapsed.Round(time.Millisecond)))
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// details is what a reader needs of a failed test.
func (p *Printer) details(r Result) string {
	var b strings.Builder
	if !p.NoCapture || p.Format == JSON { // else it was shown with the result
		for _, l := range r.Output {
			fmt.Fprintln(&b, l)
		}
	}
	if r.Elapsed > 0 {
		fmt.Fprintf(&b, "%s, after %v of guest time\n", r.Message, r.Elapsed.Round(time.Microsecond))
	} else { // on a real board
		fmt.Fprintln(&b, r.Message)
	}
	for i, l := range r.Backtrace {
		if i == 0 {
			fmt.Fprintln(&b, "backtrace:")
		}
		fmt.Fprintf(&b, "  %s\n", l)
	}
	if r.Program.Repeat != nil {
		fmt.Fprintf(&b, "repeat: %s\n", r.Program.Repeat(r.Test.Name))
	}
	return b.String()
}

// End shows the failures and the counts of a suite.
func (p *Printer) End(s Summary) {
	failed := s.Failures()
	if p.Format == JSON {
		event := "ok"
		if len(failed) > 0 {
			event = "failed"
		}
		p.event(map[string]any{"type": "suite", "event": event, "passed": s.Passed, "failed": s.Failed, "ignored": s.Ignored,
			"measured": 0, "filtered_out": s.Filtered, "exec_time": s.Wall.Seconds()})
		return
	}
	if p.column%terseWidth != 0 {
		fmt.Fprintln(p.W)
	}
	if len(failed) > 0 {
		fmt.Fprintf(p.W, "\nfailures:\n")
		for _, r := range failed {
			fmt.Fprintf(p.W, "\n---- %s ----\n%s", r.Test.Name, p.details(r))
		}
		fmt.Fprintf(p.W, "\n\nfailures:\n")
		for _, r := range failed {
			fmt.Fprintf(p.W, "    %s\n", r.Test.Name)
		}
	}
	verdict := "ok"
	if len(failed) > 0 {
		verdict = "FAILED"
	}
	fmt.Fprintf(p.W, "\ntest result: %s. %d passed; %d failed; %d ignored; 0 measured; %d filtered out; finished in %.2fs\n\n",
		verdict, s.Passed, s.Failed, s.Ignored, s.Filtered, s.Wall.Seconds())
	p.column = 0
}

// List prints the names of tests. The terse format is what cargo nextest reads.
func (p *Printer) List(jobs []Job) {
	switch p.Format {
	case JSON:
		p.event(map[string]any{"type": "suite", "event": "discovery"})
		for _, j := range jobs {
			p.event(map[string]any{"type": "test", "event": "discovered", "name": j.Test.Name, "ignore": j.Test.Ignored})
		}
		p.event(map[string]any{"type": "suite", "event": "completed", "tests": len(jobs), "benchmarks": 0, "total": len(jobs)})
		return
	}
	for _, j := range jobs {
		fmt.Fprintf(p.W, "%s: test\n", j.Test.Name)
	}
	if p.Format == Pretty {
		fmt.Fprintf(p.W, "\n%s, 0 benchmarks\n", count(len(jobs), "test"))
	}
}

func (p *Printer) event(fields map[string]any) {
	b, err := json.Marshal(fields)
	if err != nil {
		panic("fwtest: " + err.Error()) // strings and numbers
	}
	fmt.Fprintf(p.W, "%s\n", b)
}
