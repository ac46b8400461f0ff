package emu

import "espalier.dev/espalier/rv32"

// CPU returns the processor, for debuggers: registers, breakpoints, memory.
// While Run is executing it belongs to the board.
func (b *Board) CPU() *rv32.CPU { return b.m.CPU }
