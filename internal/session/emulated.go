package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/probe"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/monitor"
	"espalier.dev/espalier/serial"
)

// EmulatedConfig describes an emulated board.
type EmulatedConfig struct {
	ROM    []byte       // mask ROM, ELF
	Flash  []byte       // content of the whole flash
	Speed  float64      // guest time per host time; 0: as fast as possible
	Strict bool         // stop at the first register that is not modelled
	USB    bool         // a host is connected to USB-Serial-JTAG, and input goes there
	Board  *board.Board // parts and wires; nil: a bare chip

	// VCD is a file for the levels of the pins; "": none.
	VCD string
	// Files is the folder that semihosting reaches; "": none.
	Files string
	// Screenshot is written at the end; without a File there is none.
	Screenshot Screenshot

	// Scenario is performed on the board, whose parts are then those of the scenario;
	// nil: none. With ScenarioEnds the run ends after its last step.
	Scenario     *scenario.Scenario
	ScenarioEnds bool

	Symbols     *firmware.Symbols // of the firmware, to find RTT; nil: none
	Environment *Environment      // nil: no network, seed 0
	UI          *ui.UI            // shows notes
}

// Emulated is an emulated board.
type Emulated struct {
	ui     *ui.UI
	port   *emuport.Port
	stream emu.Stream
	speed  float64
	around surroundings
	probe  *probe.Probe
	player *scenario.Player // nil: no scenario
	levels *parts.Probe     // nil: no VCD
	vcd    string
	ends   bool

	screenshot Screenshot
	parts      *board.Instance
	deliver    Deliver
	refused    *emu.Access   // what the chip does not have, which ended the run
	stopped    bool          // deliver has returned true for bytes of the probe
	sent       time.Duration // when the last byte that was sent is on the board
	closed     bool
}

// OpenEmulated powers on an emulated board. Run's Close closes it. Errors are of
// the kinds fault.Usage, fault.Port (a forwarded port is in use) and fault.Differ
// (a recording of another firmware).
func OpenEmulated(cfg EmulatedConfig) (*Emulated, error) {
	b := &Emulated{ui: cfg.UI, speed: cfg.Speed, around: surroundings{ui: cfg.UI}, deliver: discard}
	if cfg.USB {
		b.stream = emu.USB
	}
	if err := b.open(cfg); err != nil {
		_ = b.around.Close() // err is the cause
		return nil, err
	}
	return b, nil
}

func discard(monitor.Stream, time.Duration, []byte) bool { return false }

func (b *Emulated) open(cfg EmulatedConfig) error {
	chip := emu.Config{ROM: cfg.ROM, Flash: cfg.Flash, Strict: cfg.Strict, USBHost: cfg.USB}
	if cfg.Scenario != nil {
		cfg.Board = cfg.Scenario.Board
	}
	b.screenshot = cfg.Screenshot
	if cfg.Board != nil {
		var err error
		if chip.Flash, err = flashOf(cfg.Board, cfg.Flash); err != nil {
			return err
		}
		chip.Revision = cfg.Board.ChipRevision()
		b.parts = cfg.Board.Open(b.showPart)
	}
	if err := b.around.open(cfg.Environment, chip); err != nil {
		return err
	}
	if _, ok := b.around.bed.End(); !ok && cfg.Environment.Replays() {
		b.ui.Note("%s was cut short: it has no end, and the run continues after it", cfg.Environment.replay)
	}
	if cfg.Scenario != nil {
		b.player, b.ends = cfg.Scenario.Play(b.parts), cfg.ScenarioEnds
		b.player.Save = savePicture
	}
	var err error
	b.port, err = emuport.New(b.around.bed.Config, emuport.Options{
		Stream: b.stream, Pace: cfg.Speed,
		Output: func(r emu.Output) bool {
			stop := b.deliver(monitor.Stream(r.Stream.String()), r.At.Duration(), r.Data)
			return stop || b.player != nil && b.player.Met()
		},
	})
	if err != nil {
		return fault.Wrap(fault.Usage, err, "emulated board")
	}
	b.probe = probe.New(b.port.Board(), cfg.Symbols, func(s monitor.Stream, at time.Duration, p []byte) {
		b.stopped = b.deliver(s, at, p) || b.stopped
	})
	if cfg.Files != "" {
		root, err := os.OpenRoot(cfg.Files)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "--semihosting-files")
		}
		b.around.closers = append(b.around.closers, root.Close)
		b.probe.Host.Files = probe.Dir{Root: root}
	}
	if cfg.VCD != "" {
		b.levels, b.vcd = parts.AllPins(), cfg.VCD
		if err := b.levels.Attach(b.port.Board()); err != nil {
			return err
		}
	}
	if b.player != nil {
		if err := b.player.Attach(b.port.Board()); err != nil {
			return fault.Wrap(fault.Usage, err, cfg.Scenario.Name)
		}
		b.player.Start(0, b.around.bed.AccessPoint, cfg.Environment.Testbed(nil).Faults)
	}
	if b.parts != nil {
		if err := b.parts.Attach(b.port.Board()); err != nil {
			return fault.Wrap(fault.Usage, err, cfg.Board.Name)
		}
	}
	return b.around.bed.Attach(b.port.Board())
}

// flashOf returns an image as the content of the board's flash chip, which may be
// larger.
func flashOf(d *board.Board, image []byte) ([]byte, error) {
	switch {
	case d.Flash == 0 || d.Flash == len(image):
		return image, nil
	case d.Flash < len(image):
		return nil, fault.New(fault.Usage, fmt.Sprintf("%s has %d MB of flash, and the image is for %d MB", d.Name, d.Flash>>20, len(image)>>20),
			"[image] flash-size or [board] flash in espalier.toml sets it")
	}
	return append(bytes.Clone(image), bytes.Repeat([]byte{0xff}, d.Flash-len(image))...), nil
}

// PartEvent is the event "part": what a part of the board shows.
type PartEvent struct {
	At    float64 `json:"at"`   // seconds since power-on
	Part  string  `json:"part"` // its name
	Type  string  `json:"type"`
	Value string  `json:"value"` // see board.Event
}

// showPart shows what a part shows: as an event, and as a line with -v.
func (b *Emulated) showPart(e board.Event) {
	b.ui.Event("part", PartEvent{e.At.Seconds(), e.Part, e.Type, e.Value})
	if !b.ui.JSON() {
		b.ui.Debugf("%.6f %s: %s", e.At.Seconds(), e.Part, e.Value)
	}
}

// Parts returns the parts of the board, nil for a bare chip.
func (b *Emulated) Parts() *board.Instance { return b.parts }

// keyPeriod is how often, on the host's clock, keys are handled.
const keyPeriod = 10 * time.Millisecond

// Receive implements Board. The guest stops at the instruction after which
// deliver returned true.
func (b *Emulated) Receive(ctx context.Context, d time.Duration, deliver Deliver) error {
	b.deliver = deliver
	now := b.port.Now()
	until := now + d
	if b.speed > 0 {
		until = min(until, now+max(time.Microsecond, time.Duration(float64(keyPeriod)*b.speed)))
	}
	var opts []emu.Option
	if end, ok := b.around.bed.End(); ok {
		// To the last instruction of the recording, and then to its last instant.
		if now >= end.At.Duration() {
			return ErrEnd
		}
		until = min(until, end.At.Duration())
		instructions, _ := b.port.Progress()
		if end.Instructions > instructions {
			opts = append(opts, emu.Instructions(end.Instructions-instructions))
		}
	}
	r, err := b.runProbed(ctx, until, opts)
	switch {
	case err != nil:
		return err
	case b.probe.Host.Exited != nil:
		if _, err := b.port.Run(ctx, b.port.Now()+probe.Drain); err != nil {
			return err
		}
		return &ExitError{*b.probe.Host.Exited}
	case r.Reason == emu.StopIdle:
		return ErrIdle
	}
	return r.Err
}

// runProbed runs to until, and stops for the probe as often as it wants.
func (b *Emulated) runProbed(ctx context.Context, until time.Duration, opts []emu.Option) (emu.Result, error) {
	b.stopped = false
	for {
		now, next := b.port.Now(), until
		if at, ok := b.probe.Next(now); ok {
			next = min(until, at)
		}
		if at, ok := b.playerNext(now); ok {
			next = min(next, at)
		}
		r, err := b.port.Run(ctx, next, opts...)
		b.refused = refused(errors.Join(err, r.Err))
		now = b.port.Now()
		b.port.Do(func(*emu.Board) { b.probe.Poll(now) })
		if e := b.play(); e != nil && err == nil {
			return r, e
		}
		if err != nil || r.Reason != emu.StopLimit || now >= until || b.stopped || b.probe.Host.Exited != nil {
			return r, err
		}
	}
}

func (b *Emulated) playerNext(now time.Duration) (time.Duration, bool) {
	if b.player == nil {
		return 0, false
	}
	return b.player.Next(now)
}

// play performs what is due of the scenario. The error is ErrEnd after its last
// step, if it ends the run, or a fault.Program.
func (b *Emulated) play() (err error) {
	if b.player == nil {
		return nil
	}
	b.port.Do(func(board *emu.Board) { err = b.player.Advance(board) })
	if err != nil {
		return fault.Wrap(fault.Program, err, "")
	}
	if b.ends && b.player.Done() {
		return ErrEnd
	}
	return nil
}

// Pending is the step of the scenario that was not reached, as a fault.Program.
func (b *Emulated) Pending() error {
	if b.player == nil {
		return nil
	}
	var err error
	b.port.Do(func(board *emu.Board) { err = b.player.Advance(board) }) // the last lines
	if err != nil {
		return fault.Wrap(fault.Program, err, "")
	}
	if b.player.Pending() == nil {
		return nil
	}
	return fault.Wrap(fault.Program, b.player.Pending(), "")
}

// Line gives a line of the board to the scenario.
func (b *Emulated) Line(text string) {
	if b.player != nil {
		b.player.Line(text)
	}
}

// Send implements Board.
func (b *Emulated) Send(ctx context.Context, p []byte) error {
	b.port.Do(func(*emu.Board) { b.probe.Send(p) })
	err := b.port.Write(ctx, p)
	b.port.Do(func(chip *emu.Board) {
		frame := time.Microsecond // USB
		if baud := chip.Baud(b.stream); baud > 0 {
			frame = 10 * time.Second / time.Duration(baud)
		}
		b.sent = max(b.sent, chip.Now()) + frame*time.Duration(len(p))
	})
	return err
}

// sendBuffer is how much input may be on its way to the board, in time on the
// wire: as with a driver's buffer, the sender waits then.
const sendBuffer = 100 * time.Millisecond

// Busy reports whether input should wait until earlier input is on the board.
func (b *Emulated) Busy() bool { return b.sent > b.port.Now()+sendBuffer }

// Reset implements Board.
func (b *Emulated) Reset(ctx context.Context) error { return loader.Run(ctx, b.port) }

// Now implements Board: guest time.
func (b *Emulated) Now() time.Duration { return b.port.Now() }

// Progress returns the retired instructions and the trace hash.
func (b *Emulated) Progress() (instructions, trace uint64) { return b.port.Progress() }

// Port is the board's serial port. It must not be used during a session.
func (b *Emulated) Port() serial.Port { return b.port }

// Close implements Board: it writes the end of a recording, or compares the run
// with the recorded one, and closes the network and all files.
func (b *Emulated) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	err := b.finish()
	for _, write := range []func() error{b.writeVCD, b.writePicture} {
		if e := write(); err == nil {
			err = e
		}
	}
	b.probe.Host.Close()
	if e := b.around.Close(); err == nil {
		err = e
	}
	list := b.port.Board().Unmodelled()
	if b.ui.Verbose() {
		for _, u := range list {
			b.ui.Debugf("not modelled: %s", u)
		}
		return err
	}
	if b.refused != nil { // the error names it
		list = slices.DeleteFunc(list, func(u emu.Access) bool { return u.Block == b.refused.Block })
	}
	for _, line := range unmodelledBlocks(list) {
		b.ui.Note("%s", line)
	}
	return err
}

// writeVCD writes the levels of the pins.
func (b *Emulated) writeVCD() error {
	if b.levels == nil {
		return nil
	}
	if n := b.levels.Lost(); n > 0 {
		b.ui.Note("%s: the last %d changes of pins are missing", b.vcd, n)
	}
	f, err := createFile(b.vcd)
	if err != nil {
		return err
	}
	err = b.levels.WriteVCD(f)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// ParseSpeed reads a speed: a factor of real time, "max" (0), or "" for choice.
func ParseSpeed(text string, choice float64) (float64, error) {
	switch text {
	case "":
		return choice, nil
	case "max":
		return 0, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v < 1e6) {
		return 0, fault.New(fault.Usage, fmt.Sprintf("--speed %s: want a number such as 1 or 0.5, or max", text))
	}
	return v, nil
}
