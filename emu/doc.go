// Package emu is the API of an emulated board for its users: configuration, runs,
// inputs and outputs, snapshots, results. Which chip is on the board is decided by
// the package that makes it, such as emu/c3, whose New returns a *Board:
//
//	board, err := c3.New(emu.Config{ROM: rom, Flash: flash})
//	if err != nil { … }
//	res := board.Run(ctx, emu.UntilText("200 OK"), emu.Limit(30*time.Second))
//
// Inputs are bytes (mask ROM, flash) and input records; outputs are serial bytes
// with guest time stamps, pin changes and a Result. A run depends on nothing else:
// the package imports emu/chip, rv32 and the standard library, and does not use
// the host's clock, files, network or goroutines, so the same bytes and inputs
// give the same trace hash on every machine.
//
// Package emu/testbed adds a network to a board, package emutest makes one for a
// test, and emu/chip is what implementations of chips build on.
package emu
