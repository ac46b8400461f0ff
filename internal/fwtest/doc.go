// Package fwtest runs test programs for the chip on emulated boards: programs
// built with the embedded-test crate, whose tests each run on a board of their
// own, and programs that are one test, which end by a semihosting exit or a
// panic.
//
// A Runner takes ELFs with their flash images and a function that describes a
// board's surroundings, and returns one Result for each test, in the order of the
// tests whatever the number of boards at a time. Time is guest time, so verdicts do not
// depend on the host. Tests of a program share its boot by a snapshot: result and
// trace are those of a whole boot. Their boards share its memory until they write to
// it.
package fwtest
