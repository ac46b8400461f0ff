package emu

import (
	"time"

	"espalier.dev/espalier/emu/chip"
)

// Records and values that a board and its chip exchange with the outside. They
// are defined in emu/chip and are the same types.
type (
	// Time is an instant of guest time.
	Time = chip.Time
	// Duration is a span of guest time in ticks.
	Duration = chip.Duration
	// Stream is a serial port of the board.
	Stream = chip.Stream
	// Output is what the guest wrote to a serial port.
	Output = chip.Output
	// Level is what a pin is driven to.
	Level = chip.Level
	// PinChange says that the guest drives a pin to another level.
	PinChange = chip.PinChange
	// Input is an event from outside at an instant of guest time.
	Input = chip.Input
	// InputKind is the kind of an Input.
	InputKind = chip.InputKind
	// Source is a voltage with an output resistance that is connected to a pin.
	Source = chip.Source
	// Conflict is a short circuit between pins, or an oscillation.
	Conflict = chip.Conflict
	// Strap selects what the ROM does after reset.
	Strap = chip.Strap
	// Access is the use of a register that is not modelled.
	Access = chip.Access
	// Reset is a reset of the chip.
	Reset = chip.Reset
	// StopReason is why Run returned.
	StopReason = chip.StopReason
	// StrictError is the error of StopStrict.
	StrictError = chip.StrictError
	// AbsentError is the error of StopAbsent.
	AbsentError = chip.AbsentError
	// TrapLoopError is the error of StopTrapLoop.
	TrapLoopError = chip.TrapLoopError
	// Radio is the medium that a chip's antenna reaches.
	Radio = chip.Radio
	// RadioTX is a frame that the chip sends.
	RadioTX = chip.RadioTX
	// RadioRX is a frame that the chip receives.
	RadioRX = chip.RadioRX
)

// At returns the instant d after power-on, for Input.At.
func At(d time.Duration) Time { return chip.At(d) }

// Units of guest time, see chip.Duration.
const (
	Tick           = chip.Tick
	Microsecond    = chip.Microsecond
	Millisecond    = chip.Millisecond
	Second         = chip.Second
	TicksPerSecond = chip.TicksPerSecond
	// Supply is the voltage of the logic in millivolts.
	Supply = chip.Supply
	Never  = chip.Never
)

// Serial ports, see chip.Stream.
const (
	UART0 = chip.UART0
	UART1 = chip.UART1
	USB   = chip.USB
)

// Levels of a pin, see chip.Level.
const (
	Low      = chip.Low
	High     = chip.High
	Floating = chip.Floating
)

// Boot modes, see chip.Strap.
const (
	StrapFlash    = chip.StrapFlash
	StrapDownload = chip.StrapDownload
)

// Kinds of input, see chip.InputKind.
const (
	InputSerial  = chip.InputSerial
	InputPin     = chip.InputPin
	InputUSBHost = chip.InputUSBHost
	InputReset   = chip.InputReset
	InputStrap   = chip.InputStrap
	InputEnable  = chip.InputEnable
	InputVoltage = chip.InputVoltage
	InputJoin    = chip.InputJoin
	InputCut     = chip.InputCut
	// InputTemperature: see chip.InputTemperature.
	InputTemperature = chip.InputTemperature
	// InputSupply: see chip.InputSupply.
	InputSupply = chip.InputSupply
)

// Reasons to stop, see chip.StopReason.
const (
	StopLimit        = chip.StopLimit
	StopText         = chip.StopText
	StopOutput       = chip.StopOutput
	StopInstructions = chip.StopInstructions
	StopReset        = chip.StopReset
	StopContext      = chip.StopContext
	StopIdle         = chip.StopIdle
	StopStrict       = chip.StopStrict
	StopAbsent       = chip.StopAbsent
	StopTrapLoop     = chip.StopTrapLoop
	StopBreakpoint   = chip.StopBreakpoint
	StopEbreak       = chip.StopEbreak
)
