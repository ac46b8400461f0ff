package c3

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
)

// The coverage table contains every block once, and only blocks without a
// modelled register have the level "not modelled".
func TestChipDocument(t *testing.T) {
	c := newTestChip(t, emu.Config{})
	registers, bases := map[string]int{}, map[string]uint32{}
	for _, d := range c.devices {
		st := d.store()
		if st.name == "" {
			continue
		}
		bases[st.name] = st.base
		registers[st.name] = 0
		for _, k := range st.kinds {
			if k&known != 0 {
				registers[st.name]++
			}
		}
	}
	var doc strings.Builder
	doc.WriteString("# What of the ESP32-C3 is modelled\n\n" +
		"Generated from `emu/c3/coverage.go` by `go test ./emu/c3 -run TestChipDocument -update-docs`.\n\n" +
		"*Modelled*: everything that firmware can see, but for what [board.md](board.md) says of time. *Partial*: see what is\n" +
		"missing. *Storage*: registers keep what is written and do nothing. *Not modelled*: storage, and each use is reported.\n" +
		"How the values after reset compare with a chip is in [silicon.md](silicon.md), what the CPU does in [cpu.md](cpu.md).\n\n")
	seen := map[string]bool{}
	for _, row := range chipCoverage {
		for _, name := range row.blocks {
			base, ok := bases[name]
			if !ok || seen[name] {
				t.Errorf("coverage lists %s, which the chip does not have or which is listed twice", name)
			}
			seen[name] = true
			if n := registers[name]; (n == 0) != (row.level == levelNone) {
				t.Errorf("%s is listed as %s with %d modelled registers", name, row.level, n)
			}
			text := fmt.Sprintf("- **%s** `%08x`: *%s*", name, base, row.level)
			if row.has != "" {
				text += "; " + row.has
			}
			if row.missing != "" {
				text += ". Missing: " + row.missing
			}
			wrap(&doc, text)
		}
	}
	var missing []string
	for name := range bases {
		if !seen[name] {
			missing = append(missing, name)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		t.Errorf("coverage.go does not list %v", missing)
	}
	checkDocument(t, "chip.md", doc.String())
}

// wrap writes a list item in lines of at most 118 bytes.
func wrap(doc *strings.Builder, text string) {
	line := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case line+1+len(word) > 118:
			doc.WriteString("\n  ")
			line = 2
		default:
			doc.WriteByte(' ')
			line++
		}
		doc.WriteString(word)
		line += len(word)
	}
	doc.WriteByte('\n')
}
