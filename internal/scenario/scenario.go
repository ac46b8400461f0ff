// Package scenario is a script of what happens to a board, and of what the board
// has to do: buttons, sensors, input, faults, expected lines and pins.
//
// Parse takes a text with a statement in each line, or one of Wokwi's scenario
// files, and the parts that the board has anyway, and returns values or an error
// with line and column. A Player performs the steps in order on one board with
// those parts, at guest times, so a run with a scenario is as reproducible as one
// without.
package scenario

import (
	"fmt"
	"regexp"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/board"
)

// Scenario is a script. It is only read; each board has a Player of its own.
type Scenario struct {
	Name  string       // of the file, for messages
	Board *board.Board // parts and wires: those that Parse was given, and the script's
	Steps []Step
}

// Pos is a place in the text, from 1. Column counts bytes; it is 0 for a step that
// is a value of a program.
type Pos struct{ Line, Column int }

// Step is one thing that happens, or is expected.
type Step struct {
	File   string // "" for the scenario's name
	Pos    Pos
	At     time.Duration // guest time from the start before which it does not happen
	Action Action
	Part   string         // of Press, Release and Set; the display of Screenshot
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
	Set                      // a quantity of a part, or temperature or supply of the chip
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

// Longest is the guest time after which the scenario has ended or failed.
func (s *Scenario) Longest() time.Duration {
	at := time.Duration(0)
	for _, st := range s.Steps {
		at = max(at, st.At)
		switch st.Action {
		case Wait:
			at += st.Time
		case Expect, ExpectPin, ExpectPWM:
			at += st.Within
		}
	}
	return at
}

// DefaultWithin is how long, in guest time, a board has for what is expected.
const DefaultWithin = 30 * time.Second

// Error is an error in a text, or a step that could not be performed.
type Error struct {
	Name string
	Pos  Pos
	Err  error
}

func (e *Error) Error() string {
	if e.Pos.Column == 0 {
		return fmt.Sprintf("%s:%d: %v", e.Name, e.Pos.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.Name, e.Pos.Line, e.Pos.Column, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
