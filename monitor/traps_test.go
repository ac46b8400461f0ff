package monitor

import (
	"strings"
	"testing"
)

// noted collects the addresses that got names.
type noted struct{ texts []string }

func (n *noted) Line(l Line) {
	for _, x := range l.Notes {
		n.texts = append(n.texts, l.Text[x.Start:x.End])
	}
}
func (n *noted) Report(*Report) {}

// Names for what is no code are noise (espflash#600: load addresses of the boot
// ROM as exception vectors; espflash#543: every word of a stack dump, zeros and
// fill patterns too; one that accepts a symbol's end as its inside). Code keeps its
// names in a release build (espflash#884).
func TestNoNamesForNoise(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"load:0x42010040,len:0x1404", ""},
		{"entry 0x42010040", ""},
		{"Saved PC:0x42010040", ""},
		{"I (24) esp_image: segment 4: paddr=00020020 vaddr=42010040 size=06424h", ""},
		{"zeros 0x00000000 and fills 0xa5a5a5a5 0xffffffff 0xdeadbeef", ""},
		{"stack 0x3fc80b64, flash data 0x3c000020, register 0x60002000", ""},
		{"longer 0x4201004012 or shorter 0x420100", ""},
		{"no hex 42010040", ""},
		{"part of a word x0x42010040y", ""},
		{"code 0x42010040", "0x42010040"},
		{"MEPC: 0x42010062, again", "0x42010062"},
	} {
		var n noted
		m := New(Options{Symbols: testSymbols(t)}, &n)
		m.Write(UART0, 0, []byte(tc.line+"\r\n"))
		m.Close(1)
		if got := strings.Join(n.texts, " "); got != tc.want {
			t.Errorf("%q: names for %q, want %q", tc.line, got, tc.want)
		}
	}
}
