package recording

import "espalier.dev/espalier/emu/chip"

// Version is the version of the format.
const Version = 1

// Header identifies a run: two boards with equal headers and equal inputs do
// the same.
type Header struct {
	Version  int     `json:"espalier-run"`
	ROM      string  `json:"rom"`   // SHA-256, in hexadecimal
	Flash    string  `json:"flash"` // SHA-256 of the whole flash at power-on
	EFuse    []byte  `json:"efuse,omitempty"`
	MAC      [6]byte `json:"mac"`
	Seed     uint64  `json:"seed"`
	USBHost  bool    `json:"usb-host,omitempty"`
	Download bool    `json:"download,omitempty"` // strapping pins at power-on
	Radio    bool    `json:"radio"`              // the chip had a radio medium
	Note     string  `json:"note,omitempty"`     // for readers: the network and its faults
}

// End is the end of the run: guest time, instructions since power-on and trace
// hash. A replay up to the same time has the same values.
type End struct {
	At           chip.Time `json:"end"`
	Instructions uint64    `json:"instructions"`
	Trace        uint64    `json:"trace,string"`
}

// line is one line of a recording after the first.
type line struct {
	At chip.Time `json:"at,omitempty"`

	// A frame that the chip received.
	RX      []byte `json:"rx,omitempty"`
	Channel int    `json:"channel,omitempty"`
	Level   int8   `json:"level,omitempty"`

	// The chip polled its radio and there was no (further) frame. A poll is an
	// event of the chip, so the replay needs it at the same instant.
	Idle bool `json:"idle,omitempty"`

	// The outcome of a frame that the chip sent.
	TX    string    `json:"tx,omitempty"` // FNV-1a of the frame
	Done  chip.Time `json:"done,omitempty"`
	Acked bool      `json:"acked,omitempty"`

	// An input of the board.
	Input *input `json:"input,omitempty"`

	End *End `json:"finish,omitempty"`
}

// input is a chip.Input.
type input struct {
	Kind  chip.InputKind `json:"kind"`
	Port  chip.Stream    `json:"port,omitempty"`
	Data  []byte         `json:"data,omitempty"`
	Pin   int            `json:"pin,omitempty"`
	Level chip.Level     `json:"level,omitempty"`
	Strap chip.Strap     `json:"strap,omitempty"`
	// Of InputJoin and InputVoltage.
	Other      int    `json:"other,omitempty"`
	MilliVolts int32  `json:"millivolts,omitempty"`
	Ohms       uint32 `json:"ohms,omitempty"`
	// Of InputTemperature.
	MilliCelsius int32 `json:"millicelsius,omitempty"`
}
