package board

import (
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/tomldoc"
)

func parse(text string) (*Board, error) {
	n, err := tomldoc.Parse("espalier.toml", []byte(text))
	if err != nil {
		return nil, err
	}
	return Parse(n)
}

// Pins of the boards that are built in, by the manufacturers' documents that their
// files name.
func TestBuiltIn(t *testing.T) {
	want := map[string][]string{
		"xiao-esp32c3":           {"boot button pin=9"},
		"esp32-c3-devkitm-1":     {"led ws2812 pin=8", "boot button pin=9"},
		"esp32-c3-devkit-rust-1": {"rgb ws2812 pin=2", "led led pin=7", "boot button pin=9", "imu icm42670p scl=8 sda=10", "climate shtc3 scl=8 sda=10"},
	}
	if names := Names(); len(names) != len(want) {
		t.Errorf("boards %v", names)
	}
	for name, list := range want {
		b, ok := Named(name)
		if !ok || b.Flash != 4<<20 {
			t.Fatalf("%s: %v", name, b)
		}
		var got []string
		for _, p := range b.Parts {
			text := p.Name + " " + p.Type
			for _, key := range []string{"pin", "scl", "sda"} {
				if pin, ok := p.Pins[key]; ok {
					text += " " + key + "=" + trim(float64(pin))
				}
			}
			got = append(got, text)
		}
		if !slices.Equal(got, list) {
			t.Errorf("%s has %q", name, got)
		}
	}
	if b, _ := Named("xiao-esp32c3"); b.Pins["D10"] != 10 || b.Pins["SDA"] != 6 {
		t.Errorf("pins %v", b.Pins)
	}
}

const everything = `
use = "xiao-esp32c3"
name = "test rig"
flash = "8MB"
wires = [["D0", "gpio3"], [4, 5, 10]]
pins = { RELAY = 1 }
part = [
  { type = "led", pin = "relay", active-low = true },
  { name = "boot", type = "button", pin = 9, bounce = "5ms", pull = 10_000 },
  { type = "ws2812", pin = 8, leds = 3 },
  { type = "potentiometer", pin = 0, at = 0.25 },
  { type = "bmp180", sda = "SDA", scl = "SCL", celsius = -3.5, pascals = 99_000 },
  { type = "sht3x", sda = "SDA", scl = "SCL", address = 0x45, humidity = 12.5 },
  { type = "shtc3", sda = "SDA", scl = "SCL" },
  { type = "icm42670p", sda = "SDA", scl = "SCL", address = 0x69 },
  { type = "ssd1306", sda = "SDA", scl = "SCL", height = 32 },
  { type = "st7789", sck = 6, mosi = 7, cs = 10, dc = 3, width = 135, height = 240, x = 52, y = 40 },
  { type = "spi-flash", sck = 6, mosi = 7, miso = 2, cs = 1, size = "1MB" },
  { type = "twai", tx = 18, rx = 19, rate = 250_000 },
  { type = "uart", tx = 20, rx = 21, replies = [{ expect = "AT\r\n", send = "OK\r\n", after = "1ms" }] },
  { type = "probe", pins = [2, "D1"] },
]
`

// Every type of part is read and can be attached to a board.
func TestEverything(t *testing.T) {
	b, err := parse(everything)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, p := range b.Parts {
		types = append(types, p.Type)
	}
	slices.Sort(types)
	if !slices.Equal(types, Types()) {
		t.Errorf("types %q, want each of %q", types, Types())
	}
	if b.Name != "test rig" || b.Flash != 8<<20 || !slices.EqualFunc(b.Wires, [][]int{{2, 3}, {4, 5, 10}}, slices.Equal) {
		t.Errorf("%+v", b)
	}
	i := b.Open(nil)
	if err := i.Attach(blank(t)); err != nil {
		t.Fatal(err)
	}
	if k, ok := i.Part("boot").(*parts.Button); !ok || k.Bounce != 5*time.Millisecond || k.Pull != 10_000 {
		t.Errorf("button %+v", i.Part("boot"))
	}
	if s := i.Part("sht3x").(*parts.SHT3x); s.Address != 0x45 || s.Humidity != 12.5 || s.SDA != 6 {
		t.Errorf("sensor %+v", s)
	}
	if names := i.Displays(); !slices.Equal(names, []string{"ssd1306", "st7789"}) {
		t.Errorf("displays %q", names)
	}
	if img, ok := i.Picture("st7789"); !ok || img.Bounds().Dx() != 135 {
		t.Error("no picture of the display")
	}
	if _, ok := i.Picture("led"); ok || i.Part("absent") != nil {
		t.Error("a part that is not there")
	}
}

func blank(t *testing.T) *emu.Board {
	t.Helper()
	rom := make([]byte, 384<<10)
	copy(rom, []byte{0x73, 0x00, 0x50, 0x10, 0x6f, 0xf0, 0xdf, 0xff}) // wfi; j .-4
	b, err := c3.New(emu.Config{ROM: rom})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Errors name file, line and column.
func TestErrors(t *testing.T) {
	for _, k := range []struct{ name, text, want string }{
		{"board", `use = "xiao-esp32c6"`, `espalier.toml:1:7: no board "xiao-esp32c6" is built in, did you mean "xiao-esp32c3"?`},
		{"key", "flsh = 1", "espalier.toml:1:1: "},
		{"chip", `chip = "esp32c6"`, `espalier.toml:1:8: chip "esp32c6"`},
		{"flash", `flash = "3MB"`, `espalier.toml:1:9: flash "3MB": want`},
		{"type", "[[part]]\ntype = \"lcd\"", `espalier.toml:2:8: no type of part "lcd", did you mean "led"?`},
		{"no type", "\n[[part]]\nname = \"x\"", "a part needs a type"},
		{"no pin", "[[part]]\ntype = \"led\"", "a part of type led needs pin"},
		{"pin", "[[part]]\ntype = \"led\"\npin = 22", "espalier.toml:3:7: no pin 22"},
		{"name of a pin", "use = \"xiao-esp32c3\"\n[[part]]\ntype = \"led\"\npin = \"D11\"", "espalier.toml:4:7: no pin D11: want a number"},
		{"pin of the flash", "[[part]]\ntype = \"led\"\npin = \"GPIO12\"", "connected to the flash"},
		{"key of a part", "[[part]]\ntype = \"led\"\npin = 1\ncolour = \"red\"", "espalier.toml:4:1: "},
		{"kind", "[[part]]\ntype = \"led\"\npin = 1.5", "want a pin"},
		{"range", "[[part]]\ntype = \"bmp180\"\nsda = 1\nscl = 2\ncelsius = 300", "espalier.toml:5:11: celsius: want a number from -40 to 85"},
		{"address", "[[part]]\ntype = \"sht3x\"\nsda = 1\nscl = 2\naddress = 0x46", "0x44 or 0x45"},
		{"height", "[[part]]\ntype = \"ssd1306\"\nsda = 1\nscl = 2\nheight = 48", "want 64 or 32"},
		{"panel", "[[part]]\ntype = \"st7789\"\nsck = 1\nmosi = 2\ndc = 3\nx = 100", "is outside of"},
		{"duration", "[[part]]\ntype = \"button\"\npin = 1\nbounce = \"5\"", "espalier.toml:4:10: bounce: \"5\" is not a duration"},
		{"second", "[[part]]\ntype = \"led\"\npin = 1\n[[part]]\ntype = \"led\"\npin = 2", `a second part of type "led" needs a name`},
		{"wire", "wires = [[2]]", "espalier.toml:1:1: a wire joins two or more"},
		{"wires", "wires = 2", "want a list of lists"},
		{"reply", "[[part]]\ntype = \"uart\"\ntx = 1\nrx = 2\nreplies = [{ send = \"x\" }]", "needs expect"},
		{"pins", "[pins]\nX = 40", "espalier.toml:2:5: no pin 40"},
	} {
		t.Run(k.name, func(t *testing.T) {
			if _, err := parse(k.text); err == nil || !strings.Contains(err.Error(), k.want) {
				t.Errorf("%v\nwant %s", err, k.want)
			}
		})
	}
}

// What parts show, as events.
func TestEvents(t *testing.T) {
	b, err := parse("part = [{ type = \"led\", pin = 1 }, { type = \"ws2812\", pin = 8, leds = 1 }]")
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	i := b.Open(func(e Event) { events = append(events, e.Part+" "+e.Value) })
	chip := blank(t)
	if err := i.Attach(chip); err != nil {
		t.Fatal(err)
	}
	run := func(d time.Duration) { chip.Run(t.Context(), emu.Limit(d)) }
	level := func(pin int, l emu.Level, d time.Duration) { chip.SetPin(pin, l); run(d) }
	run(50 * time.Millisecond)
	level(1, emu.High, 50*time.Millisecond)
	level(1, emu.Low, 50*time.Millisecond)
	if want := []string{"led on", "led off"}; !slices.Equal(events, want) {
		t.Errorf("%q, want %q", events, want)
	}
	// A PWM of 30 % at 1 kHz for half a second is few events, not a thousand.
	events = nil
	for range 500 {
		level(1, emu.High, 300*time.Microsecond)
		level(1, emu.Low, 700*time.Microsecond)
	}
	if len(events) > 6 || !slices.Contains(events, "led 30%") {
		t.Errorf("%q", events)
	}
	run(50 * time.Millisecond)
	events = nil
	for i := 23; i >= 0; i-- {
		high := 400 * time.Nanosecond
		if 0x20ff10>>i&1 != 0 {
			high *= 2
		}
		level(8, emu.High, high)
		level(8, emu.Low, 1250*time.Nanosecond-high)
	}
	run(time.Millisecond)
	if want := []string{"ws2812 #ff2010"}; !slices.Equal(events, want) {
		t.Errorf("%q, want %q", events, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("part = [{}]")
	f.Add("use = \"xiao-esp32c3\"\nwires = [[1, 2], [\"D0\", \"GPIO1\"]]")
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := parse(text); err == nil {
			b.Open(nil)
		}
	})
}

// Parts that are added one by one are those of a description, and Board and
// Instance agree on what is a display.
func TestWith(t *testing.T) {
	var b *Board
	for _, text := range []string{
		"type = \"ssd1306\"\nname = \"a\"\nsda = 4\nscl = 5\n", "type = \"st7789\"\nname = \"b\"\nsck = 6\nmosi = 7\ndc = 3\n",
		"type = \"led\"\nname = \"c\"\npin = 8\n", "type = \"led\"\nname = \"c\"\npin = 9\n",
	} {
		n, err := tomldoc.Parse("part", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		before := b
		if b, err = b.With(n); err != nil {
			t.Fatal(err)
		}
		if before != nil && len(before.Parts) > len(b.Parts) {
			t.Error("the board before has changed")
		}
	}
	b = b.Joined(2, 3)
	if got := b.Displays(); !slices.Equal(got, []string{"a", "b"}) || !slices.Equal(got, b.Open(nil).Displays()) {
		t.Errorf("displays %v", got)
	}
	if p, ok := b.Part("c"); !ok || p.Pins["pin"] != 9 || len(b.Parts) != 3 || len(b.Wires) != 1 {
		t.Errorf("%+v", b)
	}
	var bare *Board
	if bare.Displays() != nil || len(bare.Open(nil).Displays()) != 0 {
		t.Error("a bare chip has a display")
	}
}
