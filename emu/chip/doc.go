// Package chip is what the implementation of a chip builds on: Machine with its
// CPU, guest time and clock, timers, inputs and outputs as records, the trace
// hash, the walk over the state that snapshots use, and the run loop. The public
// API of a board is package emu, which wraps a Machine.
//
// A run depends on the configuration and the input records alone: the package
// imports rv32 and the standard library, never the host's clock, files, network
// or goroutines.
package chip
