package firmware

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"sort"
	"strings"
)

// descriptorSize and descriptorMagic are those of esp_app_desc_t (ESP-IDF, app
// image format).
const (
	descriptorSize  = 256
	descriptorMagic = 0xABCD5432
)

// AppDescriptor returns the application descriptor: the symbol esp_app_desc,
// else the section .flash.appdesc (esp-bootloader-esp-idf from 0.5), else
// .rodata_desc (before) or .rodata_desc.appdesc.
func (e *ELF) AppDescriptor() (AppDescriptor, bool) {
	if b, s, ok := e.descriptorBytes(); ok {
		return parseDescriptor(b, s), true
	}
	return AppDescriptor{}, false
}

func (e *ELF) descriptorBytes() ([]byte, Section, bool) {
	var places []Section
	for _, name := range []string{"esp_app_desc", "ESP_APP_DESC"} {
		if s, ok := e.Lookup(name); ok {
			places = append(places, Section{Addr: s.Addr})
		}
	}
	for _, name := range []string{".flash.appdesc", ".rodata_desc", ".rodata_desc.appdesc"} {
		if s := e.section(name); s != nil && s.typ != elf.SHT_NOBITS && s.size >= descriptorSize {
			places = append(places, Section{Addr: s.addr})
		}
	}
	for _, p := range places {
		b, ok := e.ReadAddr(p.Addr, descriptorSize)
		if !ok || binary.LittleEndian.Uint32(b) != descriptorMagic {
			continue
		}
		for _, s := range e.Sections() {
			if s.Loaded && p.Addr >= s.Addr && p.Addr-s.Addr < s.Size {
				p.Name = s.Name
			}
		}
		return b, p, true
	}
	return nil, Section{}, false
}

func parseDescriptor(b []byte, at Section) AppDescriptor {
	le := binary.LittleEndian
	d := AppDescriptor{
		Addr: at.Addr, Section: at.Name,
		SecureVersion:    le.Uint32(b[0x04:]),
		Version:          fixedString(b[0x10:0x30]),
		Project:          fixedString(b[0x30:0x50]),
		Time:             fixedString(b[0x50:0x60]),
		Date:             fixedString(b[0x60:0x70]),
		IDFVersion:       fixedString(b[0x70:0x90]),
		MinEfuseBlockRev: le.Uint16(b[0xB0:]),
		MaxEfuseBlockRev: le.Uint16(b[0xB2:]),
		MMUPageLog2:      b[0xB4],
	}
	copy(d.ELFSHA256[:], b[0x90:0xB0])
	return d
}

// fixedString is the text before the first NUL, without what is not text.
func fixedString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "?")
}

// Metadata returns the entries of .espressif.metadata, by key. Each is a
// symbol whose name is the key and whose bytes are the value.
func (e *ELF) Metadata() []Metadata {
	var out []Metadata
	for i := range e.sections {
		s := &e.sections[i]
		if s.name != ".espressif.metadata" || s.typ == elf.SHT_NOBITS {
			continue
		}
		data, err := e.data(s)
		if err != nil {
			return nil
		}
		for _, y := range e.table().all {
			from := uint64(y.Addr) - uint64(s.addr)
			if int(y.section) != i || y.Size == 0 || from > uint64(len(data)) || from+uint64(y.Size) > uint64(len(data)) {
				continue
			}
			out = append(out, Metadata{Key: y.Linker, Value: string(data[from : from+uint64(y.Size)])})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

// Chip is the chip that the firmware was built for as its metadata says
// ("esp32c3"), "" if it does not.
func (e *ELF) Chip() string {
	for _, m := range e.Metadata() {
		if m.Key == "build_info.CHIP_NAME" {
			return m.Value
		}
	}
	return ""
}
