package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/recording"
	elfview "espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
)

// watchOptions say when a run is over and how it went.
type watchOptions struct {
	Expect  []string
	Fail    []string
	Timeout time.Duration // of the host
	For     time.Duration // of the guest
	Log     string
	Speed   string
	Strict  bool
	USB     bool
	Air     airOptions

	look lookOptions
}

func (o *watchOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.Expect, "expect", nil, "succeed when a line contains `TEXT` or matches /regex/; all of several")
	f.StringArrayVar(&o.Fail, "fail", nil, "fail when a line contains `TEXT` or matches /regex/")
	f.DurationVar(&o.Timeout, "timeout", 0, "give up after this `TIME` (exit 124)")
	f.DurationVar(&o.For, "for", 0, "run for this `TIME` of the guest")
	f.StringVar(&o.Log, "log", "", "write every byte of the board to `FILE`")
	o.look.addFlags(f)
	f.StringVar(&o.Speed, "speed", "", "run at `N` times real time, or \"max\" (default: 1, max with --expect, --for or --timeout)")
	f.BoolVar(&o.Strict, "strict", false, "stop at the first register that is not modelled")
	f.BoolVar(&o.USB, "usb", false, "plug a host into USB-Serial-JTAG")
	o.Air.addFlags(f)
}

// speed returns the factor of real time, 0 for as fast as possible.
func (o *watchOptions) speed() (float64, error) {
	switch o.Speed {
	case "":
		if o.Air.Replay != "" || !o.Air.realTime() && (len(o.Expect) > 0 || o.For > 0 || o.Timeout > 0) {
			return 0, nil
		}
		return 1, nil
	case "max":
		return 0, nil
	}
	v, err := strconv.ParseFloat(o.Speed, 64)
	if err != nil || !(v > 0 && v < 1e6) {
		return 0, fault.New(fault.Usage, fmt.Sprintf("--speed %s: want a number such as 1 or 0.5, or max", o.Speed))
	}
	return v, nil
}

// emulation is a firmware that is ready to boot.
type emulation struct {
	ROM   []byte // mask ROM, ELF
	Flash []byte // whole flash
	ELF   []byte // for symbols; nil without
}

// emulate boots a firmware on the emulated board and watches it until it is
// decided how the run went. It returns nil for a good end, fault.Program or
// fault.Timeout for a bad one.
func (a *app) emulate(ctx context.Context, e emulation, o watchOptions) error {
	opt := monitor.Options{For: o.For}
	var err error
	if opt.Expect, err = monitor.ParseRules(o.Expect); err != nil {
		return err
	}
	if opt.Fail, err = monitor.ParseRules(o.Fail); err != nil {
		return err
	}
	speed, err := o.speed()
	if err != nil {
		return err
	}
	opt.Symbols = a.symbols(e)
	out, err := a.newView(o.look)
	if err != nil {
		return err
	}
	opt.Raw = out.raw()
	opt.KeepColor = a.ui.Color(ui.Stdout)
	if o.Log != "" {
		f, err := os.Create(o.Log)
		if err != nil {
			return openError(o.Log, err)
		}
		defer f.Close()
		w := bufio.NewWriter(f)
		defer w.Flush()
		opt.Log = w
	}
	m := monitor.New(opt, out)
	cfg := emu.Config{
		ROM: e.ROM, Flash: e.Flash, Strict: o.Strict, USBHost: o.USB, Seed: o.Air.Seed,
		Output: func(r emu.Output) { m.Write(monitor.Stream(r.Stream.String()), r.At.Duration(), r.Data) },
	}
	scene, err := a.scene(ctx, o.Air, cfg)
	if err != nil {
		return err
	}
	defer scene.Close()
	cfg.Radio = scene.radio
	w := watch{m: m, symbols: opt.Symbols, speed: speed, start: time.Now()}
	if scene.replay != nil {
		cfg.Replay, w.until = scene.replay.Inputs, scene.replay.End
	}
	if w.board, err = c3.New(cfg); err != nil {
		return fault.Wrap(fault.Usage, err, "emulated board")
	}
	board := w.board
	err = w.run(ctx, o.Timeout)
	err = a.finishScene(scene, &w, err)
	if a.ui.Verbose() {
		for _, u := range board.Unmodelled() {
			a.ui.Debugf("not modelled: %s", u)
		}
	}
	if err != nil {
		return err
	}
	out.release()
	r := m.Result()
	a.ui.Event("result", struct {
		Verdict      string  `json:"verdict"`
		Reason       string  `json:"reason"`
		Seconds      float64 `json:"seconds"` // of the guest
		Instructions uint64  `json:"instructions"`
		Trace        string  `json:"trace"` // equal for equal runs
	}{verdictName(r.Verdict), r.Reason, board.Now().Seconds(), w.instructions, fmt.Sprintf("%016x", w.trace)})
	a.ui.Debugf("%s after %s s of guest time in %s, %d instructions", r.Reason, emu.At(board.Now()), ui.Seconds(time.Since(w.start)), w.instructions)
	if err := m.Err(); err != nil {
		return fault.Wrap(fault.Usage, err, "writing the log")
	}
	return verdictError(r)
}

// verdictError gives a bad end its exit status.
func verdictError(r monitor.Result) error {
	switch r.Verdict {
	case monitor.Crashed, monitor.FailText, monitor.Missing:
		return fault.Wrap(fault.Program, r.Err(), "")
	case monitor.TimedOut:
		return fault.Wrap(fault.Timeout, r.Err(), "")
	}
	return nil
}

// symbols opens what can name addresses. Without it the run is as good, only
// less readable, so what cannot be read is a note.
func (a *app) symbols(e emulation) *elfview.Symbols {
	open := func(what string, b []byte) *elfview.ELF {
		if b == nil {
			return nil
		}
		f, err := elfview.Open(bytes.NewReader(b), elfview.Options{})
		if err != nil {
			a.ui.Debugf("no symbols of the %s: %v", what, err)
			return nil
		}
		if _, err := f.Defmt(); err != nil {
			a.ui.Note("no defmt: %v", err)
		}
		return f
	}
	return elfview.NewSymbols(open("firmware", e.ELF), open("mask ROM", e.ROM))
}

// watch drives a board and its monitor together.
type watch struct {
	board        *emu.Board
	m            *monitor.Monitor
	symbols      *elfview.Symbols
	speed        float64 // of real time; 0: as fast as possible
	start        time.Time
	instructions uint64
	trace        uint64
	until        recording.End // of a recording that is played; zero without
}

// slice is how much guest time passes between two looks at the wall clock when
// the run is held to real time.
const slice = 10 * time.Millisecond

// run lets guest time pass until the monitor has a verdict or ctx ends.
func (w *watch) run(ctx context.Context, timeout time.Duration) error {
	inner := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for !w.m.Done() {
		limit := time.Second
		if w.speed > 0 {
			limit = slice
		}
		if at, ok := w.m.NextTick(); ok {
			limit = max(min(limit, at-w.board.Now()), time.Microsecond)
		}
		stops := []emu.Option{emu.UntilOutput(func(emu.Output) bool { return w.m.Done() })}
		if w.until != (recording.End{}) {
			// To the very instruction, and then to the instant.
			left := w.until.At.Duration() - w.board.Now()
			if left <= 0 {
				w.m.Close(w.board.Now())
				return nil
			}
			limit = min(limit, left)
			if more := w.until.Instructions - w.instructions; more > 0 {
				stops = append(stops, emu.Instructions(more))
			}
		}
		r := w.board.Run(inner, append(stops, emu.Limit(limit))...)
		w.instructions += r.Instructions
		w.trace = r.Trace
		now := w.board.Now()
		switch r.Reason {
		case emu.StopContext:
			if ctx.Err() != nil {
				w.m.Close(now)
				return ctx.Err()
			}
			w.m.Timeout(now)
		case emu.StopStrict, emu.StopAbsent:
			w.m.Close(now)
			return lackFault(r.Err, func() *elfview.Symbols { return w.symbols })
		case emu.StopIdle:
			// Nothing will ever happen again.
			w.m.Close(now)
		default:
			w.m.Tick(now)
		}
		if err := w.pace(inner, now); err != nil && ctx.Err() != nil {
			w.m.Close(now)
			return ctx.Err()
		}
	}
	return nil
}

// lackFault says that the firmware needs what the emulated board does not have,
// and in which function it noticed; other errors stay as they are.
func lackFault(err error, symbols func() *elfview.Symbols) error {
	where := func(a emu.Access) string {
		if f := symbols().Frames(a.PC); len(f) > 0 && f[0].Function != "" {
			return address(a.PC) + " (" + frameText(f[0]) + ")"
		}
		return address(a.PC)
	}
	var absent *emu.AbsentError
	var strict *emu.StrictError
	switch {
	case errors.As(err, &absent):
		return fault.New(fault.Usage, fmt.Sprintf("the emulated board has no %s, and the firmware starts it: write to %s at %s",
			absent.Device, address(absent.Access.Addr), where(absent.Access)),
			"espalier run --port /dev/ttyACM0   # a real board has one")
	case errors.As(err, &strict):
		a, what, block := strict.Access, "read of", "no block of the chip"
		if a.Writes > 0 {
			what = "write to"
		}
		if a.Block != "" {
			block = a.Block
		}
		return fault.New(fault.Usage, fmt.Sprintf("the emulated board does not model this: %s %s (%s) at %s", what, address(a.Addr), block, where(a)),
			"without --strict the run goes on: the register is storage then, and -v lists all of them at the end")
	}
	return err
}

// pace waits until the wall clock has caught up with the guest. A guest that
// is slower than real time never waits; one that is faster than it shows its
// unfinished lines, such as a prompt, before it waits.
func (w *watch) pace(ctx context.Context, now time.Duration) error {
	if w.speed == 0 || w.m.Done() {
		return nil
	}
	ahead := time.Duration(float64(now)/w.speed) - time.Since(w.start)
	if ahead < time.Millisecond {
		return nil
	}
	w.m.Flush(now)
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func verdictName(v monitor.Verdict) string {
	switch v {
	case monitor.Passed:
		return "passed"
	case monitor.Elapsed:
		return "elapsed"
	case monitor.Ended:
		return "ended"
	case monitor.Crashed:
		return "crashed"
	case monitor.FailText:
		return "fail-text"
	case monitor.Missing:
		return "missing"
	case monitor.TimedOut:
		return "timeout"
	}
	return "running"
}
