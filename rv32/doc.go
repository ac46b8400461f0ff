// Package rv32 is the CPU of the emulated ESP32-C3: RV32IMC with Zicsr and
// Zifencei, machine and user mode, and the chip's own CSRs.
//
// In come bytes of memory (Bank, Memory), a Bus for everything that is not
// plain memory, an interrupt line and a cycle to run to; out come register
// state, an Exit that says why the run ended, and a running hash of what was
// executed. Two engines give the same answer to the cycle: a reference
// interpreter that decodes every instruction each time, and a block engine
// that decodes once. Both are generated from one table of semantics (gen.go).
//
// The package knows no clock but its cycle counter, no device and no file: it
// imports nothing outside the standard library, and never os, net or time.
package rv32

//go:generate go run gen.go .
