package emutest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/monitor"
)

// defaultTimeout is what Expect waits without the option Timeout, in guest time.
const defaultTimeout = 30 * time.Second

// Board is an emulated board in a test. Its methods fail the test when the board
// does not do what they wait for. It belongs to the goroutine of the test.
type Board struct {
	t       testing.TB
	bed     *testbed.Testbed
	monitor *monitor.Monitor
	symbols *firmware.Symbols
	out     output
	timeout time.Duration
	keep    keeper
	pins    []emu.PinChange
	failed  bool
	player  *scenario.Player // nil: no scenario
	group   *Group           // nil: a board alone
}

// New returns a board with power on, before its first instruction. The board is
// closed when the test ends. New fails the test when the board cannot be made.
func New(t testing.TB, opts ...Option) *Board {
	t.Helper()
	b, err := open(t, opts)
	if err != nil {
		t.Fatalf("emutest: %v", err)
	}
	return b
}

func open(t testing.TB, opts []Option) (*Board, error) {
	c := config{timeout: defaultTimeout}
	for _, o := range opts {
		if err := o(&c); err != nil {
			return nil, err
		}
	}
	if c.timeout <= 0 {
		return nil, fmt.Errorf("timeout %v: want a positive duration", c.timeout)
	}
	if err := c.load(t); err != nil {
		return nil, err
	}
	b := &Board{t: t, timeout: c.timeout, keep: newKeeper(t, c.artifacts)}
	var err error
	if b.symbols, err = symbols(c.elf, c.bed.Board.ROM); err != nil {
		return nil, err
	}
	b.monitor = monitor.New(monitor.Options{Symbols: b.symbols, KeepGoing: true}, &b.out)
	c.bed.Board.Output = func(o emu.Output) {
		b.keep.serial.Write(o.Data)
		b.monitor.Write(monitor.Stream(o.Stream.String()), o.At.Duration(), o.Data)
	}
	c.bed.Board.Pin = func(p emu.PinChange) { b.pins = append(b.pins, p) }
	if b.keep.on {
		c.bed.Record, c.bed.Note = &b.keep.recording, t.Name()
		if c.bed.Network != testbed.None {
			c.bed.Capture = &b.keep.capture
		}
	}
	if c.scenario != nil {
		on := c.scenario.Board.Open(nil)
		b.player = c.scenario.Play(on)
		b.player.Save = b.keep.picture
		c.bed.Parts = append(c.bed.Parts, on, b.player)
		b.out.also = b.player.Line
	}
	if len(c.steps) > 0 {
		if c.scenario != nil {
			return nil, errors.New("the options Scenario and Steps exclude each other")
		}
		b.player = (&scenario.Scenario{Name: "steps", Steps: c.steps}).Play(c.named)
		b.player.Save = b.keep.picture
		c.bed.Parts = append(c.bed.Parts, b.player)
		b.out.also = b.player.Line
	}
	if b.bed, err = testbed.New(c.bed); err != nil {
		return nil, err
	}
	if b.player != nil {
		b.player.Start(0, b.bed.AccessPoint, c.bed.Faults)
	}
	for _, pins := range c.joined {
		for _, other := range pins[min(1, len(pins)):] {
			b.bed.Board.Join(pins[0], other)
		}
	}
	t.Cleanup(b.close)
	return b, nil
}

// load reads the files that the options name, and makes the flash.
func (c *config) load(t testing.TB) (err error) {
	board := &c.bed.Board
	if board.ROM, err = c.files.readROM(t.Context()); err != nil {
		return err
	}
	if c.firmware != "" {
		if c.elf, err = os.ReadFile(c.firmware); err != nil {
			return fmt.Errorf("reading firmware: %w", err)
		}
	}
	switch {
	case c.flash != "":
		if board.Flash, err = os.ReadFile(c.flash); err != nil {
			return fmt.Errorf("reading flash: %w", err)
		}
	case board.Flash != nil:
	case c.elf == nil:
		return errors.New("no firmware: want the option Firmware, FirmwareBytes, Flash or FlashBytes")
	default:
		boot, err := c.files.readBootloader(t.Context())
		if err != nil {
			return err
		}
		in := image.Inputs{Bootloader: boot, Table: c.table, Params: image.Params{Size: uint32(c.flashSize)}}
		f, err := image.FromELF(c.elf, in)
		if err != nil {
			return fmt.Errorf("flash image of the firmware: %w", err)
		}
		board.Flash = f.Merged()
	}
	if n := len(board.Flash); c.flashSize > n {
		board.Flash = append(bytes.Clone(board.Flash), bytes.Repeat([]byte{0xff}, c.flashSize-n)...)
	}
	return nil
}

// symbols opens what names addresses. elf may be nil.
func symbols(elf, rom []byte) (*firmware.Symbols, error) {
	var app, mask *firmware.ELF
	var err error
	if elf != nil {
		if app, err = firmware.Open(bytes.NewReader(elf), firmware.Options{}); err != nil {
			return nil, fmt.Errorf("debug information of the firmware: %w", err)
		}
	}
	if bytes.HasPrefix(rom, []byte("\x7fELF")) {
		if mask, err = firmware.Open(bytes.NewReader(rom), firmware.Options{}); err != nil {
			return nil, fmt.Errorf("symbols of the mask ROM: %w", err)
		}
	}
	return firmware.NewSymbols(app, mask), nil
}

// Emu returns the board for everything that this package has no method for:
// snapshots, debugging, raw inputs.
func (b *Board) Emu() *emu.Board { return b.bed.Board }

// Now returns the guest time since power-on.
func (b *Board) Now() time.Duration { return b.bed.Board.Now() }

// Run lets guest time pass, also on the boards of its Group. A crash of the firmware does not fail the test; the
// next Expect does.
func (b *Board) Run(d time.Duration) emu.Result {
	b.t.Helper()
	return b.run(b.Now()+d, func() bool { return false })
}

// Play lets guest time pass until the last step of the scenario.
func (b *Board) Play() {
	b.t.Helper()
	if b.player == nil {
		b.t.Fatal("emutest: no scenario: want the option Scenario or Steps")
	}
	b.wait(conditionStep, "the scenario has not ended", b.player.Done)
}

// Send sends text to the firmware's serial input: UART0, or USB-Serial-JTAG with
// the option USB.
func (b *Board) Send(text string) {
	port := emu.UART0
	if b.bed.Config.USBHost {
		port = emu.USB
	}
	b.bed.Board.Send(port, []byte(text))
}

// SendTo sends bytes to a serial port.
func (b *Board) SendTo(port emu.Stream, data []byte) { b.bed.Board.Send(port, data) }

// Reset pulses the reset pin.
func (b *Board) Reset() { b.bed.Board.Reset(emu.StrapFlash) }

// Pin returns the level that can be measured at a pin.
func (b *Board) Pin(n int) emu.Level { return b.bed.Board.Pin(n) }

// SetPin drives a pin from outside, or leaves it alone with emu.Floating.
func (b *Board) SetPin(n int, l emu.Level) { b.bed.Board.SetPin(n, l) }

// PinChanges returns the changes of pins that the firmware has driven, since
// power-on, in order.
func (b *Board) PinChanges() []emu.PinChange { return b.pins }

// Lines returns what the board has written to its serial ports, as lines without
// their line ends. The last one may be incomplete.
func (b *Board) Lines() []string { return b.out.texts() }
