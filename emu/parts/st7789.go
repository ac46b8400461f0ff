package parts

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"

	"espalier.dev/espalier/emu"
)

// ST7789 is a colour display on an SPI bus with a data/command line, as Sitronix's
// data sheet ST7789V (version 1.6) describes its controller: the 4-line serial
// interface I of section 8.4, the memory of 8.12 with its access control
// (MADCTL), and the commands of section 9.1 that concern the picture. Reading from
// the controller and the tearing line are not modelled.
type ST7789 struct {
	SPIPins    // MISO is not used
	DC, Reset  int
	Width      int // of the panel, 240 if 0
	Height     int // 320 if 0
	OffX, OffY int // of the panel in the memory of 240 by 320 pixels
	// Normal is a panel that shows colours as they were written without INVON; with
	// the panels of usual modules (IPS) they are right after INVON.
	Normal bool
	// Changed, if not nil, is called when the bus is released after the picture has
	// changed.
	Changed func()

	bus   spiBus
	dc    *emu.Terminal
	reset *emu.Terminal
	ram   []byte // three bytes for each pixel: red, green, blue of 6 bits, at the upper end
	s     st7789State
}

// Size of the memory.
const (
	stCols = 240
	stRows = 320
)

type st7789State struct {
	Command                        byte
	Args                           [6]byte
	Count                          uint8
	XFrom, XTo, YFrom, YTo         uint16
	X, Y                           uint16
	Pixel                          [3]byte // of a pixel that is not complete
	Got                            uint8
	MADCTL, COLMOD                 byte
	ScrollTop, ScrollRows, ScrollY uint16
	Asleep, On, Invert             bool
	Dirty                          bool
	Frames                         uint64
}

// Commands, section 9.1.
const (
	stSWRESET = 0x01
	stSLPIN   = 0x10
	stSLPOUT  = 0x11
	stINVOFF  = 0x20
	stINVON   = 0x21
	stDISPOFF = 0x28
	stDISPON  = 0x29
	stCASET   = 0x2a
	stRASET   = 0x2b
	stRAMWR   = 0x2c
	stVSCRDEF = 0x33
	stMADCTL  = 0x36
	stVSCSAD  = 0x37
	stCOLMOD  = 0x3a
	stRAMWRC  = 0x3c

	// MADCTL: row order, column order, exchange of rows and columns, BGR.
	stMY  = 1 << 7
	stMX  = 1 << 6
	stMV  = 1 << 5
	stBGR = 1 << 3
)

// Attach implements emu.Part. The error is of a panel that is larger than the
// memory.
func (d *ST7789) Attach(b *emu.Board) error {
	if d.Width == 0 {
		d.Width = stCols
	}
	if d.Height == 0 {
		d.Height = stRows
	}
	if d.Width < 0 || d.Height < 0 || d.OffX < 0 || d.OffY < 0 || d.OffX+d.Width > stCols || d.OffY+d.Height > stRows {
		return fmt.Errorf("ST7789 panel of %d by %d pixels at %d,%d: the memory has %d by %d",
			d.Width, d.Height, d.OffX, d.OffY, stCols, stRows)
	}
	d.ram = make([]byte, 3*stCols*stRows)
	d.clear()
	pins := d.SPIPins
	pins.MISO = None
	d.dc = b.NewTerminal(nil)
	d.reset = b.NewTerminal(func(high bool) {
		if !high {
			d.clear()
		}
	})
	b.AddStateFunc(func(s *emu.State) {
		s.Fixed(&d.s)
		s.Memory(d.ram)
	})
	b.Join(d.dc.Pin(), d.DC)
	if d.Reset != None {
		b.Join(d.reset.Pin(), d.Reset)
	}
	d.bus.attach(b, d, pins)
	return nil
}

// clear is a reset, section 9.1.2 and table of default values in 8.17. The memory
// keeps its content.
func (d *ST7789) clear() {
	frames := d.s.Frames
	d.s = st7789State{
		XTo: stCols - 1, YTo: stRows - 1, COLMOD: 0x66, ScrollRows: stRows, Asleep: true, Frames: frames, Dirty: d.s.On,
	}
}

// selected implements spiTarget.
func (d *ST7789) selected(active bool) {
	if !active && d.s.Dirty {
		d.s.Dirty = false
		if d.Changed != nil {
			d.Changed()
		}
	}
}

// next implements spiTarget.
func (d *ST7789) next() byte { return 0 }

// take implements spiTarget: the line D/C says what the bytes are, at the last bit
// of each.
func (d *ST7789) take(data []byte) {
	if len(data) == 0 {
		return
	}
	if !d.dc.High() {
		for _, c := range data {
			d.command(c)
		}
		return
	}
	if d.s.Command == stRAMWR || d.s.Command == stRAMWRC {
		d.pixels(data)
		return
	}
	for _, b := range data {
		if int(d.s.Count) < len(d.s.Args) {
			d.s.Args[d.s.Count] = b
			d.s.Count++
			d.argument()
		}
	}
}

func (d *ST7789) command(c byte) {
	s := &d.s
	s.Command, s.Count, s.Got = c, 0, 0
	shown := s.On && !s.Asleep
	switch c {
	case stSWRESET:
		d.clear()
	case stSLPIN, stSLPOUT:
		s.Asleep = c == stSLPIN
	case stINVOFF, stINVON:
		s.Dirty = s.Dirty || shown && s.Invert != (c == stINVON)
		s.Invert = c == stINVON
	case stDISPOFF, stDISPON:
		s.On = c == stDISPON
	case stRAMWR:
		s.X, s.Y = s.XFrom, s.YFrom
	}
	s.Dirty = s.Dirty || shown != (s.On && !s.Asleep)
}

// argument is called after each argument of a command.
func (d *ST7789) argument() {
	s := &d.s
	word := func(i int) uint16 { return binary.BigEndian.Uint16(s.Args[i:]) }
	switch {
	case s.Command == stCASET && s.Count == 4:
		s.XFrom, s.XTo = word(0), word(2)
	case s.Command == stRASET && s.Count == 4:
		s.YFrom, s.YTo = word(0), word(2)
	case s.Command == stMADCTL && s.Count == 1:
		s.MADCTL = s.Args[0]
	case s.Command == stCOLMOD && s.Count == 1:
		s.COLMOD = s.Args[0]
	case s.Command == stVSCRDEF && s.Count == 6:
		s.ScrollTop, s.ScrollRows = word(0), word(2)
		s.ScrollY = s.ScrollTop
	case s.Command == stVSCSAD && s.Count == 2:
		s.ScrollY, s.Dirty = word(0), true
	}
}

// pixels writes pixels in the format of COLMOD, section 8.8.
func (d *ST7789) pixels(data []byte) {
	s := &d.s
	s.Dirty = s.Dirty || s.On && !s.Asleep
	switch s.COLMOD & 7 {
	case 5: // 5, 6 and 5 bits
		if s.Got == 1 {
			d.pixel565(uint16(s.Pixel[0])<<8 | uint16(data[0]))
			data, s.Got = data[1:], 0
		}
		for len(data) >= 2 {
			if n := d.run565(data); n > 0 {
				data = data[2*n:]
				continue
			}
			d.pixel565(uint16(data[0])<<8 | uint16(data[1]))
			data = data[2:]
		}
		if len(data) == 1 {
			s.Pixel[0], s.Got = data[0], 1
		}
	case 3: // two pixels of 4, 4 and 4 bits in three bytes
		for _, b := range data {
			s.Pixel[s.Got] = b
			s.Got++
			p := s.Pixel
			switch s.Got {
			case 2:
				d.pixel(p[0]&0xf0, p[0]<<4, p[1]&0xf0)
			case 3:
				d.pixel(p[1]<<4, p[2]&0xf0, p[2]<<4)
				s.Got = 0
			}
		}
	default: // 6 bits at the upper end of three bytes
		for _, b := range data {
			s.Pixel[s.Got] = b & 0xfc
			if s.Got++; s.Got == 3 {
				d.pixel(s.Pixel[0], s.Pixel[1], s.Pixel[2])
				s.Got = 0
			}
		}
	}
}

func (d *ST7789) pixel565(v uint16) { d.pixel(byte(v>>8)&0xf8, byte(v>>3)&0xfc, byte(v<<3)) }

// run565 writes the pixels of data that are in one line of the window, but for its
// last, and returns how many; a picture is thousands of them. It is pixel565 for
// each of them.
func (d *ST7789) run565(data []byte) (n int) {
	s := &d.s
	n = min(len(data)/2, int(s.XTo)-int(s.X))
	cols, rows := stCols, stRows
	if s.MADCTL&stMV != 0 {
		cols, rows = rows, cols
	}
	if n <= 0 || int(s.X)+n > cols || int(s.Y) >= rows {
		return 0
	}
	at, next := d.place(int(s.X), int(s.Y)), d.place(int(s.X)+1, int(s.Y))
	step := next - at
	for i := range n {
		v := uint16(data[2*i])<<8 | uint16(data[2*i+1])
		p := d.ram[at : at+3 : at+3]
		p[0], p[1], p[2] = byte(v>>8)&0xf8, byte(v>>3)&0xfc, byte(v<<3)
		at += step
	}
	s.X += uint16(n)
	return n
}

// place returns where the pixel at x, y of the window's coordinates is in the
// memory, section 8.12.
func (d *ST7789) place(x, y int) int {
	if d.s.MADCTL&stMV != 0 {
		x, y = y, x
	}
	if d.s.MADCTL&stMX != 0 {
		x = stCols - 1 - x
	}
	if d.s.MADCTL&stMY != 0 {
		y = stRows - 1 - y
	}
	return 3 * (y*stCols + x)
}

// pixel writes one pixel and moves the pointer.
func (d *ST7789) pixel(r, g, b byte) {
	s := &d.s
	cols, rows := stCols, stRows
	if s.MADCTL&stMV != 0 {
		cols, rows = rows, cols
	}
	if int(s.X) < cols && int(s.Y) < rows {
		at := d.ram[d.place(int(s.X), int(s.Y)):]
		at[0], at[1], at[2] = r, g, b
	}
	if s.X != s.XTo {
		s.X++
		return
	}
	s.X = s.XFrom
	if s.Y != s.YTo {
		s.Y++
		return
	}
	s.Y = s.YFrom
	s.Frames++
}

// On reports whether the display is on and not asleep.
func (d *ST7789) On() bool { return d.s.On && !d.s.Asleep }

// Frames returns how often a window of the memory was filled to its end.
func (d *ST7789) Frames() uint64 { return d.s.Frames }

// Picture returns what the panel shows; it is black while the display is off.
func (d *ST7789) Picture() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, d.Width, d.Height))
	for y := range d.Height {
		row := d.scrolled(y + d.OffY)
		for x := range d.Width {
			c := color.RGBA{A: 0xff}
			if d.On() {
				p := d.ram[3*(row*stCols+x+d.OffX):]
				c.R, c.G, c.B = p[0], p[1], p[2]
				if d.s.MADCTL&stBGR != 0 {
					c.R, c.B = c.B, c.R
				}
				// Six bits, or five, up to eight: full intensity is 255.
				shift := 6
				if d.s.COLMOD&7 == 5 {
					shift = 5
				}
				c.R, c.G, c.B = c.R|c.R>>shift, c.G|c.G>>6, c.B|c.B>>shift
				if d.s.Invert == d.Normal {
					c.R, c.G, c.B = ^c.R, ^c.G, ^c.B
				}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// scrolled returns the row of the memory that is shown in row y, section 9.1.30.
func (d *ST7789) scrolled(y int) int {
	top, n := int(d.s.ScrollTop), int(d.s.ScrollRows)
	if y < top || y >= top+n || top+n > stRows {
		return y
	}
	return top + (y-top+max(int(d.s.ScrollY)-top, 0))%n
}
