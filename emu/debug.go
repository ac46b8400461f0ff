package emu

import (
	"errors"

	"espalier.dev/espalier/rv32"
)

// CPU returns the processor, for debuggers: registers, breakpoints, memory.
// It must not be used while Run is executing.
func (b *Board) CPU() *rv32.CPU { return b.m.CPU }

// Inert makes the named blocks plain memory from now on: no side effect, no
// interrupt, each register reads what was written last; "all" is every block.
// Of a register, as "TIMG0.WDTFEED", it ignores writes. A test of firmware that
// passes with its block inert shows nothing about the block. The error names a
// block or register that the chip does not have. It is not undone by Restore.
func (b *Board) Inert(blocks ...string) error {
	c, ok := b.m.Chip().(interface{ Inert(blocks []string) error })
	if !ok {
		return errors.ErrUnsupported
	}
	return c.Inert(blocks)
}

// Track returns a function that returns the names of the blocks that the guest
// has used since. It makes register accesses slower, and undoes Inert.
func (b *Board) Track() (used func() []string, err error) {
	c, ok := b.m.Chip().(interface{ Track() func() []string })
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return c.Track(), nil
}
