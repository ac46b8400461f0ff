package chip

import "espalier.dev/espalier/rv32"

// Config is the part of a board's configuration that concerns every chip.
type Config struct {
	// Engine chooses how instructions are executed; results are the same.
	Engine rv32.Engine
	// Strict stops the run at the first access to a register that is not
	// modelled.
	Strict bool
	// Radio is the medium that the antenna reaches; nil is a chip whose frames
	// no station receives.
	Radio Radio
	// Output receives what the guest writes to its serial ports.
	Output func(Output)
	// Pin receives changes of pins that the guest drives.
	Pin func(PinChange)
	// Replay are inputs to deliver at their times.
	Replay []Input
}

// Chip is an implementation of a chip, such as emu/c3. Its methods are called
// between instructions.
type Chip interface {
	// Reset performs the reset that was requested by Machine.RequestReset.
	Reset()
	// Input delivers an input whose time has come.
	Input(Input)
	// State walks over everything that is not in Machine: memories and devices.
	State(*State)
	// Pin returns the level that can be measured at a pin, MilliVolts the voltage.
	Pin(n int) Level
	MilliVolts(n int) int
	// Nets returns the wiring of the chip's pins.
	Nets() *Nets
	// Baud returns the bits per second of a serial port, 0 for USB.
	Baud(Stream) int
	// Flash and EFuse return copies of the stored content.
	Flash() []byte
	EFuse() []byte
}

// Drainer is a Chip that sends, without waiting for the line, what the guest has
// written to its serial ports. Run calls it when it ends with StopStrict or
// StopAbsent: the guest wrote that before it did what ended the run.
type Drainer interface{ Drain() }

// Strap selects what the ROM does after reset.
type Strap uint8

// Boot modes, by the value of the strapping pins that selects them.
const (
	// StrapFlash boots from SPI flash.
	StrapFlash Strap = iota
	// StrapDownload starts the ROM's serial loader on UART0 and USB.
	StrapDownload
)

func (s Strap) String() string {
	switch s {
	case StrapFlash:
		return "flash"
	case StrapDownload:
		return "download"
	}
	return "unknown"
}
