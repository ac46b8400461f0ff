package chip

// Stream is a serial port of the board.
type Stream uint8

// Serial ports. ROM, bootloader and most firmware write to UART0 and, when a
// host is there, to USB; they are never merged.
const (
	UART0 Stream = iota
	UART1
	USB
	// Streams is the number of serial ports.
	Streams
)

func (s Stream) String() string {
	switch s {
	case UART0:
		return "uart0"
	case UART1:
		return "uart1"
	case USB:
		return "usb"
	}
	return "unknown"
}

// Output is what the guest wrote to a serial port; Data left the chip at At.
// Bytes come as they are written, usually one at a time from a UART and up to
// 64 at a time from USB.
type Output struct {
	At     Time
	Stream Stream
	Data   []byte
}

// PinChange reports that the guest drives a pin to another level from At on, or
// releases it (Floating).
type PinChange struct {
	At    Time
	Pin   int
	Level Level
}
