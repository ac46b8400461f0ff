// Package session monitors one board, emulated or real, from its first byte to
// the exit code: expectations, keys, input, filters, logs, JSON events.
//
// A Board delivers bytes with their stream and time. The session gives them to
// package monitor, whose lines and reports package console shows, forwards what
// is typed or piped to the board, and ends with the monitor's verdict. Emulated
// and Serial are the two boards; every option means the same on both.
//
// What a board is surrounded by comes as an Emulation and Options, from flags, and
// from the configuration of a project where no flag says it.
//
// An emulated board without input from outside is deterministic: the session
// decides by guest time only, and the run stops at the instruction that sent the
// deciding byte.
package session
