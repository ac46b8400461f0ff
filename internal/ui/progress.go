package ui

import (
	"context"
	"errors"
	"sync"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
)

// eventEvery is how often a running phase reports itself in JSON, at most.
const eventEvery = 500 * time.Millisecond

// Start opens a phase: a bar on a terminal, events with --json, nothing yet
// elsewhere. Its end leaves one line.
func (u *UI) Start(phase string, unit progress.Unit, total int64) progress.Task {
	t := &task{u: u, phase: phase, unit: unit, total: total, begun: u.opt.Now()}
	switch {
	case u.opt.JSON:
		t.shownAt = t.begun
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

	mu      sync.Mutex
	n       int64
	total   int64
	item    string
	detail  string
	ended   bool
	shownAt time.Time // of the last event
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
		return
	}
	if now := t.u.opt.Now(); now.Sub(t.shownAt) >= eventEvery {
		t.shownAt = now
		t.u.Event("phase", t.event("running", 0))
	}
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

// rate returns units per second over the last few seconds, 0 while that says
// nothing yet.
func (t *task) rate(now time.Time) float64 {
	t.samples = append(t.samples, sample{now, t.n})
	if len(t.samples) > 50 {
		t.samples = t.samples[len(t.samples)-50:]
	}
	first := t.samples[0]
	d := now.Sub(first.at)
	if now.Sub(t.begun) < 2*time.Second || d <= 0 {
		return 0
	}
	return float64(t.n-first.n) / d.Seconds()
}
