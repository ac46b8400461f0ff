package c3

import (
	"bytes"
	"encoding/binary"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// flash is a GigaDevice GD25Q-class SPI NOR flash of 1 to 16 MiB. Programming
// clears bits within a page of 256 bytes, erasing sets them; both need WREN
// first. Operations take no time: WIP never reads as one.
type flash struct {
	bank *rv32.Bank
	// changed is called for every byte range that was programmed or erased.
	changed func(off, n uint32)
	s       struct {
		Status  [3]byte // SR1 (WEL 1, BP 6:2), SR2 (QE 1), SR3
		Off     bool    // deep power-down
		Reset   bool    // 66h was received, 99h resets
		Written uint64  // bytes programmed or erased
	}
}

// Flash commands, GD25Q32 data sheet 7.
const (
	flWriteStatus   = 0x01
	flPageProgram   = 0x02
	flRead          = 0x03
	flWriteDisable  = 0x04
	flReadStatus    = 0x05
	flWriteEnable   = 0x06
	flFastRead      = 0x0b
	flWriteStatus3  = 0x11
	flReadStatus3   = 0x15
	flSectorErase   = 0x20
	flWriteStatus2  = 0x31
	flQuadProgram   = 0x32
	flReadStatus2   = 0x35
	flDualOutput    = 0x3b
	flReadUniqueID  = 0x4b
	flBlockErase32  = 0x52
	flReadSFDP      = 0x5a
	flChipErase60   = 0x60
	flResetEnable   = 0x66
	flQuadOutput    = 0x6b
	flManufacturer  = 0x90
	flResetChip     = 0x99
	flReadJEDEC     = 0x9f
	flReleasePowerD = 0xab
	flPowerDown     = 0xb9
	flDualIO        = 0xbb
	flChipEraseC7   = 0xc7
	flBlockErase64  = 0xd8
	flQuadIO        = 0xeb

	flVendor    = 0xc8 // GigaDevice
	flType      = 0x40
	flPage      = 256
	flWEL       = 1 << 1
	flSR1Writes = 0xfc // BP and SRP bits; WEL and WIP are the chip's
	flSR2QE     = 1 << 1
)

// flashSizes are the sizes a flash chip can have.
var flashSizes = [...]int{1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20}

func newFlash(content []byte) (*flash, error) {
	size := len(content)
	if content == nil {
		size = 4 << 20
	}
	for _, s := range flashSizes {
		if s == size {
			if content == nil {
				content = bytes.Repeat([]byte{0xff}, size)
			}
			f := &flash{bank: rv32.BankOf(content)}
			f.s.Status[1] = flSR2QE
			return f, nil
		}
	}
	return nil, &emu.FlashSizeError{Size: size}
}

func fill(p []byte, v byte) {
	for i := range p {
		p[i] = v
	}
}

// sizeCode returns the third byte of the JEDEC id: the binary logarithm of the
// size.
func (f *flash) sizeCode() byte {
	code := byte(0)
	for n := f.bank.Size(); n > 1; n >>= 1 {
		code++
	}
	return code
}

// exec executes one command: opcode, address (if the command has one), data
// from the host in out, data to the host in in. An unknown command reads as
// ones.
func (f *flash) exec(op byte, addr uint32, out, in []byte) {
	fill(in, 0xff)
	if f.s.Off && op != flReleasePowerD {
		return
	}
	armed := f.s.Reset
	f.s.Reset = op == flResetEnable
	switch op {
	case flRead, flFastRead, flDualOutput, flQuadOutput, flDualIO, flQuadIO:
		f.read(addr, in)
	case flPageProgram, flQuadProgram:
		f.program(addr, out)
	case flSectorErase:
		f.erase(addr, 4<<10)
	case flBlockErase32:
		f.erase(addr, 32<<10)
	case flBlockErase64:
		f.erase(addr, 64<<10)
	case flChipErase60, flChipEraseC7:
		f.erase(0, f.bank.Size())
	case flWriteEnable:
		f.s.Status[0] |= flWEL
	case flWriteDisable:
		f.s.Status[0] &^= flWEL
	case flReadStatus:
		fill(in, f.s.Status[0])
	case flReadStatus2:
		fill(in, f.s.Status[1])
	case flReadStatus3:
		fill(in, f.s.Status[2])
	case flWriteStatus, flWriteStatus2, flWriteStatus3:
		f.writeStatus(op, out)
	case flReadJEDEC:
		copy(in, []byte{flVendor, flType, f.sizeCode()})
	case flManufacturer, flReleasePowerD:
		f.s.Off = false
		if op == flManufacturer {
			copy(in, []byte{flVendor, f.sizeCode() - 1})
		} else {
			fill(in, f.sizeCode()-1)
		}
	case flPowerDown:
		f.s.Off = true
	case flReadSFDP:
		sfdp := f.sfdp()
		for i := range in {
			if at := (addr + uint32(i)) & 0xff; int(at) < len(sfdp) {
				in[i] = sfdp[at]
			}
		}
	case flReadUniqueID:
		// Some hosts count the dummy bytes as part of the transfer; the id
		// repeats, so that both read the same bytes.
		for i := range in {
			in[i] = byte(0xe5 ^ i&15*17)
		}
	case flResetChip:
		if armed {
			f.s.Status[0] &^= flWEL
		}
	}
}

func (f *flash) read(addr uint32, in []byte) {
	for size := f.bank.Size(); len(in) > 0; {
		addr &= size - 1 // the address wraps at the end
		n := min(uint32(len(in)), size-addr)
		f.bank.Read(addr, in[:n])
		in, addr = in[n:], addr+n
	}
}

// takeWEL reports whether writing is enabled, and disables it.
func (f *flash) takeWEL() bool {
	on := f.s.Status[0]&flWEL != 0
	f.s.Status[0] &^= flWEL
	return on
}

// program clears bits in one page; the address wraps at its end.
func (f *flash) program(addr uint32, out []byte) {
	if !f.takeWEL() || len(out) == 0 {
		return
	}
	page := addr &^ (flPage - 1) & (f.bank.Size() - 1)
	f.bank.Edit(page, flPage, func(at []byte) {
		for i, b := range out {
			at[(addr+uint32(i))%flPage] &= b
		}
	})
	f.note(page, flPage)
}

func (f *flash) erase(addr, size uint32) {
	if !f.takeWEL() {
		return
	}
	start := addr &^ (size - 1) & (f.bank.Size() - 1)
	f.bank.Edit(start, size, func(at []byte) { fill(at, 0xff) })
	f.note(start, size)
}

func (f *flash) note(off, n uint32) {
	f.s.Written += uint64(n)
	if f.changed != nil {
		f.changed(off, n)
	}
}

func (f *flash) writeStatus(op byte, out []byte) {
	if !f.takeWEL() || len(out) == 0 {
		return
	}
	switch op {
	case flWriteStatus:
		f.s.Status[0] = out[0] & flSR1Writes
		if len(out) > 1 {
			f.s.Status[1] = out[1]
		}
	case flWriteStatus2:
		f.s.Status[1] = out[0]
	case flWriteStatus3:
		f.s.Status[2] = out[0]
	}
}

// sfdp returns the discoverable parameters, JESD216: a header and the basic
// flash parameter table of nine words.
func (f *flash) sfdp() []byte {
	p := make([]byte, 0x30+9*4)
	fill(p, 0xff)
	copy(p, "SFDP\x00\x01\x00\xff")                 // revision 1.0, one parameter header
	copy(p[8:], "\x00\x00\x01\x09\x30\x00\x00\xff") // basic table, nine words at 0x30
	for i, w := range [9]uint32{
		0xfff120e5,             // 4 KiB erase is 20h, 3-byte addresses, 1-1-2 1-2-2 1-4-4 1-1-4 reads
		f.bank.Size()*8 - 1,    // density in bits
		0x6b08eb44,             // 1-4-4 EBh (4 wait, 2 mode), 1-1-4 6Bh (8 wait)
		0xbb803b08,             // 1-1-2 3Bh (8 wait), 1-2-2 BBh (4 mode)
		0xffffffee,             // no 2-2-2, no 4-4-4
		0xff00ffff, 0xff00ffff, // their (absent) opcodes
		0x520f200c, 0xff00d810, // erase 4 KiB 20h, 32 KiB 52h, 64 KiB D8h
	} {
		binary.LittleEndian.PutUint32(p[0x30+4*i:], w)
	}
	return p
}

func (f *flash) state(s *chip.State) {
	s.Fixed(&f.s)
	s.Bank(f.bank)
}
