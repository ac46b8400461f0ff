package emu

// StopReason says why Run returned.
type StopReason uint8

// Reasons to stop.
const (
	// StopLimit: the guest time of Limit has passed.
	StopLimit StopReason = iota
	// StopText: a text of UntilText was written; it is in Result.Text.
	StopText
	// StopOutput: the function of UntilOutput said so.
	StopOutput
	// StopInstructions: the count of Instructions was reached.
	StopInstructions
	// StopReset: the chip was reset and UntilReset was given.
	StopReset
	// StopContext: the context ended; Result.Err is its error.
	StopContext
	// StopIdle: the CPU waits for an interrupt, or the chip sleeps, and no
	// deadline and no input will ever end that.
	StopIdle
	// StopStrict: a strict board met a register that is not modelled;
	// Result.Err is a *StrictError.
	StopStrict
	// StopAbsent: the guest started a device that the board does not have;
	// Result.Err is an *AbsentError.
	StopAbsent
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
	}
	return "unknown"
}

// Result is what a call of Run has to say.
type Result struct {
	Reason StopReason

	// Text is the text that ended the run (StopText).
	Text string

	// Now is the guest time at the end, Elapsed the guest time of this call.
	Now     Time
	Elapsed Duration

	// Instructions is how many instructions this call retired, those that
	// trapped included. A spin loop that was fast-forwarded counts as if it had
	// been executed.
	Instructions uint64

	// Trace is the trace hash since power-on. Two runs with the same Config
	// and inputs that stop at the same place have the same hash.
	Trace uint64

	// Resets are the resets of the chip during this call, in order.
	Resets []Reset

	// Unmodelled are the registers used since power-on that the board does not
	// model, by address.
	Unmodelled []Access

	// Err is set for StopContext, StopStrict and StopAbsent.
	Err error
}

// Reset is a reset of the chip.
type Reset struct {
	At Time
	// Cause is the code that the guest finds in its reset cause register, Name
	// what the mask ROM prints for it.
	Cause uint8
	Name  string
}
