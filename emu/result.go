package emu

import "time"

// Result describes one call of Run.
type Result struct {
	Reason StopReason

	// Text is the text that ended the run (StopText).
	Text string

	// Now is the guest time at the end, since power-on; Elapsed is that of this
	// call.
	Now     time.Duration
	Elapsed time.Duration

	// Instructions is the number of instructions that this call retired, those
	// that trapped included. A spin loop that was fast-forwarded counts as if it had
	// been executed.
	Instructions uint64

	// Trace is the trace hash since power-on. Two runs with the same Config
	// and inputs that stop at the same place have the same hash.
	Trace uint64

	// Resets are the resets of the chip during this call, in order.
	Resets []Reset

	// Unmodelled are the registers used by this call that the board does not
	// model, by address; Board.Unmodelled has those since power-on.
	Unmodelled []Access

	// Err is set for StopContext, StopStrict, StopAbsent and StopTrapLoop.
	Err error
}
