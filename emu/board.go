package emu

import (
	"context"
	"time"

	"espalier.dev/espalier/emu/chip"
)

// Board is a chip with power on. It is not safe for concurrent use.
type Board struct {
	m     *chip.Machine
	saved int // size of the last snapshot
}

// NewBoard returns a board made of a machine. Users call the New of a chip
// package instead.
func NewBoard(m *chip.Machine) *Board { return &Board{m: m} }

// Run lets guest time pass until a condition of opts holds, the context ends
// or nothing can happen any more, and says which. Called again, it continues.
func (b *Board) Run(ctx context.Context, opts ...Option) Result {
	var st stops
	for _, o := range opts {
		o(&st)
	}
	r := b.m.Run(ctx, st.machine())
	res := Result{
		Reason:       r.Reason,
		Err:          r.Err,
		Now:          r.Now.Duration(),
		Elapsed:      r.Now.Sub(r.Start).Std(),
		Instructions: r.Instructions,
		Trace:        b.m.TraceHash(),
		Resets:       r.Resets,
		Unmodelled:   r.Unmodelled,
	}
	if st.found != "" && r.Reason == StopOutput {
		res.Reason, res.Text = StopText, st.found
	}
	return res
}

// Now returns the guest time since power-on.
func (b *Board) Now() time.Duration { return b.m.Now().Duration() }

// Instructions returns the instructions retired since power-on.
func (b *Board) Instructions() uint64 { return b.m.Instructions() }

// Trace returns the trace hash since power-on, see Result.Trace.
func (b *Board) Trace() uint64 { return b.m.TraceHash() }

// Inject delivers an input at its time; one whose time has passed is delivered
// at once and recorded with the time of its delivery. Inject and the methods
// built on it may be called from Config.Output and Config.Pin: the answer to a
// prompt arrives right after it.
func (b *Board) Inject(in Input) { b.m.Inject(in) }

// Send puts bytes on the receiving side of a serial port, now.
func (b *Board) Send(s Stream, p []byte) {
	b.Inject(Input{Kind: InputSerial, Port: s, Data: p})
}

// SetPin drives a pin from outside, or releases it with Floating, now.
func (b *Board) SetPin(n int, l Level) {
	b.Inject(Input{Kind: InputPin, Pin: n, Level: l})
}

// SetVoltage connects a voltage in millivolts to a pin through a resistance in
// ohms, now: a potentiometer or sensor for the ADC, a pull resistor (3300 or 0
// millivolts). It takes the place of an earlier SetPin or SetVoltage of the pin;
// 0 ohms removes it.
func (b *Board) SetVoltage(n, milliVolts int, ohms uint32) {
	b.Inject(Input{Kind: InputVoltage, Pin: n, Source: Source{MilliVolts: int32(milliVolts), Ohms: ohms}})
}

// SetTemperature sets the temperature of the chip in thousandths of a degree
// Celsius, now.
func (b *Board) SetTemperature(milliCelsius int) {
	b.Inject(Input{Kind: InputTemperature, MilliCelsius: int32(milliCelsius)})
}

// SetSupply sets the voltage of the chip's supply in millivolts, now: firmware that
// enables the brown-out detector is warned and reset below its threshold. Pins keep
// the levels of emu.Supply.
func (b *Board) SetSupply(milliVolts int) {
	b.Inject(Input{Kind: InputSupply, Source: Source{MilliVolts: int32(milliVolts)}})
}

// Join connects two pins by a wire, now.
func (b *Board) Join(n, other int) { b.Inject(Input{Kind: InputJoin, Pin: n, Other: other}) }

// Cut removes all wires of a pin, now; what else is joined stays so.
func (b *Board) Cut(n int) { b.Inject(Input{Kind: InputCut, Pin: n}) }

// Conflicts returns the short circuits between pins so far, in the order of
// their start.
func (b *Board) Conflicts() []Conflict { return b.m.Chip().Nets().Conflicts() }

// MilliVolts returns the voltage at pin n, 0 for a pin that is not connected.
func (b *Board) MilliVolts(n int) int { return b.m.Chip().MilliVolts(n) }

// PlugUSB connects a host to USB-Serial-JTAG, or removes it, now.
func (b *Board) PlugUSB(present bool) {
	l := Low
	if present {
		l = High
	}
	b.Inject(Input{Kind: InputUSBHost, Level: l})
}

// Reset pulses the reset pin with the straps set to s, now.
func (b *Board) Reset(s Strap) { b.Inject(Input{Kind: InputReset, Strap: s}) }

// SetStrap sets the strapping pins; the chip samples them at its next reset.
func (b *Board) SetStrap(s Strap) { b.Inject(Input{Kind: InputStrap, Strap: s}) }

// SetEnable holds the chip in reset with Low and starts it with High.
func (b *Board) SetEnable(l Level) { b.Inject(Input{Kind: InputEnable, Level: l}) }

// Baud returns the bits per second that the guest has configured for a serial
// port, 0 for USB.
func (b *Board) Baud(s Stream) int { return b.m.Chip().Baud(s) }

// Inputs returns the inputs that were delivered so far, for Config.Replay.
func (b *Board) Inputs() []Input { return b.m.Inputs() }

// Pin returns the level that can be measured at pin n, Floating for a pin that is
// not driven or does not exist.
func (b *Board) Pin(n int) Level { return b.m.Chip().Pin(n) }

// Flash returns a copy of the flash content, EFuse of the eFuse blocks.
func (b *Board) Flash() []byte { return b.m.Chip().Flash() }

// EFuse returns a copy of the content of the eFuse blocks, for Config.EFuse.
func (b *Board) EFuse() []byte { return b.m.Chip().EFuse() }

// Unmodelled returns the registers used since power-on that the board does not
// model, by address; Result.Unmodelled has those of one run.
func (b *Board) Unmodelled() []Access { return b.m.Accesses() }
