package board

import (
	"fmt"
	"image"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/tomldoc"
)

// made is a part of a run.
type made struct {
	part    emu.Part
	picture func() image.Image // of a display, else nil
}

// kind is a type of part: its keys, and how they are read. What read returns makes
// a new part, and calls show when it shows something else.
type kind struct {
	keys []string
	read func(f *fields) func(show func(string)) made
}

// Types returns the types of parts.
func Types() []string { return slices.Sorted(maps.Keys(kinds)) }

// kinds are all types of parts.
var kinds = map[string]kind{
	"led": {[]string{"pin", "active-low"}, func(f *fields) func(func(string)) made {
		p := parts.LED{Pin: f.pin("pin"), ActiveLow: f.Bool(f.t, "active-low", false)}
		return func(show func(string)) made {
			p := p
			d := dimmer{led: &p, show: show}
			p.Changed = d.changed
			return made{part: &p}
		}
	}},
	"button": {[]string{"pin", "active-high", "pull", "bounce"}, func(f *fields) func(func(string)) made {
		p := parts.Button{
			Pin: f.pin("pin"), ActiveHigh: f.Bool(f.t, "active-high", false),
			Pull: uint32(f.number("pull", 0, 0, 10e6)), Bounce: f.duration("bounce"),
		}
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
	"ws2812": {[]string{"pin", "leds"}, func(f *fields) func(func(string)) made {
		p := parts.WS2812{Pin: f.pin("pin"), LEDs: int(f.number("leds", 1, 1, 4096))}
		return func(show func(string)) made {
			p := p
			p.Changed = func(colours []parts.RGB) { show(hex(colours)) }
			return made{part: &p}
		}
	}},
	"potentiometer": {[]string{"pin", "ohms", "at"}, func(f *fields) func(func(string)) made {
		p := parts.Potentiometer{Pin: f.pin("pin"), Ohms: uint32(f.number("ohms", 10_000, 100, 10e6)), Start: new(float64)}
		*p.Start = f.number("at", 0.5, 0, 1)
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
	"bmp180": {[]string{"sda", "scl", "celsius", "pascals"}, func(f *fields) func(func(string)) made {
		p := parts.BMP180{
			SDA: f.pin("sda"), SCL: f.pin("scl"),
			Celsius: f.number("celsius", 21, -40, 85), Pascals: f.number("pascals", 101_325, 30_000, 110_000),
		}
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
	"sht3x": {[]string{"sda", "scl", "address", "celsius", "humidity"}, func(f *fields) func(func(string)) made {
		p := parts.SHT3x{
			SDA: f.pin("sda"), SCL: f.pin("scl"), Address: f.address(0x44, 0x45),
			Celsius: f.number("celsius", 21, -45, 130), Humidity: f.number("humidity", 50, 0, 100),
		}
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
	"shtc3": {[]string{"sda", "scl", "celsius", "humidity"}, func(f *fields) func(func(string)) made {
		p := parts.SHTC3{
			SDA: f.pin("sda"), SCL: f.pin("scl"),
			Celsius: f.number("celsius", 21, -45, 130), Humidity: f.number("humidity", 50, 0, 100),
		}
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
	"icm42670p": {[]string{"sda", "scl", "address", "celsius"}, func(f *fields) func(func(string)) made {
		p := parts.ICM42670P{
			SDA: f.pin("sda"), SCL: f.pin("scl"), Address: f.address(0x68, 0x69),
			Celsius: f.number("celsius", 21, -40, 85), G: [3]float64{0, 0, 1},
		}
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
	"ssd1306": {[]string{"sda", "scl", "address", "height"}, func(f *fields) func(func(string)) made {
		p := parts.SSD1306{SDA: f.pin("sda"), SCL: f.pin("scl"), Address: f.address(0x3c, 0x3d), Height: int(f.choice("height", 64, 32))}
		return func(show func(string)) made {
			p := p
			p.Changed = func() { show(shown(p.On())) }
			return made{&p, p.Picture}
		}
	}},
	"st7789": {[]string{"sck", "mosi", "cs", "dc", "reset", "width", "height", "x", "y", "normal"}, func(f *fields) func(func(string)) made {
		p := parts.ST7789{
			SPIPins: parts.SPIPins{SCK: f.pin("sck"), MOSI: f.pin("mosi"), MISO: parts.None, CS: f.optional("cs")},
			DC:      f.pin("dc"), Reset: f.optional("reset"), Width: int(f.number("width", 240, 1, 240)),
			Height: int(f.number("height", 320, 1, 320)), OffX: int(f.number("x", 0, 0, 239)), OffY: int(f.number("y", 0, 0, 319)),
			Normal: f.Bool(f.t, "normal", false),
		}
		if p.OffX+p.Width > 240 || p.OffY+p.Height > 320 {
			f.Fail(f.t.Errorf("a panel of %d by %d pixels at %d,%d is outside of the 240 by 320 of the controller", p.Width, p.Height, p.OffX, p.OffY))
		}
		return func(show func(string)) made {
			p := p
			p.Changed = func() { show(shown(p.On())) }
			return made{&p, p.Picture}
		}
	}},
	"spi-flash": {[]string{"sck", "mosi", "miso", "cs", "size"}, func(f *fields) func(func(string)) made {
		size, ok := megabytes(f.text("size", "4MB"))
		if !ok {
			f.Fail(f.t.Get("size").Errorf("size: want 1MB, 2MB, 4MB, 8MB or 16MB"))
		}
		pins := parts.SPIPins{SCK: f.pin("sck"), MOSI: f.pin("mosi"), MISO: f.pin("miso"), CS: f.pin("cs")}
		return func(func(string)) made {
			return made{part: &parts.SPIFlash{SPIPins: pins, Content: slices.Repeat([]byte{0xff}, size)}}
		}
	}},
	"twai": {[]string{"tx", "rx", "rate", "silent"}, func(f *fields) func(func(string)) made {
		p := parts.TWAI{TX: f.pin("tx"), RX: f.pin("rx"), BitRate: int(f.number("rate", 500_000, 1000, 1e6)), Silent: f.Bool(f.t, "silent", false)}
		return func(show func(string)) made {
			p := p
			p.Received = func(c parts.CANFrame) { show(canText(c)) }
			return made{part: &p}
		}
	}},
	"uart": {[]string{"tx", "rx", "baud", "replies"}, func(f *fields) func(func(string)) made {
		p := parts.UART{TX: f.pin("tx"), RX: f.pin("rx"), Baud: int(f.number("baud", 115_200, 1, 5e6)), Replies: f.replies()}
		return func(show func(string)) made {
			p := p
			var line []byte
			p.Received = func(b byte) {
				if line = append(line, b); b == '\n' || len(line) == 256 {
					show(strconv.Quote(string(line)))
					line = nil
				}
			}
			return made{part: &p}
		}
	}},
	"probe": {[]string{"pins"}, func(f *fields) func(func(string)) made {
		p := parts.Probe{Pins: f.pins("pins")}
		return func(func(string)) made { p := p; return made{part: &p} }
	}},
}

func shown(on bool) string {
	if on {
		return "picture"
	}
	return "off"
}

// hex writes colours as #rrggbb; more than eight are cut off.
func hex(colours []parts.RGB) string {
	var b strings.Builder
	for i, c := range colours {
		if i == 8 {
			b.WriteString(" …")
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "#%02x%02x%02x", c.R, c.G, c.B)
	}
	return b.String()
}

func canText(c parts.CANFrame) string {
	id := fmt.Sprintf("%03x", c.ID)
	if c.Extended {
		id = fmt.Sprintf("%08x", c.ID)
	}
	if c.Remote {
		return id + " remote"
	}
	return strings.TrimSpace(fmt.Sprintf("%s % x", id, c.Data))
}

// dimmer says what an LED shows: on and off, or for a PWM its brightness, at most
// ten times a second.
type dimmer struct {
	led  *parts.LED
	show func(string)

	last, told time.Duration
	pwm        bool
	percent    int
}

// dimPeriod is the time between two reports of a brightness; a change that comes
// sooner than dimSteady after another is that of a PWM.
const (
	dimPeriod = 100 * time.Millisecond
	dimSteady = 10 * time.Millisecond
)

func (d *dimmer) changed(on bool) {
	now := d.led.Now()
	quick := d.last != 0 && now-d.last < dimSteady
	d.last = now
	if !quick {
		d.pwm = false
		d.led.Brightness()
		d.told = now
		d.show(map[bool]string{true: "on", false: "off"}[on])
		return
	}
	if now-d.told < dimPeriod {
		return
	}
	d.told = now
	percent := int(math.Round(100 * d.led.Brightness()))
	if !d.pwm || percent != d.percent {
		d.show(strconv.Itoa(percent) + "%")
	}
	d.pwm, d.percent = true, percent
}

// fields reads the keys of a part.
type fields struct {
	*tomldoc.Reader
	t     *tomldoc.Node
	names map[string]int
	part  *Part
}

// pin reads a connection that must be there.
func (f *fields) pin(key string) int {
	if f.t.Get(key) == nil {
		f.Fail(f.t.Errorf("a part of type %s needs %s, a pin", f.part.Type, key))
		return 0
	}
	return f.optional(key)
}

// optional reads a connection; without one it is parts.None.
func (f *fields) optional(key string) int {
	n := f.t.Get(key)
	if n == nil {
		return parts.None
	}
	pin := readPin(f.Reader, n, f.names)
	f.part.Pins[key] = pin
	return pin
}

func (f *fields) pins(key string) (list []int) {
	n := f.t.Get(key)
	if n == nil || n.Kind != tomldoc.Array || len(n.Elem) == 0 {
		f.Fail(f.t.Errorf("a part of type %s needs %s, a list of pins", f.part.Type, key))
		return nil
	}
	for i, e := range n.Elem {
		list = append(list, readPin(f.Reader, e, f.names))
		f.part.Pins[fmt.Sprintf("%s[%d]", key, i)] = list[i]
	}
	return list
}

// number reads an integer or a decimal number.
func (f *fields) number(key string, def, low, high float64) float64 {
	n := f.t.Get(key)
	if n == nil {
		return def
	}
	v := float64(n.Int)
	if n.Kind == tomldoc.Float {
		var err error
		if v, err = strconv.ParseFloat(strings.ReplaceAll(n.Text, "_", ""), 64); err != nil {
			v = math.NaN()
		}
	} else if n.Kind != tomldoc.Integer {
		v = math.NaN()
	}
	if !(v >= low && v <= high) {
		f.Fail(n.Errorf("%s: want a number from %s to %s", key, trim(low), trim(high)))
		return def
	}
	return v
}

func trim(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// choice reads a number that has few values, the first of which is the default.
func (f *fields) choice(key string, values ...int64) int64 {
	n := f.t.Get(key)
	if n == nil {
		return values[0]
	}
	if n.Kind != tomldoc.Integer || !slices.Contains(values, n.Int) {
		var list []string
		for _, v := range values {
			list = append(list, strconv.FormatInt(v, 10))
		}
		f.Fail(n.Errorf("%s: want %s", key, strings.Join(list, " or ")))
		return values[0]
	}
	return n.Int
}

// address reads an I2C address.
func (f *fields) address(values ...int64) byte {
	n := f.t.Get("address")
	if n != nil && (n.Kind != tomldoc.Integer || !slices.Contains(values, n.Int)) {
		f.Fail(n.Errorf("address: a part of type %s has 0x%02x or 0x%02x", f.part.Type, values[0], values[1]))
		return byte(values[0])
	}
	if n == nil {
		return byte(values[0])
	}
	return byte(n.Int)
}

func (f *fields) text(key, def string) string {
	if f.t.Get(key) == nil {
		return def
	}
	return f.String(f.t, key)
}

func (f *fields) duration(key string) time.Duration {
	n := f.t.Get(key)
	if n == nil {
		return 0
	}
	text := f.String(f.t, key)
	d, err := time.ParseDuration(text)
	if f.Err() == nil && (err != nil || d < 0) {
		f.Fail(n.Errorf("%s: %q is not a duration, such as 5ms", key, text))
	}
	return d
}

// replies reads the answers of a serial device: a list of tables with expect, send
// and after.
func (f *fields) replies() (list []parts.Reply) {
	for _, t := range f.Tables(f.t, "replies") {
		f.Known(t, "board.part.replies", "expect", "send", "after")
		r := parts.Reply{Expect: f.String(t, "expect"), Send: f.String(t, "send")}
		if after := f.String(t, "after"); after != "" {
			var err error
			if r.After, err = time.ParseDuration(after); err != nil || r.After < 0 {
				f.Fail(t.Get("after").Errorf("after: %q is not a duration, such as 50ms", after))
			}
		}
		if r.Expect == "" && f.Err() == nil {
			f.Fail(t.Errorf("a reply needs expect, the text that it answers"))
		}
		list = append(list, r)
	}
	return list
}
