// Package scenario is a script of what happens to a board, and of what the board
// has to do: buttons, sensors, input, faults, expected lines and pins.
//
// Parse takes a text with a statement in each line, or one of Wokwi's scenario
// files, and returns values or an error with line and column. A Player has the
// parts that the script attaches to one board and performs its steps in order, at
// guest times, so a run with a scenario is as reproducible as one without.
package scenario

import (
	"fmt"
	"regexp"
	"time"

	"espalier.dev/espalier/emu"
)

// Scenario is a script. It is only read; each board has a Player of its own.
type Scenario struct {
	Name  string // of the file, for messages
	Parts []Part
	Steps []Step
}

// Pos is a place in the text, from 1. Column counts bytes.
type Pos struct{ Line, Column int }

// Part is a component or a wire that is attached before the board starts.
type Part struct {
	Pos  Pos
	Kind PartKind
	Name string
	Pins [2]int
	Low  bool // the other level: a button to the supply, an LED to the supply
}

// PartKind is the kind of a Part.
type PartKind uint8

// Kinds of parts.
const (
	Wire          PartKind = iota // between two pins
	Button                        // to ground, with a pull-up resistor
	LED                           // to ground
	Potentiometer                 // between supply and ground
	BMP180                        // pressure and temperature, at pins SDA and SCL
)

// Step is one thing that happens, or is expected.
type Step struct {
	Pos    Pos
	At     time.Duration // guest time from the start before which it does not happen
	Action Action
	Part   string         // of Press, Release and Set
	Text   string         // of Expect and Serial; the quantity of Set; the file of Screenshot
	Match  *regexp.Regexp // of Expect, in place of Text
	Pin    int
	Level  emu.Level
	Value  float64       // of Set; the share of PWM, 0 to 1
	Margin float64       // of PWM
	Time   time.Duration // of Wait; how long Press lasts, 0: until Release
	Within time.Duration // of what is expected
	USB    bool          // Serial: to USB-Serial-JTAG
}

// Action is what a Step does.
type Action uint8

// Actions.
const (
	Wait       Action = iota // let Time pass
	Press                    // a button
	Release                  // a button
	Set                      // a quantity of a part, or the temperature of the chip
	DrivePin                 // from outside
	Serial                   // send Text
	Reset                    // pulse the reset pin
	WiFiOff                  // switch the access point off
	WiFiOn                   // and on
	Expect                   // a line
	ExpectPin                // a level
	ExpectPWM                // a share of time at the high level
	Screenshot               // of a display, as PNG
)

// DefaultWithin is how long, in guest time, a board has for what is expected.
const DefaultWithin = 30 * time.Second

// Error is an error in a text, or a step that could not be performed.
type Error struct {
	Name string
	Pos  Pos
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.Name, e.Pos.Line, e.Pos.Column, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
