package monitor_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/monitor"
)

// Addresses of the mask ROM have the names of the ROM whose version is in the log,
// from that line on.
func TestNamesOfTheROMInTheLog(t *testing.T) {
	open := func(name string) *firmware.ELF {
		e, err := firmware.Open(bytes.NewReader(resource(t, "roms/"+name)), firmware.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	v04, v11 := open("esp32c3_rev300_rom.elf"), open("esp32c3_rev101_rom.elf")
	name := func(e *firmware.ELF, addr uint32) string {
		if fs := e.Frames(addr); len(fs) > 0 {
			return fs[0].Function
		}
		return ""
	}
	var addr uint32
	for _, f := range v11.Functions() {
		if a, b := name(v04, f.Addr), name(v11, f.Addr); a != "" && b != "" && a != b {
			addr = f.Addr
			break
		}
	}
	if addr == 0 {
		t.Fatal("the ROMs have the same functions")
	}
	line := fmt.Sprintf("called from 0x%08x\r\n", addr)
	var out transcript
	m := monitor.New(monitor.Options{Symbols: firmware.NewSymbols(nil, v04, v11), KeepGoing: true}, &out)
	for i, text := range []string{
		line,
		"\r\nESP-ROM:esp32c3-eco7-20230720\r\nBuild:Jul 20 2023\r\nrst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)\r\n", line,
		"\r\nESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)\r\n", line,
	} {
		m.Write(monitor.UART0, 0, []byte(text))
		if rom := []*firmware.ELF{v04, nil, v11, nil, v04}[i]; rom != nil {
			note := fmt.Sprintf("0x%08x = %s\n", addr, name(rom, addr))
			if !strings.HasSuffix(out.String(), note) {
				t.Errorf("after %d parts the last note is not %q:\n%s", i+1, note, &out)
			}
		}
	}
}
