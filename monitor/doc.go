// Package monitor turns a board's bytes into lines, reports and a verdict.
//
// In come bytes with the name of their stream and the time at which they
// came; out go, through a Sink, lines (UTF-8, addresses resolved to functions
// and source lines with every inlined frame) and, for a crash, one folded
// Report; at the end a Result, which knows the exit status. The monitor
// decides on bytes and times only: it reads no clock, opens nothing, prints
// nothing. It knows package firmware for names, and neither ports nor the
// emulator.
//
// The same bytes give the same lines, reports and verdict however they are
// cut into writes. Memory is bounded: MaxLine bytes per stream plus one report.
package monitor
