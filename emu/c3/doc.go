// Package c3 is the ESP32-C3: memories, buses and one file per hardware block.
// Registers and fields are named as in the ESP32-C3 Technical Reference
// Manual ("TRM"); the number after it in a comment is the chapter.
//
// In come the mask ROM, flash content and inputs of an emu.Config, out goes an
// *emu.Board. The board is honest: a register that is not modelled behaves as
// memory, is recorded and can be listed, and ends a strict run.
//
// The package knows emu, rv32 and the standard library's data handling. It has
// no state of its own, starts no goroutine and must not know files, the
// network or the host's clock.
package c3
