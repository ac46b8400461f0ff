package scenario

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
)

const all = `# a product
wire 2 3
button boot pin 9
button up pin 7 inverted
led status pin 8
potentiometer knob pin 0
bmp180 outside sda 4 scl 5
ssd1306 screen sda 4 scl 5 height 32

at 2s press boot for 100ms
press up
release up   # again
wait 1.5s
expect "ready" within 5s
expect /temp(erature)? \d+/
set temperature 21.5
set supply 2.9
set outside temperature -3.5
set outside pressure 99800
set knob 0.25
pin 4 high
pin 4 floating
expect pin 5 low
expect pin 5 pwm 50% ±1% within 2s
serial "hello\n"
usb "x\"y"
wifi off
wifi on
reset
screenshot display.png
screenshot screen b.png
`

func TestParse(t *testing.T) {
	s, err := Parse("product.scenario", []byte(all), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Board.Parts) != 6 || len(s.Board.Wires) != 1 || len(s.Steps) != 22 {
		t.Fatalf("%d parts, %d steps", len(s.Board.Parts), len(s.Steps))
	}
	if st := s.Steps[0]; st.At != 2*time.Second || st.Action != Press || st.Part != "boot" || st.Time != 100*time.Millisecond || st.Pos != (Pos{10, 1}) {
		t.Errorf("%+v", st)
	}
	if st := s.Steps[4]; st.Text != "ready" || st.Within != 5*time.Second {
		t.Errorf("%+v", st)
	}
	if st := s.Steps[14]; st.Action != ExpectPWM || st.Value != 0.5 || st.Margin != 0.01 || st.Within != 2*time.Second {
		t.Errorf("%+v", st)
	}
	if st := s.Steps[15]; st.Text != "hello\n" {
		t.Errorf("%+v", st)
	}
	// at 2s, wait 1.5s, and within 5s, 30s, 30s and 2s
	if d := s.Longest(); d != 2*time.Second+1500*time.Millisecond+67*time.Second {
		t.Errorf("at the longest %v", d)
	}
	if s, err := Parse("empty", []byte("\n  # nothing\r\n"), nil); err != nil || len(s.Steps) != 0 {
		t.Errorf("%v, %v", s, err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"wait":                                `s:1:5: the time is missing`,
		"\nwait long":                         `s:2:6: "long" is not a duration`,
		"at 2s":                               `s:1:6: what happens is missing`,
		"at -2s reset":                        `s:1:4: "-2s" is not a duration`,
		"dance":                               `s:1:1: unknown statement "dance"`,
		"press boot":                          `s:1:1: no button has the name "boot"`,
		"led boot pin 8\npress boot":          `s:2:1: no button has the name "boot"`,
		"pin 22 high":                         `s:1:5: "22" is not a pin`,
		"pin 4 up":                            `s:1:7: "up" is not a level`,
		"expect ready":                        `s:1:8: the text must be in quotes`,
		`expect "ready`:                       `s:1:8: the text has no end`,
		`expect ""`:                           `an empty text`,
		"expect /(/":                          `missing closing )`,
		"expect /a":                           `the expression has no end`,
		"reset now":                           `s:1:7: unexpected "now"`,
		"wifi maybe":                          `s:1:6: "maybe" is neither on nor off`,
		"reset\nwire 2 3":                     `s:2:1: parts are attached before`,
		"button a pin 1\nbutton a pin 2":      `s:2:1: a part with the name "a"`,
		"set temperature hot":                 `s:1:17: "hot" is not a number`,
		"set supply 5":                        `s:1:1: 5 is not a value of supply: 0 to 3.6`,
		"set temperature 200":                 `s:1:1: 200 is not a value of temperature: -40 to 125`,
		"set humidity 3":                      `no part has the name "humidity"`,
		"potentiometer k pin 0\nset k 1.5":    `s:2:1: 1.5 is not a value of k: 0 to 1`,
		"bmp180 b sda 4 scl 5\nset b power 1": `s:2:1: a part of type bmp180 has no quantity "power"`,
		"expect pin 5 pwm 50":                 `s:1:18: "50" is not a number with %`,
		"\xff":                                `not UTF-8`,
		strings.Repeat("reset\n", maxSteps+1): `more than 10000 steps`,
		"bmp180 b sda 4 scl 5 colour red":     `s:1:29: unknown key`,
		"bmp180 b sda 4 scl 14":               `s:1:20: pin 14: GPIO12 to GPIO17`,
		"bmp180 b sda":                        `s:1:13: the value of sda is missing`,
		"screenshot a.png":                    `s:1:1: the board has no display`,
		"ssd1306 a sda 4 scl 5\nscreenshot ../a.png":                     `want the name of a file`,
		"ssd1306 a sda 4 scl 5\nscreenshot a.jpg":                        `want the name of a file`,
		"ssd1306 a sda 4 scl 5\nscreenshot b a.png":                      `no display has the name "b"`,
		"ssd1306 a sda 4 scl 5\nssd1306 b sda 6 scl 7\nscreenshot a.png": `the board has 2 displays`,
		strings.Repeat("wire 2 3\n", maxParts+1):                         `more than 100 parts`,
		"bmp180 b sda 4":                                                 `s:1:1: a part of type bmp180 needs scl`,
	} {
		_, err := Parse("s", []byte(text), nil)
		var at *Error
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &at) {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
}

func TestWokwi(t *testing.T) {
	s, err := Parse("w.yaml", []byte("name: Button\nversion: 1\nsteps:\n  - wait-serial: 'Hello'\n  - delay: 500ms\n  - write-serial: \"x\\n\"\n  - expect-pin:\n      part-id: esp\n      pin: 5\n      value: 1\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, st := range s.Steps {
		got = append(got, st.String())
	}
	if want := `expect "Hello", wait, serial, expect pin 5 high`; strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
	for text, want := range map[string]string{
		"steps:\n  - set-control: {part-id: a}\n": "w.yaml:2:18: set-control: the step set-control needs a part",
		"steps:\n  - delay: long\n":               `w.yaml:2:12: delay: "long" is not a duration`,
		"steps: 3\n":                              "want a list of steps",
		"a: [":                                    "yaml:",
		"":                                        "not a scenario",
		"steps:\n  - 3\n":                         "a step is one name",
		"steps:\n - expect-pin: {pin: D5, value: 1}": `"D5" is not a pin of the chip`,
	} {
		if _, err := Parse("w.yaml", []byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// echo is a mask ROM that writes each byte of UART0 back, forever.
func echo() []byte {
	rom := make([]byte, 384<<10)
	copy(rom, []byte{
		0xb7, 0x02, 0x00, 0x60, 0x03, 0xa3, 0xc2, 0x01, 0x13, 0x73, 0xf3, 0x3f, 0xe3, 0x0c, 0x03, 0xfe,
		0x03, 0xa3, 0x02, 0x00, 0x23, 0xa0, 0x62, 0x00, 0x6f, 0xf0, 0xdf, 0xfe,
	})
	return rom
}

// play runs a scenario on a board that echoes its input, for at most 10 s.
func play(t *testing.T, text string) (time.Duration, error) {
	t.Helper()
	s, err := Parse("s", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	on := s.Board.Open(nil)
	p := s.Play(on)
	var line strings.Builder
	board, err := c3.New(emu.Config{ROM: echo(), Output: func(o emu.Output) {
		for _, c := range o.Data {
			if c == '\n' {
				p.Line(line.String())
				line.Reset()
			} else {
				line.WriteByte(c)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []emu.Part{on, p} {
		if err := part.Attach(board); err != nil {
			t.Fatal(err)
		}
	}
	p.Start(0, nil, nil)
	for board.Now() < 10*time.Second {
		if err := p.Advance(board); err != nil {
			return board.Now(), err
		}
		at, ok := p.Next(board.Now())
		if !ok {
			return board.Now(), nil
		}
		board.Run(t.Context(), emu.Limit(min(at, board.Now()+10*time.Millisecond)-board.Now()))
	}
	return board.Now(), p.Pending()
}

func TestPlay(t *testing.T) {
	for _, c := range []struct {
		name, text, err string
		from, to        time.Duration
	}{
		{"order", "serial \"one\\ntwo\\n\"\nexpect \"one\"\nexpect \"two\"\n", "", 0, time.Second},
		{"wrong order", "serial \"one\\ntwo\\n\"\nexpect \"two\"\nexpect \"one\" within 1s\n", `s:3:1: no line with "one" within 1s`, time.Second, 2 * time.Second},
		{"expression", "serial \"temp 21\\n\"\nexpect /temp \\d+/\n", "", 0, time.Second},
		{"time", "at 3s serial \"x\\n\"\nexpect \"x\"\n", "", 3 * time.Second, 4 * time.Second},
		{"wait", "wait 1s\nwait 500ms\n", "", 1500 * time.Millisecond, 1600 * time.Millisecond},
		{"button", "button b pin 9\nexpect pin 9 high\npress b for 50ms\nexpect pin 9 low within 1ms\nexpect pin 9 high within 60ms\n", "", 50 * time.Millisecond, 100 * time.Millisecond},
		{"level", "wire 2 3\npin 2 high\nexpect pin 3 high\npin 2 low\nexpect pin 3 low\nexpect pin 3 high within 10ms\n", "s:6:1: pin 3 is low, not high, within 10ms", 0, time.Second},
		{"no signal", "expect pin 5 pwm 50% within 10ms\n", "s:1:1: pin 5 does not change within 10ms", 0, time.Second},
		{"no network", "wifi off\n", "s:1:1: there is no access point", 0, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := play(t, c.text)
			switch {
			case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("%v, want %q", err, c.err)
			case at < c.from || at > c.to:
				t.Errorf("ended at %v, want %v to %v", at, c.from, c.to)
			}
		})
	}
}

// A supply that is too low resets a chip whose detector does that, and one that is
// not does nothing.
func TestSupply(t *testing.T) {
	rom := make([]byte, 384<<10) // enables the detector and its analog reset, and waits
	for i, w := range []uint32{0x600082b7, 0x54000337, 0x0c62ac23, 0x0000006f} {
		binary.LittleEndian.PutUint32(rom[4*i:], w)
	}
	for text, resets := range map[string]bool{"set supply 2.8": false, "set supply 2.4": true} {
		s, err := Parse("s", []byte("wait 1ms\n"+text+"\nwait 1ms\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		board, err := c3.New(emu.Config{ROM: rom})
		if err != nil {
			t.Fatal(err)
		}
		p := s.Play(s.Board.Open(nil))
		p.Start(0, nil, nil)
		var seen []emu.Reset
		for !p.Done() {
			if err := p.Advance(board); err != nil {
				t.Fatal(err)
			}
			seen = append(seen, board.Run(t.Context(), emu.Limit(time.Millisecond)).Resets...)
		}
		if (len(seen) > 0) != resets || resets && seen[0].Name != "BROWNOUT_RST" {
			t.Errorf("%s: resets %v", text, seen)
		}
	}
}

func TestPWM(t *testing.T) {
	var lines []string
	for i := range 12 {
		lines = append(lines, "at "+(time.Duration(i)*10*time.Millisecond).String()+" pin 2 high",
			"at "+(time.Duration(i)*10*time.Millisecond+2500*time.Microsecond).String()+" pin 2 low")
	}
	text := "wire 2 5\n" + strings.Join(lines, "\n") + "\n"
	if _, err := play(t, text+"expect pin 5 pwm 25% ±2%\n"); err != nil {
		t.Error(err)
	}
	if _, err := play(t, text+"expect pin 5 pwm 50% within 1ms\n"); err == nil || !strings.Contains(err.Error(), "is high for 25.0%, not 50.0% ±1.0%") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("s", []byte(all))
	f.Add("s.yaml", []byte("steps:\n  - delay: 1s\n  - expect-pin: {pin: 5, value: 1}\n"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		s, err := Parse(name, text, nil)
		var at *Error
		if err != nil && (!errors.As(err, &at) || at.Pos.Line < 1 || at.Pos.Column < 1) {
			t.Errorf("%v", err)
		}
		if err == nil {
			s.Play(s.Board.Open(nil))
		}
	})
}

func TestBeside(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "whole")
	if s, err := Beside(name, nil); s != nil || err != nil {
		t.Errorf("%v, %v", s, err)
	}
	write := func(ext, text string) {
		if err := os.WriteFile(name+ext, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(".scenario", "wait 1s\n")
	if s, err := Beside(name, nil); err != nil || s.Name != "whole.scenario" || len(s.Steps) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	write(".scenario.yaml", "steps: []\n")
	if _, err := Beside(name, nil); err == nil || !strings.Contains(err.Error(), "two scenarios for whole") {
		t.Error(err)
	}
}
