package monitor

import (
	"strings"
	"testing"
)

// reports is a sink that keeps the reports.
type reports struct{ list []*Report }

func (r *reports) Line(Line)        {}
func (r *reports) Report(p *Report) { r.list = append(r.list, p) }

// What the mask ROM of revision v0.4 prints for a bootloader that is damaged in
// one place or another ends the run with an explanation.
func TestDamagedBootloader(t *testing.T) {
	const boot = "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\nmode:DIO, clock div:2\r\nload:0x3fcd5830,len:0x1404\r\n"
	for _, tt := range []struct{ name, tail, want string }{
		{"data", "Checksum failure. Calculated 0xde stored 0xdf\r\nets_main.c 333 \r\n", "the ROM refuses the bootloader: it is damaged (wrong checksum)"},
		{"length", "load:0x4501c62a,len:0xffc34097\r\nInvalid image block, can't boot.\r\nets_main.c 333 \r\n", "the ROM refuses the bootloader: it is damaged (a segment with an impossible length)"},
		{"blank from the second segment on", "ets_loader.c 78 \r\n", "the ROM refuses the bootloader: it is damaged or cut short"},
		{"no bootloader", "invalid header: 0xffffffff\r\n", "the ROM finds no bootloader at the beginning of the flash"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &reports{}
			m := New(Options{}, s)
			m.Write(UART0, 0, []byte(boot+tt.tail))
			m.Close(0)
			if len(s.list) != 1 || !strings.Contains(s.list[0].String(), tt.want) {
				t.Errorf("reports %v, want one: %s", s.list, tt.want)
			}
		})
	}
	// The same words in the log of a program mean nothing.
	s := &reports{}
	m := New(Options{}, s)
	m.Write(UART0, 0, []byte(boot+"entry 0x403cbf1a\r\nhello\r\nworld\r\nChecksum failure. Calculated by me\r\n"))
	m.Close(0)
	if len(s.list) != 0 {
		t.Errorf("reports %v", s.list)
	}
}
