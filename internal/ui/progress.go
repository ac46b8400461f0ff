package ui

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
)

// eventEvery is how often a running phase reports itself in JSON, at most.
const eventEvery = 500 * time.Millisecond

// lineEvery is how often a running phase prints a line where there is neither a
// terminal nor JSON: a log that says nothing for minutes looks like a hang.
const lineEvery = time.Minute

// Start opens a phase: a bar on a terminal, events with --json, a line a minute
// elsewhere. Its end leaves one line.
func (u *UI) Start(phase string, unit progress.Unit, total int64) progress.Task {
	t := &task{u: u, phase: phase, unit: unit, total: total, begun: u.opt.Now()}
	t.shownAt = t.begun
	switch {
	case u.opt.JSON:
		u.Event("phase", t.event("start", 0))
	case u.opt.Quiet || !u.err.tty:
	default:
		u.mu.Lock()
		if u.bars == nil {
			u.bars = newBars(u.err.w)
		}
		t.bar = u.bars.add(t)
		u.mu.Unlock()
	}
	return t
}

// task is a running phase.
type task struct {
	u     *UI
	phase string
	unit  progress.Unit
	begun time.Time
	bar   *bar // nil without a terminal

	narrow atomic.Bool // no room for a bar

	mu      sync.Mutex
	n       int64
	total   int64
	item    string
	detail  string
	ended   bool
	shownAt time.Time // of the last event or line
	samples []sample  // for the rate
}

type sample struct {
	at time.Time
	n  int64
}

// event makes an event; t.mu is held or t is not shared yet.
func (t *task) event(state string, took time.Duration) PhaseEvent {
	return PhaseEvent{t.phase, state, t.unit, t.n, t.total, t.item, t.detail, float64(took.Round(time.Millisecond)) / float64(time.Second)}
}

func (t *task) Add(n int64) {
	t.change(func() { t.n += n })
}

func (t *task) SetTotal(n int64) {
	t.change(func() { t.total = n })
}

func (t *task) Item(name string) {
	t.change(func() { t.item = name })
	if t.u.opt.Verbose && !t.u.opt.JSON && t.bar == nil {
		t.u.Debugf("%s: %s", t.phase, name)
	}
}

func (t *task) Detail(summary string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.detail = summary
}

// change applies f and shows the new state where that is due.
func (t *task) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	f()
	if !t.u.opt.JSON {
		t.line()
		return
	}
	if now := t.u.opt.Now(); now.Sub(t.shownAt) >= eventEvery {
		t.shownAt = now
		t.u.Event("phase", t.event("running", 0))
	}
}

// line prints how far the phase is, when that is due; t.mu is held.
func (t *task) line() {
	if t.bar != nil || t.u.opt.Quiet {
		return
	}
	now := t.u.opt.Now()
	if now.Sub(t.shownAt) < lineEvery {
		return
	}
	t.shownAt = now
	text := t.phase
	if p := t.progress(); p != "" {
		text += ": " + p
	}
	t.u.line(Stderr, text+t.u.Paint(Stderr, Dim, " ("+Seconds(now.Sub(t.begun))+")"))
}

func (t *task) Done(err error) {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	t.ended = true
	took := t.u.opt.Now().Sub(t.begun)
	state, outcome := "done", t.detail
	switch {
	case errors.Is(err, context.Canceled) || fault.KindOf(err) == fault.Interrupted:
		state, outcome = "failed", "interrupted"
	case err != nil:
		state, outcome = "failed", "failed"
	case outcome == "" && t.n > 0:
		outcome = count(t.n, t.unit)
	}
	t.mu.Unlock()

	u := t.u
	if u.opt.JSON {
		u.Event("phase", t.event(state, took))
		return
	}
	text := t.phase
	if outcome != "" {
		text += ": " + outcome
	}
	if took >= 100*time.Millisecond {
		text += u.Paint(Stderr, Dim, " ("+Seconds(took)+")")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if t.bar != nil && u.bars != nil && u.bars.remove(t.bar) {
		u.bars = nil // the last one: lines are written directly again
		u.flush()
	}
	if !u.opt.Quiet {
		u.write(Stderr, []byte(text+"\n"))
	}
}

// rate returns units per second over the last five seconds of bytes and the last
// minute of anything else, which comes in bursts; 0 while that says nothing yet.
// A bar asks ten times a second.
func (t *task) rate(now time.Time) float64 {
	keep := 600
	if t.unit == progress.Bytes {
		keep = 50
	}
	if len(t.samples) == 0 {
		t.samples = append(t.samples, sample{t.begun, 0})
	}
	t.samples = append(t.samples, sample{now, t.n})
	if len(t.samples) > keep {
		t.samples = t.samples[len(t.samples)-keep:]
	}
	first := t.samples[0]
	d := now.Sub(first.at)
	if now.Sub(t.begun) < 2*time.Second || d <= 0 {
		return 0
	}
	return float64(t.n-first.n) / d.Seconds()
}
