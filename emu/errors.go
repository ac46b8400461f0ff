package emu

import "fmt"

// FlashSizeError reports a flash image with a size that no flash chip has.
type FlashSizeError struct{ Size int }

func (e *FlashSizeError) Error() string {
	return fmt.Sprintf("flash image of %d bytes: the emulated flash chip has 1, 2, 4, 8 or 16 MiB (%d, %d, %d, %d or %d bytes)",
		e.Size, 1<<20, 2<<20, 4<<20, 8<<20, 16<<20)
}

// ROMError reports bytes that are not a mask ROM of the chip.
type ROMError struct{ Reason string }

func (e *ROMError) Error() string { return "mask ROM: " + e.Reason }

// EFuseSizeError reports eFuse content of the wrong length.
type EFuseSizeError struct{ Size, Want int }

func (e *EFuseSizeError) Error() string {
	return fmt.Sprintf("efuse content of %d bytes: want %d", e.Size, e.Want)
}

// RevisionError is a chip revision that does not exist or is not known.
type RevisionError struct {
	Revision uint16   // major*100 + minor
	Known    []uint16 // those that a board can have
}

func (e *RevisionError) Error() string {
	text := fmt.Sprintf("no chip of revision v%d.%d; known are", e.Revision/100, e.Revision%100)
	for _, r := range e.Known {
		text += fmt.Sprintf(" v%d.%d", r/100, r%100)
	}
	return text
}
