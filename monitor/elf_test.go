package monitor

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"espalier.dev/espalier/firmware"
)

// testSymbols is a firmware with three functions and no debug information:
// hello::main at 0x42010040, hello::caller at 0x42010060 and in_iram at
// 0x40380000, each of 32 bytes.
func testSymbols(t testing.TB) *firmware.Symbols {
	t.Helper()
	le := binary.LittleEndian
	type sym struct {
		name string
		addr uint32
		sec  uint16
	}
	strtab, symtab := []byte{0}, make([]byte, 16)
	for _, s := range []sym{{"_ZN5hello4main17h0123456789abcdefE", 0x42010040, 1}, {"_ZN5hello6caller17h0123456789abcdefE", 0x42010060, 1}, {"in_iram", 0x40380000, 2}} {
		var b [16]byte
		le.PutUint32(b[0:], uint32(len(strtab)))
		le.PutUint32(b[4:], s.addr)
		le.PutUint32(b[8:], 32)
		b[12] = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC)
		le.PutUint16(b[14:], s.sec)
		symtab = append(symtab, b[:]...)
		strtab = append(append(strtab, s.name...), 0)
	}
	names := []byte("\x00.text\x00.rwtext\x00.symtab\x00.strtab\x00.shstrtab\x00")
	type sec struct {
		name, typ, flags, addr, link uint32
		data                         []byte
	}
	x := uint32(elf.SHF_ALLOC | elf.SHF_EXECINSTR)
	secs := []sec{
		{},
		{1, uint32(elf.SHT_PROGBITS), x, 0x42010020, 0, make([]byte, 0x100)},
		{7, uint32(elf.SHT_PROGBITS), x, 0x40380000, 0, make([]byte, 0x40)},
		{15, uint32(elf.SHT_SYMTAB), 0, 0, 4, symtab},
		{23, uint32(elf.SHT_STRTAB), 0, 0, 0, strtab},
		{31, uint32(elf.SHT_STRTAB), 0, 0, 0, names},
	}
	out := make([]byte, 52)
	copy(out, "\x7fELF\x01\x01\x01")
	for at, v := range map[int]uint16{16: 2, 18: 243, 40: 52, 42: 32, 46: 40, 48: uint16(len(secs)), 50: uint16(len(secs) - 1)} {
		le.PutUint16(out[at:], v)
	}
	var headers []byte
	for _, s := range secs {
		for _, v := range []uint32{s.name, s.typ, s.flags, s.addr, uint32(len(out)), uint32(len(s.data)), s.link, 0, 0, 0} {
			headers = le.AppendUint32(headers, v)
		}
		out = append(out, s.data...)
	}
	le.PutUint32(out[32:], uint32(len(out)))
	e, err := firmware.Open(bytes.NewReader(append(out, headers...)), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return firmware.NewSymbols(e, nil)
}
