// Package c3 models the ESP32-C3: memories, buses and one file per hardware
// block. Registers and fields are named as in the ESP32-C3 Technical Reference
// Manual ("TRM"); the number after it in a comment is the chapter.
//
// Input: the mask ROM, flash content and inputs of an emu.Config. Output: an
// *emu.Board. A register that is not modelled behaves as storage; accesses to
// it are recorded, can be listed, and end a strict run.
//
// The package depends on emu, rv32 and data types of the standard library. It
// has no state of its own, starts no goroutine and must not use files, the
// network or the host's clock.
package c3
