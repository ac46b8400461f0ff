package chip

import "fmt"

// Stops are conditions under which Machine.Run returns.
type Stops struct {
	Limit        Duration          // guest time, counted from the start of the call; 0: none
	Instructions uint64            // instructions retired by the call; 0: none
	Reset        bool              // at the next reset of the chip
	Output       func(Output) bool // when it returns true; nil: none
}

// StopReason is why Run returned.
type StopReason uint8

// Reasons to stop.
const (
	// StopLimit: the guest time of the limit has passed.
	StopLimit StopReason = iota
	// StopText: the guest wrote a text that the caller waited for.
	StopText
	// StopOutput: the caller's function accepted an output.
	StopOutput
	// StopInstructions: the count of instructions was reached.
	StopInstructions
	// StopReset: the chip was reset and the caller asked to stop there.
	StopReset
	// StopContext: the context ended.
	StopContext
	// StopIdle: the CPU waits for an interrupt, or the chip sleeps, and no
	// deadline and no input will ever end that.
	StopIdle
	// StopStrict: a strict board met a register that is not modelled; the
	// error is a *StrictError.
	StopStrict
	// StopAbsent: the guest started a device that the board does not have; the
	// error is an *AbsentError.
	StopAbsent
	// StopTrapLoop: an exception repeats without an end, and nothing will end that;
	// the error is a *TrapLoopError.
	StopTrapLoop
	// StopEbreak: the CPU is at an ebreak that CPU.StopOnEbreak or CPU.OnEbreak
	// has made a stop; it is not executed yet.
	StopEbreak
	// StopBreakpoint: the CPU is at an address of CPU.SetBreakpoint; the
	// instruction there is not executed yet, and the next Run executes it.
	StopBreakpoint
)

func (r StopReason) String() string {
	switch r {
	case StopLimit:
		return "limit"
	case StopText:
		return "text"
	case StopOutput:
		return "output"
	case StopInstructions:
		return "instructions"
	case StopReset:
		return "reset"
	case StopContext:
		return "context"
	case StopIdle:
		return "idle"
	case StopStrict:
		return "strict"
	case StopAbsent:
		return "absent"
	case StopTrapLoop:
		return "trap loop"
	case StopEbreak:
		return "ebreak"
	case StopBreakpoint:
		return "breakpoint"
	}
	return "unknown"
}

// Result describes one call of Machine.Run.
type Result struct {
	Reason StopReason
	Err    error // of StopContext, StopStrict, StopAbsent and StopTrapLoop

	Start, Now   Time // guest time at the beginning and at the end of the call
	Instructions uint64
	Resets       []Reset
	Unmodelled   []Access // registers used by the call that the chip does not model
}

// Reset is a reset of the chip.
type Reset struct {
	At Time
	// Cause is the code that the guest finds in its reset cause register, Name
	// what the mask ROM prints for it.
	Cause uint8
	Name  string
}

// StrictError is the end of a strict run: the guest used something that is not
// modelled.
type StrictError struct{ Access Access }

func (e *StrictError) Error() string {
	return "not modelled: " + e.Access.String()
}

// AbsentError is the end of a run whose guest started a device that the chip
// has and the board does not. Otherwise it would wait forever.
type AbsentError struct {
	Device string // "Bluetooth LE controller"
	Access Access // the write that started it
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("the %s is not modelled: the firmware starts it with a write to 0x%08x at pc 0x%08x, %ss",
		e.Device, e.Access.Addr, e.Access.PC, e.Access.At)
}
