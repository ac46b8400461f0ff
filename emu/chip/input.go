package chip

import "slices"

// Input is an event from outside at an instant of guest time. The inputs of a run
// together with its configuration determine it: Machine.Inputs returns them, and
// Config.Replay delivers them again.
type Input struct {
	At   Time
	Kind InputKind
	// Port is the stream that Data arrives on (InputSerial).
	Port Stream
	// Data are the bytes that arrive (InputSerial).
	Data []byte
	// Pin is the number of the pin (InputPin, InputVoltage, InputJoin, InputCut).
	Pin int
	// Other is the pin to join with Pin (InputJoin).
	Other int
	// MilliCelsius is the temperature of the chip (InputTemperature).
	MilliCelsius int32
	// Source is what the pin is connected to (InputVoltage); its voltage is that of
	// the chip's supply (InputSupply).
	Source Source
	// Level is the new level or presence (InputPin, InputUSBHost, InputEnable).
	Level Level
	// Strap is what the strapping pins select (InputReset, InputStrap).
	Strap Strap
}

// InputKind is the kind of an Input.
type InputKind uint8

// Kinds of input.
const (
	// InputSerial: bytes arrive on a serial port.
	InputSerial InputKind = iota
	// InputPin: something outside drives a pin low or high, or releases it.
	InputPin
	// InputUSBHost: a host is plugged in (High) or removed (Low).
	InputUSBHost
	// InputReset: the strapping pins are set and the reset pin is pulsed.
	InputReset
	// InputStrap: the strapping pins are set; the chip samples them at its next
	// reset.
	InputStrap
	// InputEnable: the reset pin is held low (Low), which holds the chip in reset,
	// or released (High), which starts it.
	InputEnable
	// InputVoltage: a voltage is connected to a pin by a resistance, in the place
	// of what InputPin or InputVoltage did before; the zero Source removes it.
	InputVoltage
	// InputJoin: a wire joins two pins.
	InputJoin
	// InputCut: the wires of a pin are removed.
	InputCut
	// InputTemperature: the chip has another temperature; at power-on it has 25 degrees.
	InputTemperature
	// InputSupply: the chip's supply has another voltage; at power-on it is Supply.
	InputSupply
)

// Level is what a pin is driven to.
type Level uint8

// Levels of a pin.
const (
	Low Level = iota
	High
	// Floating is a pin that nothing outside drives: pull resistors decide.
	Floating
)

func (l Level) String() string {
	switch l {
	case Low:
		return "low"
	case High:
		return "high"
	case Floating:
		return "floating"
	}
	return "unknown"
}

// Source returns the level as a source with an output resistance in ohms.
func (l Level) Source(ohms uint32) Source {
	switch l {
	case Low:
		return Source{Ohms: ohms}
	case High:
		return Source{MilliVolts: Supply, Ohms: ohms}
	}
	return Source{}
}

// inputs holds the inputs that are still to come, in the order of their time
// and, at the same time, of their arrival, and those that were delivered.
type inputs struct {
	pending []Input
	done    []Input
}

func (q *inputs) add(in Input) {
	in.Data = slices.Clone(in.Data)
	i, _ := slices.BinarySearchFunc(q.pending, in.At, func(e Input, at Time) int {
		if e.At <= at {
			return -1
		}
		return 1
	})
	q.pending = slices.Insert(q.pending, i, in)
}

func (q *inputs) next() Time {
	if len(q.pending) == 0 {
		return Never
	}
	return q.pending[0].At
}

func (q *inputs) pop() Input {
	in := q.pending[0]
	q.pending = q.pending[1:]
	q.done = append(q.done, in)
	return in
}
