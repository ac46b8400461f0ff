package emutest

import (
	"fmt"
	"image"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/scenario"
)

// Step is one thing that happens to a board, or that the board has to do: a
// statement of a scenario as a value. The functions below make them.
type Step struct{ s scenario.Step }

// Steps performs steps in order while guest time passes, as Scenario does with a
// text. A step begins when the one before it is done. Parts that steps name are
// attached with Named.
//
//	display := &parts.SSD1306{SDA: 4, SCL: 5}
//	b := emutest.New(t, emutest.Firmware("product.elf"),
//		emutest.Named("start", &parts.Button{Pin: 9, Pull: 10_000}),
//		emutest.Steps(
//			emutest.ExpectText("ready", 5*time.Second),
//			emutest.Press("start", 50*time.Millisecond),
//			emutest.ExpectPin(8, emu.High, time.Second),
//		))
//	b.Play()
func Steps(steps ...Step) Option {
	return func(c *config) error {
		for _, st := range steps {
			c.steps = append(c.steps, st.s)
		}
		return nil
	}
}

// Named attaches a part, before the board starts, under a name for Steps.
func Named(name string, part emu.Part) Option {
	return func(c *config) error {
		if c.named[name] != nil {
			return fmt.Errorf("two parts have the name %q", name)
		}
		if c.named == nil {
			c.named = namedParts{}
		}
		c.named[name] = part
		c.bed.Parts = append(c.bed.Parts, part)
		return nil
	}
}

// namedParts implements scenario.Parts.
type namedParts map[string]emu.Part

func (n namedParts) Part(name string) emu.Part { return n[name] }

func (n namedParts) Picture(name string) (image.Image, bool) {
	d, ok := n[name].(interface{ Picture() image.Image })
	if !ok {
		return nil, false
	}
	return d.Picture(), true
}

// step fills in the place in the test, for messages.
func step(s scenario.Step) Step {
	if _, file, line, ok := runtime.Caller(2); ok {
		s.File, s.Pos = filepath.Base(file), scenario.Pos{Line: line}
	}
	if s.Within == 0 {
		s.Within = scenario.DefaultWithin
	}
	return Step{s}
}

// At makes a step wait for a guest time since power-on, beside the step before it.
func At(at time.Duration, s Step) Step {
	s.s.At = at
	return s
}

// Wait lets guest time pass.
func Wait(d time.Duration) Step { return step(scenario.Step{Action: scenario.Wait, Time: d}) }

// Press closes a button, for d or, with 0, until Release.
func Press(button string, d time.Duration) Step {
	return step(scenario.Step{Action: scenario.Press, Part: button, Time: d})
}

// Release opens a button.
func Release(button string) Step { return step(scenario.Step{Action: scenario.Release, Part: button}) }

// Set sets a quantity of a part: "temperature" in degrees Celsius, "pressure" in
// pascals, "humidity" in percent; "" is the position of a potentiometer, 0 to 1.
func Set(part, quantity string, value float64) Step {
	if quantity == "" {
		part, quantity = "", part
	}
	return step(scenario.Step{Action: scenario.Set, Part: part, Text: quantity, Value: value})
}

// SetTemperature sets the temperature of the chip in degrees Celsius.
func SetTemperature(celsius float64) Step {
	return step(scenario.Step{Action: scenario.Set, Text: "temperature", Value: celsius})
}

// SetSupply sets the voltage of the chip's supply.
func SetSupply(volts float64) Step {
	return step(scenario.Step{Action: scenario.Set, Text: "supply", Value: volts})
}

// DrivePin drives a pin from outside, or releases it with emu.Floating.
func DrivePin(pin int, l emu.Level) Step {
	return step(scenario.Step{Action: scenario.DrivePin, Pin: pin, Level: l})
}

// SendText is serial input on UART0.
func SendText(text string) Step { return step(scenario.Step{Action: scenario.Serial, Text: text}) }

// SendUSB is input on USB-Serial-JTAG.
func SendUSB(text string) Step {
	return step(scenario.Step{Action: scenario.Serial, Text: text, USB: true})
}

// ResetPin pulses the reset pin.
func ResetPin() Step { return step(scenario.Step{Action: scenario.Reset}) }

// SwitchWiFi switches the access point off or on.
func SwitchWiFi(on bool) Step {
	action := scenario.WiFiOff
	if on {
		action = scenario.WiFiOn
	}
	return step(scenario.Step{Action: action})
}

// ExpectText waits, at most for within (0 is 30 s), for a line that contains a text,
// after the last one that was expected.
func ExpectText(text string, within time.Duration) Step {
	return step(scenario.Step{Action: scenario.Expect, Text: text, Within: within})
}

// ExpectMatch is ExpectText with an expression.
func ExpectMatch(re *regexp.Regexp, within time.Duration) Step {
	return step(scenario.Step{Action: scenario.Expect, Match: re, Text: "/" + re.String() + "/", Within: within})
}

// ExpectPin waits, at most for within, for a level of a pin.
func ExpectPin(pin int, l emu.Level, within time.Duration) Step {
	return step(scenario.Step{Action: scenario.ExpectPin, Pin: pin, Level: l, Within: within})
}

// ExpectPWM waits, at most for within, until a pin is high for a share of the time,
// 0 to 1, give or take margin, over eight periods.
func ExpectPWM(pin int, share, margin float64, within time.Duration) Step {
	return step(scenario.Step{Action: scenario.ExpectPWM, Pin: pin, Value: share, Margin: margin, Within: within})
}

// Screenshot writes the picture of a display as PNG to the artefacts of the test,
// see Artifacts; without these it is dropped.
func Screenshot(display, file string) Step {
	return step(scenario.Step{Action: scenario.Screenshot, Part: display, Text: file})
}
