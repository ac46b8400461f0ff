// Package rv32 is the CPU of the emulated ESP32-C3: RV32IMC with Zicsr and
// Zifencei, machine and user mode, and the chip's custom CSRs.
//
// Input: memory (Bank, Memory), a Bus for everything that is not plain memory,
// an interrupt line and a cycle to run to. Output: register state, an Exit with
// the reason why the run ended, and a hash of the executed instructions. Two
// engines give the same results to the cycle: a reference interpreter that
// decodes every instruction each time, and a block engine that decodes once.
// Both are generated from one table of semantics (gen.go).
//
// The package has no clock but its cycle counter, no devices and no files: it
// imports nothing outside the standard library, and never os, net or time.
package rv32

//go:generate go run gen.go .
