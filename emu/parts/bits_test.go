package parts_test

import (
	"image/color"
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
)

// lines are terminals that a test drives as a controller would.
type lines struct {
	pins  []int
	pull  uint32 // resistors to the supply, 0 without
	board *emu.Board
	t     []*emu.Terminal
}

func (l *lines) Attach(b *emu.Board) error {
	l.board = b
	for _, pin := range l.pins {
		t := b.NewTerminal(nil)
		l.t = append(l.t, t)
		b.Join(t.Pin(), pin)
		if l.pull != 0 {
			up := b.NewTerminal(nil)
			up.Drive(emu.Source{MilliVolts: emu.Supply, Ohms: l.pull})
			b.Join(up.Pin(), pin)
		}
	}
	return nil
}

func (l *lines) set(i int, high bool) {
	s := emu.Source{Ohms: 30}
	if high {
		s.MilliVolts = emu.Supply
	}
	l.t[i].Drive(s)
}

// release lets the resistors decide.
func (l *lines) release(i int) { l.t[i].Drive(emu.Source{}) }

// i2c is a controller of an I2C bus: line 0 is SDA, line 1 SCL.
type i2c struct{ lines }

func (c *i2c) pull(i int, low bool) {
	if low {
		c.set(i, false)
	} else {
		c.release(i)
	}
}

func (c *i2c) start() { c.pull(0, false); c.pull(1, false); c.pull(0, true); c.pull(1, true) }
func (c *i2c) stop()  { c.pull(0, true); c.pull(1, false); c.pull(0, false) }

func (c *i2c) bit(out bool) (in bool) {
	c.pull(0, !out)
	c.pull(1, false)
	in = c.t[0].High()
	c.pull(1, true)
	return in
}

func (c *i2c) write(b byte) (ack bool) {
	for i := 7; i >= 0; i-- {
		c.bit(b>>i&1 != 0)
	}
	return !c.bit(true)
}

func (c *i2c) read(ack bool) (b byte) {
	for range 8 {
		b <<= 1
		if c.bit(true) {
			b |= 1
		}
	}
	c.bit(!ack)
	return b
}

func (c *i2c) send(address byte, data ...byte) (ack bool) {
	c.start()
	ack = c.write(address << 1)
	for _, b := range data {
		ack = c.write(b) && ack
	}
	c.stop()
	return ack
}

func (c *i2c) receive(address byte, n int) (data []byte, ack bool) {
	c.start()
	ack = c.write(address<<1 | 1)
	for i := range n {
		if ack {
			data = append(data, c.read(i < n-1))
		}
	}
	c.stop()
	return data, ack
}

func TestSHT3x(t *testing.T) {
	bus := &i2c{lines{pins: []int{4, 5}, pull: 4700}}
	sensor := &parts.SHT3x{SDA: 4, SCL: 5, Address: 0x45, Celsius: 25, Humidity: 50}
	b := idle(t, nil, sensor, bus)
	if bus.send(0x44, 0x24, 0x00) || bus.send(0x45, 0x12, 0x34) {
		t.Error("another address or an unknown command is acknowledged")
	}
	// The status after power-on, with the checksum of section 4.12, and the bit of
	// the command that was not known.
	if !bus.send(0x45, 0xf3, 0x2d) {
		t.Fatal("status is not acknowledged")
	}
	if got, _ := bus.receive(0x45, 3); len(got) != 3 || got[0] != 0 || got[1] != 0x12 {
		t.Errorf("status %x", got)
	}
	// Without clock stretching, a sensor that measures does not acknowledge.
	bus.send(0x45, 0x24, 0x00)
	if _, ack := bus.receive(0x45, 6); ack {
		t.Error("a result before its time")
	}
	run(t, b, 15*time.Millisecond)
	want := []byte{0x66, 0x66, 0x93, 0x80, 0x00, 0xa2}
	if got, ack := bus.receive(0x45, 6); !ack || !slices.Equal(got, want) {
		t.Errorf("result % x, want % x", got, want)
	}
	if _, ack := bus.receive(0x45, 6); ack {
		t.Error("a result twice")
	}
	// With it, the clock is low until the result is there.
	bus.send(0x45, 0x2c, 0x0d)
	bus.start()
	if !bus.write(0x45<<1 | 1) {
		t.Fatal("not acknowledged")
	}
	bus.pull(1, false)
	if bus.t[1].High() {
		t.Error("the clock is not stretched")
	}
	// A snapshot in the middle of it continues.
	snap := b.Snapshot()
	run(t, b, 7*time.Millisecond)
	if err := b.Restore(snap); err != nil {
		t.Fatal(err)
	}
	run(t, b, 5*time.Millisecond)
	if bus.t[1].High() {
		t.Error("the clock is released too early")
	}
	run(t, b, 2*time.Millisecond)
	if !bus.t[1].High() {
		t.Error("the clock is not released")
	}
	bus.pull(1, true)
	got := []byte{bus.read(true), bus.read(true), bus.read(false)}
	bus.stop()
	// The first clock pulse of the first bit was the one above.
	if got[0]<<1>>1 == 0 {
		t.Errorf("result % x", got)
	}
	// Periodic measurements, ten a second.
	bus.send(0x45, 0x27, 0x37)
	sensor.Celsius = -45
	run(t, b, 20*time.Millisecond)
	for i := range 2 {
		if !bus.send(0x45, 0xe0, 0x00) {
			t.Error("fetch is not acknowledged")
		}
		got, ack := bus.receive(0x45, 3)
		if ack != (i == 0) || ack && (got[0] != 0 || got[1] != 0 || got[2] != 0x81) {
			t.Errorf("fetch %d: % x, %v", i, got, ack)
		}
	}
	if bus.send(0x45, 0x24, 0x00) || !bus.send(0x45, 0x30, 0x93) || !bus.send(0x45, 0x24, 0x00) {
		t.Error("single measurements are for a sensor that does not measure periodically")
	}
	if (&parts.SHT3x{SDA: 4, SCL: 5, Address: 0x46}).Attach(b) == nil {
		t.Error("address 0x46 is accepted")
	}
}

// gray is the brightness of a pixel.
func gray(c color.Color) byte { return color.GrayModel.Convert(c).(color.Gray).Y }

func TestSSD1306(t *testing.T) {
	bus := &i2c{lines{pins: []int{4, 5}, pull: 4700}}
	changes := 0
	d := &parts.SSD1306{SDA: 4, SCL: 5, Changed: func() { changes++ }}
	b := idle(t, nil, d, bus)
	command := func(c ...byte) { bus.send(0x3c, append([]byte{0x00}, c...)...) }
	command(0xa1, 0xc8, 0xaf) // as modules are mounted
	// Page mode: column 5, page 2.
	command(0x05, 0x10, 0xb2)
	bus.send(0x3c, 0x40, 0x01, 0x80)
	img := d.Picture()
	if gray(img.At(5, 16)) == 0 || gray(img.At(6, 23)) == 0 || gray(img.At(6, 16)) != 0 {
		t.Error("page mode")
	}
	// Horizontal mode in a window of two columns and two pages.
	command(0x20, 0x00, 0x21, 100, 101, 0x22, 6, 7)
	bus.send(0x3c, 0x40, 1, 2, 4, 8, 16)
	img = d.Picture()
	for _, p := range [][2]int{{101, 49}, {100, 58}, {101, 59}, {100, 52}} {
		if gray(img.At(p[0], p[1])) == 0 {
			t.Errorf("horizontal mode: pixel %v", p)
		}
	}
	if gray(img.At(100, 48)) != 0 {
		t.Error("horizontal mode: the window does not wrap")
	}
	// Vertical mode, and a control byte with Co for each byte.
	command(0x20, 0x01, 0x21, 0, 1, 0x22, 0, 1)
	bus.send(0x3c, 0xc0, 0x81, 0xc0, 0x42, 0x40, 0x24)
	img = d.Picture()
	for _, p := range [][2]int{{0, 0}, {0, 7}, {0, 9}, {0, 14}, {1, 2}, {1, 5}} {
		if gray(img.At(p[0], p[1])) == 0 {
			t.Errorf("vertical mode: pixel %v", p)
		}
	}
	before := changes
	command(0x81, 0x30) // contrast: nothing that is seen here
	command(0xa7)
	if changes != before+1 || gray(d.Picture().At(0, 0)) != 0 || gray(d.Picture().At(50, 50)) == 0 {
		t.Errorf("inverse: %d changes", changes-before)
	}
	command(0xa6, 0x41) // start line 1
	if gray(d.Picture().At(0, 8)) == 0 || gray(d.Picture().At(0, 63)) == 0 {
		t.Error("start line")
	}
	command(0x40, 0xa0, 0xc0)
	if gray(d.Picture().At(127, 63)) == 0 {
		t.Error("mirrored")
	}
	// A snapshot has the picture.
	snap := b.Snapshot()
	command(0xae)
	if gray(d.Picture().At(127, 63)) != 0 || d.On() {
		t.Error("off")
	}
	if err := b.Restore(snap); err != nil {
		t.Fatal(err)
	}
	if gray(d.Picture().At(127, 63)) == 0 || !d.On() {
		t.Error("restored")
	}
}

// spi is a controller of an SPI bus: SCK, MOSI, MISO, CS are lines 0 to 3.
type spi struct {
	lines
	idle bool // level of the clock between bytes
}

func (c *spi) choose(active bool) { c.set(0, c.idle); c.set(3, !active) }

func (c *spi) exchange(out ...byte) (in []byte) {
	for _, b := range out {
		var v byte
		for i := 7; i >= 0; i-- {
			if c.idle { // mode 3: the data changes with the falling edge
				c.set(0, false)
			}
			c.set(1, b>>i&1 != 0)
			c.set(0, true)
			v <<= 1
			if c.t[2].High() {
				v |= 1
			}
			if !c.idle {
				c.set(0, false)
			}
		}
		in = append(in, v)
	}
	return in
}

func (c *spi) transfer(out ...byte) (in []byte) {
	c.choose(true)
	in = c.exchange(out...)
	c.choose(false)
	return in
}

func TestSPIFlash(t *testing.T) {
	for _, mode3 := range []bool{false, true} {
		bus := &spi{lines{pins: []int{6, 7, 2, 10}}, mode3}
		f := &parts.SPIFlash{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, MISO: 2, CS: 10}, Content: slices.Repeat([]byte{0xff}, 1<<20)}
		b := idle(t, nil, f, bus)
		bus.choose(false)
		if got := bus.transfer(0x9f, 0, 0, 0)[1:]; !slices.Equal(got, []byte{0xef, 0x40, 20}) {
			t.Fatalf("mode 3 %v: identification % x", mode3, got)
		}
		status := func() byte { return bus.transfer(0x05, 0)[1] }
		bus.transfer(0x02, 0, 1, 0xfe, 0x12) // without write enable
		bus.transfer(0x06)
		if status() != 2 {
			t.Errorf("status %x after write enable", status())
		}
		bus.transfer(0x02, 0, 1, 0xfe, 0x12, 0x34, 0x56) // around the end of a page
		if status() != 1 {
			t.Errorf("status %x while it programs", status())
		}
		if got := bus.transfer(0x03, 0, 1, 0xfe, 0)[4]; got != 0xff {
			t.Errorf("a busy memory answers %02x", got)
		}
		run(t, b, time.Millisecond)
		if got := bus.transfer(0x03, 0, 1, 0xfe, 0, 0)[4:]; !slices.Equal(got, []byte{0x12, 0x34}) {
			t.Errorf("read % x", got)
		}
		if got := bus.transfer(0x0b, 0, 1, 0, 0, 0)[5:]; got[0] != 0x56 {
			t.Errorf("fast read % x", got)
		}
		bus.transfer(0x06)
		bus.transfer(0x02, 0, 1, 0xfe, 0xf1) // bits go to 0 only
		run(t, b, time.Millisecond)
		if got := f.Data()[0x1fe]; got != 0x10 {
			t.Errorf("programmed twice: %02x", got)
		}
		snap := b.Snapshot()
		bus.transfer(0x06)
		bus.transfer(0x20, 0, 1, 0)
		run(t, b, 50*time.Millisecond)
		if got := f.Data()[0x1fe]; got != 0xff || status() != 0 {
			t.Errorf("erased: %02x, status %x", got, status())
		}
		if err := b.Restore(snap); err != nil {
			t.Fatal(err)
		}
		if got := f.Data()[0x1fe]; got != 0x10 {
			t.Errorf("restored: %02x", got)
		}
		bus.transfer(0xb9)
		if got := bus.transfer(0x9f, 0)[1]; got != 0xff {
			t.Errorf("a memory that is off answers %02x", got)
		}
		bus.transfer(0xab)
		if got := bus.transfer(0x9f, 0)[1]; got != 0xef {
			t.Errorf("after it was switched on: %02x", got)
		}
	}
	b := idle(t, nil)
	if (&parts.SPIFlash{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, MISO: 2, CS: 10}, Content: make([]byte, 100_000)}).Attach(b) == nil {
		t.Error("100,000 bytes are accepted")
	}
}

func TestST7789(t *testing.T) {
	bus := &spi{lines: lines{pins: []int{6, 7, 2, 10, 3}}} // line 4 is D/C
	d := &parts.ST7789{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, CS: 10}, DC: 3, Reset: parts.None, Width: 135, Height: 240, OffX: 52, OffY: 40}
	b := idle(t, nil, d, bus)
	bus.choose(false)
	command := func(c byte, args ...byte) {
		bus.set(4, false)
		bus.choose(true)
		bus.exchange(c)
		bus.set(4, true)
		bus.exchange(args...)
		bus.choose(false)
	}
	pixel := func(x, y int) color.RGBA { return d.Picture().At(x, y).(color.RGBA) }
	command(0x11)
	command(0x21)
	command(0x29)
	window := func(x, y, w, h int) {
		command(0x2a, byte(x>>8), byte(x), byte((x+w-1)>>8), byte(x+w-1))
		command(0x2b, byte(y>>8), byte(y), byte((y+h-1)>>8), byte(y+h-1))
	}
	// 5, 6 and 5 bits, two pixels in a window of 1 by 2 at the panel's corner.
	command(0x3a, 0x55)
	window(52, 40, 1, 2)
	command(0x2c, 0xf8, 0x00, 0x07, 0xe0)
	if pixel(0, 0) != (color.RGBA{R: 255, A: 255}) || pixel(0, 1) != (color.RGBA{G: 255, A: 255}) || d.Frames() != 1 {
		t.Errorf("16 bits: %v %v, %d frames", pixel(0, 0), pixel(0, 1), d.Frames())
	}
	// 6 bits at the upper end of a byte.
	command(0x3a, 0x66)
	command(0x2c, 0x00, 0x00, 0xfc)
	if pixel(0, 0) != (color.RGBA{B: 255, A: 255}) {
		t.Errorf("18 bits: %v", pixel(0, 0))
	}
	// 4 bits, two pixels in three bytes.
	command(0x3a, 0x53)
	command(0x2c, 0xf0, 0x0f, 0x0f)
	if c := pixel(0, 0); c.R < 0xf0 || c.G != 0 || c.B != 0 {
		t.Errorf("12 bits: %v", c)
	}
	if c := pixel(0, 1); c.R < 0xf0 || c.G != 0 || c.B < 0xf0 {
		t.Errorf("12 bits, second: %v", c)
	}
	// BGR, mirrored columns.
	command(0x3a, 0x55)
	command(0x36, 0x40)
	window(239-52-134, 40, 1, 1)
	command(0x2c, 0xf8, 0x00)
	command(0x36, 0x48)
	if c := pixel(134, 0); c != (color.RGBA{B: 255, A: 255}) {
		t.Errorf("mirrored, BGR: %v", c)
	}
	// A panel of this kind shows the complement without INVON.
	command(0x20)
	if c := pixel(134, 0); c != (color.RGBA{R: 255, G: 255, A: 255}) {
		t.Errorf("without inversion: %v", c)
	}
	snap := b.Snapshot()
	command(0x28)
	if d.On() || pixel(134, 0) != (color.RGBA{A: 255}) {
		t.Errorf("off: %v", pixel(134, 0))
	}
	if err := b.Restore(snap); err != nil {
		t.Fatal(err)
	}
	if c := pixel(134, 0); c != (color.RGBA{R: 255, G: 255, A: 255}) {
		t.Errorf("restored: %v", c)
	}
	if (&parts.ST7789{Width: 200, OffX: 52}).Attach(b) == nil {
		t.Error("a panel outside of the memory is accepted")
	}
}

func TestUARTPeer(t *testing.T) {
	var got []byte
	peer := &parts.UART{TX: 4, RX: 5, Baud: 100_000, Received: func(b byte) { got = append(got, b) }}
	bus := &lines{pins: []int{4, 5}}
	b := idle(t, nil, peer, bus)
	bit := 10 * time.Microsecond
	bus.set(0, true)
	send := func(v byte, stop bool) {
		for i := range 10 {
			bus.set(0, i > 0 && i < 9 && v>>(i-1)&1 != 0 || i == 9 && stop)
			run(t, b, bit)
		}
		bus.set(0, true)
		run(t, b, bit)
	}
	send(0xa5, true)
	send(0x00, true)
	send(0xff, false)
	if !slices.Equal(got, []byte{0xa5, 0}) || peer.Errors() != 1 {
		t.Errorf("received % x, %d errors", got, peer.Errors())
	}
	peer.Send([]byte{0x5a, 0x81})
	var bits []bool
	run(t, b, bit/2)
	for range 20 {
		bits = append(bits, bus.t[1].High())
		run(t, b, bit)
	}
	var in [2]byte
	for i := range in {
		for k := range 8 {
			if bits[10*i+1+k] {
				in[i] |= 1 << k
			}
		}
		if bits[10*i] || !bits[10*i+9] {
			t.Errorf("byte %d has no start or stop bit", i)
		}
	}
	if in != [2]byte{0x5a, 0x81} {
		t.Errorf("sent % x", in)
	}
}

func TestButtonBounces(t *testing.T) {
	button := &parts.Button{Pin: 9, Pull: 10_000, Bounce: 4 * time.Millisecond}
	probe := &parts.Probe{Pins: []int{9}}
	b := idle(t, nil, button, probe)
	run(t, b, time.Millisecond)
	button.Press()
	run(t, b, 5*time.Millisecond)
	if n := len(probe.Samples()); n != 12 || b.Pin(9) != emu.Low { // the pull-up, and eleven moves
		t.Errorf("%d changes, pin %v", n, b.Pin(9))
	}
	last := probe.Samples()[len(probe.Samples())-1]
	if at := last.At - probe.Samples()[1].At; at != 4*time.Millisecond {
		t.Errorf("rests after %v", at)
	}
	button.Release()
	run(t, b, 5*time.Millisecond)
	if b.Pin(9) != emu.High {
		t.Error("released and low")
	}
}
