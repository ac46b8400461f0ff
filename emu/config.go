package emu

import (
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// Config describes a board and its contents. A board does not write to ROM and
// Flash, which may be those of several boards; it copies a page of the flash when
// the guest writes to it, so the caller must not change the slices while a board
// uses them. Board.Flash returns the content of the flash.
type Config struct {
	// ROM is the chip's mask ROM: the vendor's ELF or a flat dump.
	ROM []byte

	// Flash is the whole content of the SPI flash. Its length is the size of
	// the flash chip: 1, 2, 4, 8 or 16 MiB, else *FlashSizeError. Nil is an
	// erased flash of 4 MiB.
	Flash []byte

	// EFuse is the content of the eFuse blocks as Board.EFuse returned it.
	// Nil is a healthy chip of the newest revision.
	EFuse []byte

	// Revision is the chip's revision in the eFuse of a board made without EFuse,
	// as major*100 + minor: 3, 4 or 101; 0 is 4, any other *RevisionError. The
	// mask ROM of 101 is another one than that of 3 and 4.
	Revision uint16

	// MAC is the base MAC address in the eFuse of a board made without EFuse;
	// all zero is c3.DefaultMAC.
	MAC [6]byte

	// SlowClock is the frequency of the chip's internal slow RC oscillator in hertz,
	// which differs from chip to chip and which firmware measures (TIMG's
	// RTCCALICFG); 0 is 136000, the typical one (TRM 6.2.4). A value outside of 30000 to
	// 500000 counts as the nearest of these.
	SlowClock uint32

	// Strap is the boot mode that the strapping pins select at power-on.
	Strap Strap

	// Seed seeds the hardware random number generator.
	Seed uint64

	// USBHost connects a host to USB-Serial-JTAG at power-on: it sends
	// start-of-frame packets and reads what the guest writes. Without a
	// host, the endpoint fills up and stays full, as on a board that is
	// powered through other pins.
	USBHost bool

	// Engine chooses how instructions are executed; results are the same.
	Engine rv32.Engine

	// Strict stops the run at the first access to a register that is not
	// modelled, with a *StrictError.
	Strict bool

	// Radio is the medium that the antenna reaches, such as radio.Medium.Antenna;
	// nil is a board whose frames no station receives. The state of the medium is
	// not part of a snapshot.
	Radio Radio

	// Output receives what the guest writes to its serial ports, as it is
	// written and on the goroutine that called Run. The Data of the record is
	// only valid during the call. It may call Inject, but not Run.
	Output func(Output)

	// Pin receives every change of a pin that is driven by the guest, as it
	// happens and on the goroutine that called Run.
	Pin func(PinChange)

	// Replay are inputs to deliver at their times, as Board.Inputs of another
	// run returned them.
	Replay []Input
}

// Machine returns the part of the configuration that every chip has in common.
func (c *Config) Machine() chip.Config {
	return chip.Config{
		Engine: c.Engine, Strict: c.Strict, Radio: c.Radio, Output: c.Output, Pin: c.Pin, Replay: c.Replay,
	}
}
