package c3

import (
	"fmt"
	"slices"
	"strconv"
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
	doc.WriteString(bluetoothText)
	hardwareTests(t, &doc)
	checkDocument(t, "chip.md", doc.String())
}

// bluetoothText says what a model of Bluetooth LE would need. The registers are those
// that code of the mask ROM of revision 0.3 addresses, by its symbols.
const bluetoothText = `
## Bluetooth LE

The five hardware tests that fail use Bluetooth LE. The controller is firmware: its link layer is in the mask ROM (731
functions, 225 KB of code) and in the library of esp-radio, so that commands, connections and encryption need no model.
What is missing is the hardware below it. The ROM addresses 55 registers of BT at 60031000 and 12 of the baseband at
60011000: control and interrupts (60031000 to 60031018, 6003138c), the clock of slots and half microseconds (6003101c
and 60031020), three timers (600310e4, 600310e8, 600310ec), an AES engine (600310b0), sleep and wake-up (60031040), the
map of the exchange memory (600312c4 to 60031300), and the queue of events (60031100). The exchange memory has
undocumented structures: control blocks of links, descriptors of packets to send and received, lists of addresses. A
model has to execute an event at its time as they say (channel, access address, CRC, advertising, scanning, anchor
points of a connection), and the radio environment needs packets of Bluetooth LE and a peer. Starting the controller
ends the run until then, since firmware would wait for it without an end.
`

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

// hardwareTests writes what esp-hal's hardware tests show, from the table that
// internal/devtest/hil makes of a run.
func hardwareTests(t *testing.T, doc *strings.Builder) {
	t.Helper()
	const programColumns, blockColumns = 9, 4
	var programs, blocks [][]string
	total := make([]int, programColumns)
	for line := range strings.Lines(string(readFile(t, "testdata", "hil.txt"))) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		switch {
		case fields[0] == "program" && len(fields) == programColumns:
			programs = append(programs, fields[1:])
			for i, f := range fields[2:] {
				n, err := strconv.Atoi(f)
				if err != nil {
					t.Fatal(err)
				}
				total[2+i] += n
			}
		case fields[0] == "block" && len(fields) == blockColumns:
			blocks = append(blocks, fields[1:])
		case !strings.HasPrefix(line, "#"):
			t.Fatalf("testdata/hil.txt: %q", line)
		}
	}
	fmt.Fprintf(doc, "\n## Hardware tests, and what they show\n\n"+
		"esp-hal's hardware tests for this chip (commit 5711821), run by `internal/devtest/hil -worlds`. Each test that passes\n"+
		"runs again in worlds in which it should fail if it depends on what is missing there: *null*: every block is plain memory\n"+
		"after booting; *devices*: every block but those without which no program starts (interrupt matrix, SYSTEM, SYSTIMER,\n"+
		"TIMG0, RTC_CNTL, EFUSE, EXTMEM); *jumper*, *sensor*: without the wire between GPIO2 and GPIO3, without the BMP180;\n"+
		"*watchdog*: feeding a watchdog has no effect. The figures are the tests that then fail, or take more than ten times as\n"+
		"long. **%d of %d pass; %d of these fail on the null machine, %d without devices.** Those that pass without devices\n"+
		"test the CPU, timers, the scheduler, or what drivers do without their block.\n\n"+
		"| program | tests | pass | null | devices | jumper | sensor | watchdog |\n|---|---|---|---|---|---|---|---|\n", total[3], total[2], total[4], total[5])
	for _, f := range programs {
		fmt.Fprintf(doc, "| %s |\n", strings.Join(f, " | "))
	}
	doc.WriteString("| all")
	for _, n := range total[2:] {
		fmt.Fprintf(doc, " | %d", n)
	}
	doc.WriteString(" |\n\nOf the tests that use a block after booting, so many fail when that block alone is plain memory. Every program uses\n" +
		"TIMG0, SYSTEM and others in its start.\n\n| block | tests that use it | fail without it |\n|---|---|---|\n")
	for _, f := range blocks {
		fmt.Fprintf(doc, "| %s |\n", strings.Join(f, " | "))
	}
}
