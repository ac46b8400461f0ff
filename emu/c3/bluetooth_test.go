package c3

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/rv32"
)

// Reading the controller's registers has no effect; a write starts it and ends
// the run, also on a strict board.
func TestBluetoothEndsTheRun(t *testing.T) {
	var at uint32
	program := func(a *asm) {
		a.li(t0, 0x60031000)
		a.lw(a0, t0, 0x1c)
		a.print("read")
		a.li(t0, 0x60031000)
		at = a.pc()
		a.sw(a0, t0, 0x204)
		a.print("never")
		a.halt()
	}
	b := guest(t, emu.Config{}, program)
	res := b.Run(t.Context(), emu.UntilText("never"), emu.Limit(time.Second))
	var absent *emu.AbsentError
	if res.Reason != emu.StopAbsent || !errors.As(res.Err, &absent) {
		t.Fatalf("stopped with %v, %v", res.Reason, res.Err)
	}
	if a := absent.Access; absent.Device != "Bluetooth LE controller" || a.Addr != 0x60031204 || a.PC != at || a.Writes != 1 {
		t.Errorf("stopped by %v, want pc 0x%08x", absent, at)
	}
	if !slices.ContainsFunc(res.Unmodelled, func(a emu.Access) bool { return a.Addr == 0x6003101c && a.Block == "BT" }) {
		t.Errorf("the read is not listed: %v", res.Unmodelled)
	}

	b = guest(t, emu.Config{Strict: true}, func(a *asm) {
		a.poke(0x60031000, 1)
		a.halt()
	})
	if res := b.Run(t.Context(), emu.Limit(time.Second)); res.Reason != emu.StopAbsent {
		t.Errorf("a strict board stopped with %v, %v", res.Reason, res.Err)
	}
}

// Real firmware that advertises over Bluetooth LE: its driver would wait in the
// ROM for a clock that never starts. The run ends at its first write.
func TestBluetoothFirmware(t *testing.T) {
	flash := firmware(t, "ble.elf")
	var traces []uint64
	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		b, con := boot(t, emu.Config{Flash: flash, Engine: engine})
		res := b.Run(t.Context(), emu.UntilText("advertising"), emu.Limit(5*time.Second))
		if res.Reason != emu.StopAbsent {
			t.Fatalf("stopped with %v, %v:\n%s", res.Reason, res.Err, con.text(emu.UART0))
		}
		inOrder(t, con.text(emu.UART0), "2nd stage bootloader", "starting Bluetooth LE")
		if !strings.HasPrefix(res.Err.Error(), "the Bluetooth LE controller is not modelled: the firmware starts it with a write to 0x6003") {
			t.Errorf("%v", res.Err)
		}
		traces = append(traces, res.Trace)
	}
	if traces[0] != traces[1] {
		t.Errorf("traces differ: %x", traces)
	}
}

// The radios share parts of their PHY: Wi-Fi firmware must not be taken for
// Bluetooth firmware, even if both drivers are linked and only Wi-Fi is
// started. The tests of emu/radio and emu/lan cover the rest.
func TestWiFiIsNotBluetooth(t *testing.T) {
	devtest.Long(t, "boots six firmwares")
	for _, name := range []string{"http-client.elf", "http-client-embassy.elf", "wifi-old.elf", "open/wifi-old.elf", "sleepy/wifi-old.elf", "https-client.elf"} {
		t.Run(strings.TrimSuffix(name, path.Ext(name)), func(t *testing.T) {
			b, con := boot(t, emu.Config{Flash: firmware(t, name)})
			res := b.Run(t.Context(), emu.Limit(2*time.Second))
			if res.Reason != emu.StopLimit {
				t.Fatalf("stopped with %v, %v:\n%s", res.Reason, res.Err, con.text(emu.UART0))
			}
			for _, a := range res.Unmodelled {
				if a.Block == "BT" {
					t.Errorf("%v", a)
				}
			}
		})
	}
}
