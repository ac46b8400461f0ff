package c3

import (
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/rv32"
)

// An esp-hal program runs strictly and gives the same run on both engines, and
// its pin is observed.
func TestEspHalHello(t *testing.T) {
	flash := firmware(t, "hello.elf")
	var traces []uint64
	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		var edges []emu.PinChange
		b, con := boot(t, emu.Config{Flash: flash, Strict: true, Engine: engine, Pin: func(p emu.PinChange) {
			if p.Pin == 8 {
				edges = append(edges, p)
			}
		}})
		res := b.Run(t.Context(), emu.Limit(5*time.Second))
		if res.Reason != emu.StopLimit {
			t.Fatalf("stopped with %v, %v\n%s", res.Reason, res.Err, con.text(emu.UART0))
		}
		inOrder(t, con.text(emu.UART0), "ESP-ROM:", "2nd stage bootloader", "Hello from an ESP32-C3!", "blink 1", "blink 9")
		if con.text(emu.USB) != "" {
			t.Error("USB carries something without a host")
		}
		if len(edges) < 9 {
			t.Fatalf("%d changes of GPIO8", len(edges))
		}
		for i := 3; i < len(edges); i++ {
			if d := edges[i].At.Sub(edges[i-1].At); d < 499*emu.Millisecond || d > 501*emu.Millisecond {
				t.Errorf("GPIO8 changed after %v", d)
			}
		}
		traces = append(traces, res.Trace)
	}
	if traces[0] != traces[1] {
		t.Errorf("traces differ: %x", traces)
	}
}

// With a host on USB the same program writes to USB only.
func TestEspHalHelloOnUSB(t *testing.T) {
	b, con := boot(t, emu.Config{Flash: firmware(t, "hello.elf"), USBHost: true})
	res := b.Run(t.Context(), emu.UntilText("blink 3", emu.USB), emu.Limit(5*time.Second))
	if res.Reason != emu.StopText {
		t.Fatalf("stopped with %v\n%s", res.Reason, con.text(emu.USB))
	}
	inOrder(t, con.text(emu.USB), "ESP-ROM:", "2nd stage bootloader", "Hello from an ESP32-C3!")
	if strings.Contains(con.text(emu.UART0), "Hello") {
		t.Error("the program wrote to UART0 too")
	}
}

// A stack overflow triggers esp-hal's stack guard, a debug trigger, and the
// panic names it.
func TestStackGuardFires(t *testing.T) {
	var consoles []string
	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		b, con := boot(t, emu.Config{Flash: firmware(t, "overflow.elf"), Engine: engine})
		b.Run(t.Context(), emu.UntilText("called by"), emu.Limit(2*time.Second))
		inOrder(t, con.text(emu.UART0), "recursing", "Detected a write to the main stack's guard value")
		consoles = append(consoles, con.text(emu.UART0))
	}
	if consoles[0] != consoles[1] {
		t.Error("the engines differ")
	}
}
