// Package monitor turns a board's bytes into lines, reports and a verdict.
//
// Its input is bytes with the name of their stream and the time at which they
// arrived. A Sink receives lines (UTF-8, addresses resolved to functions and
// source lines with every inlined frame) and, for a crash, one Report in place of
// its lines; the Result at the end has the exit status. Bytes and times alone
// decide: the package reads no clock, opens nothing and prints nothing. Symbols
// come from package firmware; it depends on neither ports nor the emulator.
//
// The same bytes give the same lines, reports and verdict however they are
// cut into writes. Memory is bounded: MaxLine bytes per stream plus one report.
package monitor
