package parts

import (
	"fmt"
	"image"
	"image/color"

	"espalier.dev/espalier/emu"
)

// SSD1306 is a monochrome display of 128 by 64 pixels, or 128 by 32, on an I2C
// bus, as Solomon Systech's data sheet SSD1306 (revision 1.1) describes its
// controller: the I2C interface of section 8.1.5, the memory of 8.7 and the
// commands of section 10. Scrolling (26h to 2Fh) is not modelled: the picture stays.
type SSD1306 struct {
	SDA, SCL int  // pins of the chip
	Address  byte // 0x3c, which 0 is, or 0x3d
	Height   int  // 64, which 0 is, or 32
	// Changed, if not nil, is called after a transfer that changed what the display
	// shows.
	Changed func()

	bus I2CBus
	s   struct {
		RAM              [8][128]byte // pages of eight rows
		Control          byte         // the control byte
		First            bool         // the next byte is a control byte
		Command          byte         // whose arguments are awaited
		Args             [6]byte
		Count, Want      uint8
		Mode             byte // 0 horizontal, 1 vertical, 2 page
		Column, Page     byte
		ColumnFrom       byte
		ColumnTo         byte
		PageFrom, PageTo byte
		StartLine        byte
		Offset           byte
		Multiplex        byte
		Contrast         byte
		Remap, Reverse   bool // of columns and of rows
		On, Invert, All  bool
		Dirty            bool
	}
}

// Attach implements emu.Part.
func (d *SSD1306) Attach(b *emu.Board) error {
	if d.Address == 0 {
		d.Address = 0x3c
	}
	if d.Height == 0 {
		d.Height = 64
	}
	if d.Address != 0x3c && d.Address != 0x3d {
		return fmt.Errorf("SSD1306 at address 0x%02x: want 0x3c or 0x3d", d.Address)
	}
	if d.Height != 64 && d.Height != 32 {
		return fmt.Errorf("SSD1306 with %d rows: want 64 or 32", d.Height)
	}
	d.bus.attach(b, d, d.Address, d.SDA, d.SCL)
	d.s.Mode, d.s.ColumnTo, d.s.PageTo, d.s.Multiplex, d.s.Contrast = 2, 127, 7, 63, 0x7f
	b.AddState(&d.s)
	return nil
}

// Start implements I2CTarget.
func (d *SSD1306) Start(read bool) { d.s.First = true }

// Stop implements I2CTarget.
func (d *SSD1306) Stop() {
	if d.s.Dirty && d.Changed != nil {
		d.Changed()
	}
	d.s.Dirty = false
}

// Read implements I2CTarget: bit 6 of the status is set while the display is off
// (table 9-1).
func (d *SSD1306) Read() byte {
	if d.s.On {
		return 0
	}
	return 1 << 6
}

// Write implements I2CTarget. A control byte has Co in bit 7, D/C# in bit 6: with
// Co set, another control byte follows after one byte.
func (d *SSD1306) Write(b byte) bool {
	if d.s.First {
		d.s.Control, d.s.First = b, false
		return true
	}
	if d.s.Control&0x40 != 0 {
		d.data(b)
	} else {
		d.command(b)
	}
	d.s.First = d.s.Control&0x80 != 0
	return true
}

// data writes a byte to the memory and moves the pointer (section 10.1.3).
func (d *SSD1306) data(b byte) {
	s := &d.s
	at := &s.RAM[s.Page&7][s.Column&127]
	if *at != b {
		*at, s.Dirty = b, s.Dirty || s.On
	}
	switch s.Mode {
	case 0:
		if s.Column == s.ColumnTo {
			s.Column = s.ColumnFrom
			s.Page = nextIn(s.Page, s.PageFrom, s.PageTo)
		} else {
			s.Column = (s.Column + 1) & 127
		}
	case 1:
		if s.Page == s.PageTo {
			s.Page = s.PageFrom
			s.Column = nextIn(s.Column, s.ColumnFrom, s.ColumnTo)
		} else {
			s.Page = (s.Page + 1) & 7
		}
	default:
		s.Column = (s.Column + 1) & 127
	}
}

// nextIn returns the number after n in a range, round and round.
func nextIn(n, from, to byte) byte {
	if n == to {
		return from
	}
	return n + 1
}

// ssdArgs returns how many bytes follow a command (table 9-1).
func ssdArgs(c byte) uint8 {
	switch c {
	case 0x20, 0x81, 0x8d, 0xa8, 0xd3, 0xd5, 0xd9, 0xda, 0xdb:
		return 1
	case 0x21, 0x22, 0xa3:
		return 2
	case 0x29, 0x2a:
		return 5
	case 0x26, 0x27:
		return 6
	}
	return 0
}

func (d *SSD1306) command(b byte) {
	s := &d.s
	if s.Want > 0 {
		s.Args[s.Count] = b
		if s.Count++; s.Count < s.Want {
			return
		}
		s.Want = 0
		d.execute(s.Command)
		return
	}
	s.Command, s.Count, s.Want = b, 0, ssdArgs(b)
	if s.Want == 0 {
		d.execute(b)
	}
}

func (d *SSD1306) execute(c byte) {
	s, before := &d.s, d.s
	switch {
	case c <= 0x0f:
		s.Column = s.Column&0x70 | c
	case c <= 0x1f:
		s.Column = s.Column&0x0f | c&7<<4
	case c == 0x20:
		s.Mode = s.Args[0] & 3
	case c == 0x21:
		s.ColumnFrom, s.ColumnTo = s.Args[0]&127, s.Args[1]&127
		s.Column = s.ColumnFrom
	case c == 0x22:
		s.PageFrom, s.PageTo = s.Args[0]&7, s.Args[1]&7
		s.Page = s.PageFrom
	case c >= 0x40 && c <= 0x7f:
		s.StartLine = c & 63
	case c == 0x81:
		s.Contrast = s.Args[0]
	case c == 0xa0 || c == 0xa1:
		s.Remap = c&1 != 0
	case c == 0xa4 || c == 0xa5:
		s.All = c&1 != 0
	case c == 0xa6 || c == 0xa7:
		s.Invert = c&1 != 0
	case c == 0xa8:
		s.Multiplex = s.Args[0] & 63
	case c == 0xae || c == 0xaf:
		s.On = c&1 != 0
	case c >= 0xb0 && c <= 0xb7:
		s.Page = c & 7
	case c == 0xc0 || c == 0xc8:
		s.Reverse = c == 0xc8
	case c == 0xd3:
		s.Offset = s.Args[0] & 63
	}
	if s.On != before.On || s.On && (s.StartLine != before.StartLine || s.All != before.All || s.Invert != before.Invert ||
		s.Offset != before.Offset || s.Reverse != before.Reverse) {
		s.Dirty = true
	}
}

// On reports whether the display is on.
func (d *SSD1306) On() bool { return d.s.On }

// Picture returns what the display shows, as it is seen on a module whose first
// row and column of the memory are at the top left after the commands A1h and
// C8h, as drivers for such modules give them.
func (d *SSD1306) Picture() image.Image {
	img := image.NewGray(image.Rect(0, 0, 128, d.Height))
	s := &d.s
	if !s.On {
		return img
	}
	rows := int(s.Multiplex) + 1
	for y := range d.Height {
		// Row y of the panel is COM y, or COM N-1-y.
		com := y
		if !s.Reverse {
			com = d.Height - 1 - y
		}
		row := (com + int(s.Offset) + int(s.StartLine)) % 64
		for x := range 128 {
			col := x
			if !s.Remap {
				col = 127 - x
			}
			lit := s.All || s.RAM[row/8][col]>>(row%8)&1 != 0
			if y < rows && lit != s.Invert {
				img.SetGray(x, y, color.Gray{Y: 0xff})
			}
		}
	}
	return img
}
