package serial

import (
	"context"
	"strings"
	"time"
)

// Port is an open serial port. One goroutine may read while another writes;
// no method may be called from two goroutines at once.
//
// Times are of the port's own clock: the host's for ports of this machine and
// of the network, the guest's for an emulated chip in the same process. Code
// that waits through Wait and Read therefore behaves the same on both.
type Port interface {
	// Read waits until at least one byte has arrived, for at most timeout, and
	// returns the bytes that are there. Errors: os.ErrDeadlineExceeded when none
	// arrived, *GoneError when none will ever arrive, or that of ctx.
	Read(ctx context.Context, p []byte, timeout time.Duration) (int, error)

	// Write sends all of p. Errors: *GoneError, or that of ctx.
	Write(ctx context.Context, p []byte) error

	// SetBaud changes the speed of both directions, in bits per second. A port
	// whose speed others decide returns an error that is errors.ErrUnsupported.
	SetBaud(ctx context.Context, baud int) error

	// SetLines asserts or releases the modem lines DTR and RTS, both in one
	// step where the system can. A port without them returns an error that is
	// errors.ErrUnsupported.
	SetLines(ctx context.Context, dtr, rts bool) error

	// Wait lets time pass. Bytes that arrive meanwhile are kept.
	Wait(ctx context.Context, d time.Duration) error

	// Now returns the time since the port was opened.
	Now() time.Duration

	// Info returns what is known about the port.
	Info() Info

	// Close releases the port. The modem lines stay as they are. A Read in
	// progress returns *GoneError.
	Close() error
}

// Kind is the hardware at this end of a port.
type Kind uint8

// Kinds of port.
const (
	// Unknown is a device that is not on USB, or cannot be recognised.
	Unknown Kind = iota
	// Bridge is a USB chip that is connected to the board's UART.
	Bridge
	// USBJTAG is the USB-Serial-JTAG peripheral inside an Espressif chip: baud
	// rates mean nothing, the modem lines are read by the chip itself.
	USBJTAG
	// Network is TCP or RFC 2217.
	Network
	// Terminal is a pseudo-terminal: a program is at the other end.
	Terminal
	// Emulated is a chip in the same process.
	Emulated
)

func (k Kind) String() string {
	switch k {
	case Bridge:
		return "USB-UART bridge"
	case USBJTAG:
		return "USB-Serial-JTAG"
	case Network:
		return "network"
	case Terminal:
		return "pseudo-terminal"
	case Emulated:
		return "emulated board"
	}
	return "serial port"
}

// Info describes a port. Fields that are not known are empty.
type Info struct {
	Name         string // as given to Open
	Kind         Kind
	VID, PID     uint16 // of the USB device
	Serial       string // serial number of the USB device; of Espressif's chips, the MAC address
	Manufacturer string
	Product      string
	// Chip is the probable chip: "esp32c3" for Espressif's own USB
	// device would say too much, since several chips share its id; it is
	// "ESP32-C3/C6/H2/S3" then.
	Chip string
}

// Options are settings of a port that is opened.
type Options struct {
	// Baud is the speed at the start; 0 is 115200.
	Baud int
}

func (o Options) baud() int {
	if o.Baud == 0 {
		return DefaultBaud
	}
	return o.Baud
}

// DefaultBaud is the speed that a board starts with.
const DefaultBaud = 115200

// Open opens a port by its name: tcp://HOST:PORT is a raw byte stream,
// rfc2217://HOST:PORT a port of another machine with speed and modem lines,
// anything else a device of this machine, listed or not. No modem line is
// touched, except that the system raises both on most ports, which resets
// nothing. Errors are *OpenError and that of ctx.
func Open(ctx context.Context, name string, o Options) (Port, error) {
	if addr, ok := strings.CutPrefix(name, "tcp://"); ok {
		return openTCP(ctx, name, addr)
	}
	if addr, ok := strings.CutPrefix(name, "socket://"); ok { // as esptool writes it
		return openTCP(ctx, name, addr)
	}
	if addr, ok := strings.CutPrefix(name, "rfc2217://"); ok {
		return openRFC2217(ctx, name, addr, o)
	}
	return openDevice(ctx, name, o)
}
