package tape

import (
	"espalier.dev/espalier/emu"
)

// Version of the format.
const Version = 1

// Header says what was run. A board that is made of the same bytes and the
// same settings does the same.
type Header struct {
	Version  int     `json:"espalier-run"`
	ROM      string  `json:"rom"`   // SHA-256, in hexadecimal
	Flash    string  `json:"flash"` // SHA-256 of the whole flash at power-on
	EFuse    []byte  `json:"efuse,omitempty"`
	MAC      [6]byte `json:"mac"`
	Seed     uint64  `json:"seed"`
	USBHost  bool    `json:"usb-host,omitempty"`
	Download bool    `json:"download,omitempty"` // strapping pins at power-on
	Radio    bool    `json:"radio"`              // there was an antenna
	Note     string  `json:"note,omitempty"`     // for people: what the air was
}

// End is how far the run went. Trace and Instructions of a run that is played
// again up to there are the same.
type End struct {
	At           emu.Time `json:"end"`
	Instructions uint64   `json:"instructions"`
	Trace        uint64   `json:"trace,string"`
}

// line is one line of a recording after the first.
type line struct {
	At emu.Time `json:"at,omitempty"`

	// A frame that the antenna heard.
	RX      []byte `json:"rx,omitempty"`
	Channel int    `json:"channel,omitempty"`
	Level   int8   `json:"level,omitempty"`

	// The antenna was asked, and heard nothing (more). It is in the recording
	// because being asked is an event of the chip.
	Idle bool `json:"idle,omitempty"`

	// What became of a frame that the chip sent.
	TX    string   `json:"tx,omitempty"` // FNV-1a of the frame
	Done  emu.Time `json:"done,omitempty"`
	Acked bool     `json:"acked,omitempty"`

	// An input of the board.
	Input *input `json:"input,omitempty"`

	End *End `json:"finish,omitempty"`
}

// input is an emu.Input.
type input struct {
	Kind  emu.InputKind `json:"kind"`
	Port  emu.Stream    `json:"port,omitempty"`
	Data  []byte        `json:"data,omitempty"`
	Pin   int           `json:"pin,omitempty"`
	Level emu.Level     `json:"level,omitempty"`
	Strap emu.Strap     `json:"strap,omitempty"`
	// Of InputJoin and InputVoltage.
	Other      int    `json:"other,omitempty"`
	MilliVolts int32  `json:"millivolts,omitempty"`
	Ohms       uint32 `json:"ohms,omitempty"`
}
