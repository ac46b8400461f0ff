package fwtest

import (
	"regexp"
)

// defmtTest matches the lines with which defmt-test begins a test.
var defmtTest = regexp.MustCompile("\\(\\d+/\\d+\\) (running|ignoring) `([^`]+)`")

// Subtests splits the result of a program of defmt-test, which runs its tests one
// after the other in one boot, into one result for each test that has begun.
func Subtests(r Result) []Result {
	if r.Program.kind != whole {
		return []Result{r}
	}
	var out []Result
	for _, text := range r.Output {
		m := defmtTest.FindStringSubmatch(text)
		if m == nil || checkName(m[2]) != nil {
			continue
		}
		sub := Result{Program: r.Program, Test: r.Test, Trace: r.Trace, Attempts: r.Attempts, Seed: r.Seed}
		sub.Test.Name = m[2]
		if m[1] == "ignoring" {
			sub.Outcome, sub.Test.Ignored = Ignored, true
		}
		out = append(out, sub)
	}
	if len(out) == 0 {
		return []Result{r}
	}
	last := len(out) - 1
	out[last].Outcome, out[last].Message, out[last].Elapsed = r.Outcome, r.Message, r.Elapsed
	out[last].Output, out[last].Backtrace = r.Output, r.Backtrace
	return out
}
