package c3

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"espalier.dev/espalier/emu"
)

func TestFlashSizes(t *testing.T) {
	for _, k := range []struct {
		size int
		code byte
	}{{1 << 20, 0x14}, {2 << 20, 0x15}, {4 << 20, 0x16}, {8 << 20, 0x17}, {16 << 20, 0x18}} {
		f, err := newFlash(make([]byte, k.size))
		if err != nil {
			t.Fatal(err)
		}
		id := make([]byte, 3)
		f.exec(flReadJEDEC, 0, nil, id)
		if !bytes.Equal(id, []byte{0xc8, 0x40, k.code}) {
			t.Errorf("%d bytes: id % x", k.size, id)
		}
		var sfdp [0x60]byte
		f.exec(flReadSFDP, 0, nil, sfdp[:])
		if string(sfdp[:4]) != "SFDP" {
			t.Errorf("SFDP header %q", sfdp[:4])
		}
		table := binary.LittleEndian.Uint32(sfdp[12:]) & 0xffffff
		if bits := binary.LittleEndian.Uint32(sfdp[table+4:]); (uint64(bits)+1)/8 != uint64(k.size) {
			t.Errorf("SFDP says %d bits for %d bytes", bits, k.size)
		}
	}
	for _, size := range []int{0, 1, 4096, 3 << 20, 4<<20 - 1, 4<<20 + 1, 32 << 20} {
		_, err := New(emu.Config{ROM: make([]byte, romSize), Flash: make([]byte, size)})
		var want *emu.FlashSizeError
		if !errors.As(err, &want) || want.Size != size {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestFlashSemantics(t *testing.T) {
	content := bytes.Repeat([]byte{0xff}, 1<<20)
	f, _ := newFlash(content)
	var changed [][2]uint32
	f.changed = func(off, n uint32) { changed = append(changed, [2]uint32{off, n}) }
	read := func(addr uint32, n int) []byte {
		in := make([]byte, n)
		f.exec(flRead, addr, nil, in)
		return in
	}
	wren := func() { f.exec(flWriteEnable, 0, nil, nil) }

	f.exec(flPageProgram, 0x100, []byte{0}, nil)
	if read(0x100, 1)[0] != 0xff {
		t.Error("programmed without write enable")
	}
	wren()
	f.exec(flPageProgram, 0x1fe, []byte{1, 2, 3, 4}, nil)
	if got := append(read(0x1fe, 2), read(0x100, 2)...); !bytes.Equal(got, []byte{1, 2, 3, 4}) {
		t.Errorf("programming does not wrap in its page: % x", got)
	}
	wren()
	f.exec(flPageProgram, 0x1fe, []byte{0xfe}, nil)
	if got := read(0x1fe, 1)[0]; got != 0 {
		t.Errorf("programming does not only clear bits: %#x", got)
	}
	f.exec(flPageProgram, 0x1ff, []byte{0}, nil)
	if got := read(0x1ff, 1)[0]; got != 2 {
		t.Error("write enable outlived a program")
	}
	for _, e := range []struct {
		op         byte
		addr, size uint32
	}{{flSectorErase, 0x1abc, 4 << 10}, {flBlockErase32, 0x9abc, 32 << 10}, {flBlockErase64, 0x2abcd, 64 << 10}, {flChipEraseC7, 0, 1 << 20}} {
		f.bank.Edit(0, f.bank.Size(), func(at []byte) { clear(at) })
		wren()
		f.exec(e.op, e.addr, nil, nil)
		start := e.addr &^ (e.size - 1)
		data := make([]byte, f.bank.Size())
		f.bank.Read(0, data)
		if n := bytes.Count(data, []byte{0xff}); n != int(e.size) || data[start] != 0xff || data[start+e.size-1] != 0xff {
			t.Errorf("command %#x erased %d bytes, want %d at %#x", e.op, n, e.size, start)
		}
	}
	if len(changed) != 6 || changed[2] != [2]uint32{0x1000, 0x1000} {
		t.Errorf("reported %v", changed)
	}
	if content[0] != 0xff || content[0x1fe] != 0xff {
		t.Error("the caller's bytes were written to")
	}
	// QE is in status register 2.
	st := make([]byte, 1)
	wren()
	f.exec(flWriteStatus2, 0, []byte{0}, nil)
	f.exec(flReadStatus2, 0, nil, st)
	if st[0] != 0 {
		t.Error("QE does not clear")
	}
	wren()
	f.exec(flWriteStatus, 0, []byte{0, flSR2QE}, nil)
	if f.exec(flReadStatus2, 0, nil, st); st[0] != flSR2QE {
		t.Error("QE does not set through a two-byte write")
	}
	f.exec(flPowerDown, 0, nil, nil)
	if f.exec(flReadStatus, 0, nil, st); st[0] != 0xff {
		t.Error("answers in deep power-down")
	}
	f.exec(flReleasePowerD, 0, nil, nil)
	if f.exec(flReadStatus, 0, nil, st); st[0]&1 != 0 {
		t.Error("busy for ever")
	}
}

// A page of flash is visible in both windows, follows the MMU table, and is not
// accessible with the cache disabled.
func TestCacheWindows(t *testing.T) {
	flash := bytes.Repeat([]byte{0xff}, 2<<20)
	for page := range 32 {
		flash[page<<16] = byte(page)
	}
	c := newTestChip(t, emu.Config{Flash: flash})
	look := func(addr uint32) (byte, bool) {
		var b [1]byte
		ok := c.m.CPU.Memory().Read(addr, b[:])
		return b[0], ok
	}
	const ctrl, ctrl1 = 0x600c4000, 0x600c4004
	c.w(mmuBase+4*5, 7)
	if _, ok := look(dromBase + 5<<16); ok {
		t.Error("visible with the cache off")
	}
	c.w(ctrl, 1)
	c.w(ctrl1, 0)
	for _, base := range []uint32{dromBase, iromBase} {
		if v, ok := look(base + 5<<16); !ok || v != 7 {
			t.Errorf("0x%08x shows page %d, %v", base, v, ok)
		}
		if _, ok := look(base + 6<<16); ok {
			t.Error("an invalid entry shows something")
		}
	}
	c.w(mmuBase+4*5, 40) // beyond 2 MiB: the flash ignores the upper bits
	if v, _ := look(iromBase + 5<<16); v != 8 {
		t.Errorf("page 40 shows %d", v)
	}
	c.w(ctrl1, exShutDbus)
	if _, ok := look(dromBase + 5<<16); ok {
		t.Error("visible on a bus that is shut")
	}
	if _, ok := look(iromBase + 5<<16); !ok {
		t.Error("shutting the data bus closed the other")
	}
	c.bus.Load(dromBase+5<<16, 4)
	c.want(0x600c4080, 0)
	c.want(0x600c4000+exAcsSt, exAcsDbusShut)
	c.w(ctrl1, 0)
	c.bus.Load(dromBase+6<<16, 4)
	c.want(0x600c4080, exMMUFaultBit)
	c.want(0x600c40a4, dromBase+6<<16)
	// A program command is visible through the window.
	c.w(0x60002000, 1<<spiCmdWREN)
	c.w(0x60002058, 0)
	c.w(0x60002004, 8<<16|1<<24)
	c.w(0x60002000, 1<<spiCmdPP)
	if v, _ := look(iromBase + 5<<16); v != 0 {
		t.Errorf("programmed flash still shows %d", v)
	}
	if got := c.board.Flash()[8<<16]; got != 0 {
		t.Errorf("Flash shows %d", got)
	}
}

// User-defined commands through SPI1: opcode, address with mode bits, data.
func TestSPIUserCommands(t *testing.T) {
	flash := bytes.Repeat([]byte{0xff}, 1<<20)
	copy(flash[0x12345:], "hello, flash")
	c := newTestChip(t, emu.Config{Flash: flash})
	const spi1 = 0x60002000
	run := func(user, addrBits, opcode, addr, mosi, miso uint32) {
		c.w(spi1+spiUser, user)
		c.w(spi1+spiUser1, (addrBits-1)<<26)
		c.w(spi1+spiUser2, 7<<28|opcode)
		c.w(spi1+spiAddr, addr)
		c.w(spi1+spiMosiDlen, mosi*8-1)
		c.w(spi1+spiMisoDlen, miso*8-1)
		c.w(spi1, 1<<spiCmdUser)
		c.want(spi1, 0)
	}
	run(spiUserCommand|spiUserAddr|spiUserMiso, 24, flFastRead, 0x12345, 1, 12)
	buf := func(n int) string {
		var b []byte
		for i := range uint32(n+3) / 4 {
			b = binary.LittleEndian.AppendUint32(b, c.r(spi1+spiW0+4*i))
		}
		return string(b[:n])
	}
	if got := buf(12); got != "hello, flash" {
		t.Errorf("fast read gave %q", got)
	}
	run(spiUserCommand|spiUserAddr|spiUserMiso, 32, flQuadIO, 0x1234500, 1, 5)
	if got := buf(5); got != "hello" {
		t.Errorf("quad read gave %q", got)
	}
	c.w(spi1, 1<<spiCmdRDID)
	c.want(spi1+spiW0, 0x1440c8)
	run(spiUserCommand, 1, flWriteEnable, 0, 1, 1)
	c.w(spi1, 1<<spiCmdRDSR)
	c.want(spi1+spiRdStatus, flWEL)
}

// A fault of the cache raises its interrupt if that is enabled, until it is
// cleared.
func TestCacheFaultInterrupt(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	high := func() bool { return c.r(0x600c20fc)>>(srcCacheIA-32)&1 != 0 }
	c.w(0x600c4000+exCtrl, exEnable)
	c.w(0x600c4000+exCtrl1, 0)
	c.bus.Load(dromBase+0x1234, 4)
	if high() {
		t.Error("raised without being enabled")
	}
	c.w(0x600c4000+exIlgEna, exMMUFaultBit)
	if !high() {
		t.Error("not raised")
	}
	c.want(0x600c4000+exMMUFaultVA, dromBase+0x1234)
	c.w(0x600c4000+exIlgClr, exMMUFaultBit)
	if high() {
		t.Error("not cleared")
	}
}
