// Package emu is the machine: guest time, deadlines, the run loop, recorded
// inputs, console streams, trace hash and snapshots. It is the public API of
// the emulated board; what the board consists of is decided by a chip package
// such as emu/c3, whose New returns a *Board.
//
// In come bytes (mask ROM, flash) and input records, out go console bytes
// with guest time stamps, pin changes and a Result. A run depends on nothing
// else: the package knows rv32 and the standard library, never the host's
// clock, files, network or goroutines, so the same bytes and inputs give the
// same trace hash on every machine.
package emu
