package emutest

import (
	"regexp"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/monitor"
)

// Expect lets guest time pass until a line contains text, and returns the line.
// The search begins after the last match: two Expects match in the order of the
// output, also within one line, and unfinished lines such as prompts match. The
// test fails when the firmware crashes, or when Timeout has passed.
func (b *Board) Expect(text string) string {
	b.t.Helper()
	var line string
	b.wait(outputStep, "no line with "+quote(text), func() (found bool) {
		line, found = b.out.find(func(s string) int {
			if i := strings.Index(s, text); i >= 0 {
				return i + len(text)
			}
			return -1
		})
		return found
	})
	return line
}

// ExpectRegexp is Expect for a regular expression (RE2 syntax). It returns the
// match and its submatches, as regexp.FindStringSubmatch does.
func (b *Board) ExpectRegexp(pattern string) []string {
	b.t.Helper()
	re, err := regexp.Compile(pattern)
	if err != nil {
		b.t.Fatalf("emutest: %v", err)
	}
	var match []string
	b.wait(outputStep, "no line matches "+quote(pattern), func() bool {
		_, found := b.out.find(func(s string) int {
			at := re.FindStringSubmatchIndex(s)
			if at == nil {
				return -1
			}
			match = re.FindStringSubmatch(s)
			return at[1]
		})
		return found
	})
	return match
}

// ExpectCrash lets guest time pass until the firmware crashes (a panic, an
// exception, a watchdog reset, …) and returns the report of the crash. The
// Expects after it wait for the firmware to start again.
func (b *Board) ExpectCrash() *monitor.Report {
	b.t.Helper()
	end := b.Now() + b.timeout
	for len(b.out.reports) == b.out.crashes {
		res := b.run(end, func() bool { return len(b.out.reports) > b.out.crashes })
		if len(b.out.reports) == b.out.crashes && (b.Now() >= end || stopped(res)) {
			b.fail("no crash", res)
		}
	}
	b.out.crashes++
	return b.out.reports[b.out.crashes-1]
}

// ExpectPin lets guest time pass until a pin has a level.
func (b *Board) ExpectPin(n int, l emu.Level) {
	b.t.Helper()
	b.wait(conditionStep, "pin "+itoa(n)+" is not "+l.String(), func() bool { return b.Pin(n) == l })
}

// Eventually lets guest time pass until a condition holds; it is checked every
// millisecond and after each output. What says what is awaited, for the message
// of a failed test.
func (b *Board) Eventually(what string, condition func() bool) {
	b.t.Helper()
	b.wait(conditionStep, "not reached: "+what, condition)
}

// How often a condition is checked without an output: one that depends on the
// output only (an unfinished line is flushed then), and any other.
const (
	outputStep    = 10 * time.Millisecond
	conditionStep = time.Millisecond
)

// wait runs the board until ok holds.
func (b *Board) wait(step time.Duration, failure string, ok func() bool) {
	b.t.Helper()
	end := b.Now() + b.timeout
	for !ok() {
		if len(b.out.reports) > b.out.crashes {
			b.fail(failure+": the firmware crashed", emu.Result{})
		}
		if b.Now() >= end {
			b.fail(failure+" within "+b.timeout.String()+" of guest time", emu.Result{})
		}
		b.out.changed = false
		res := b.run(min(end, b.Now()+step), func() bool { return b.out.changed })
		if stopped(res) && !ok() {
			b.fail(failure, res)
		}
	}
}

// stopped reports whether a run ended in a way that no further run changes.
func stopped(res emu.Result) bool {
	switch res.Reason {
	case emu.StopLimit, emu.StopOutput:
		return false
	}
	return true
}

// run lets guest time pass until end, or until stop holds after an output.
func (b *Board) run(end time.Duration, stop func() bool) emu.Result {
	b.t.Helper()
	var sum emu.Result
	begin := b.Now()
	if end <= begin { // a limit of 0 is none
		return emu.Result{Reason: emu.StopLimit, Now: begin}
	}
	all := b.together()
	for {
		until := next(all, end)
		res := b.step(emu.Limit(until-b.Now()), emu.UntilOutput(func(emu.Output) bool { return stop() }))
		now := b.Now()
		for _, o := range all {
			o.monitor.Tick(o.Now())
			o.monitor.Flush(o.Now())
			if o.player != nil {
				if err := o.player.Advance(o.bed.Board); err != nil {
					o.fail(err.Error(), res)
				}
			}
		}
		res.Elapsed, res.Instructions = now-begin, res.Instructions+sum.Instructions
		res.Resets = append(sum.Resets, res.Resets...)
		if res.Reason != emu.StopLimit || now >= end || stop() {
			return res
		}
		sum = res
	}
}
