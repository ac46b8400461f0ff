package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/serial"
)

// resetter resets its board when that has said something for the first time.
type resetter struct {
	*emuport.Port
	when string
	said string
	done bool
}

func (r *resetter) Read(ctx context.Context, b []byte, timeout time.Duration) (int, error) {
	n, err := r.Port.Read(ctx, b, timeout)
	r.said += string(b[:n])
	if !r.done && strings.Contains(r.said, r.when) {
		r.done = true
		if err := loader.Run(ctx, r.Port); err != nil {
			return n, err
		}
	}
	return n, err
}

// TestMonitorUSB: a board in this process whose USB-Serial-JTAG leaves the bus
// when its chip is reset. It is waited for, and what it says afterwards is in the
// same log.
func TestMonitorUSB(t *testing.T) {
	env := testChipFiles(t)
	elf, err := os.ReadFile(testFirmware(t, "hello.elf"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) []byte {
		for _, v := range env {
			if path, ok := strings.CutPrefix(v, name+"="); ok {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
		}
		t.Fatalf("no %s", name)
		return nil
	}
	flash, err := image.FromELF(elf, image.Inputs{Bootloader: file("ESPALIER_BOOTLOADER")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := emuport.New(emu.Config{ROM: file("ESPALIER_ROM"), Flash: flash.Merged()}, emuport.Options{Stream: emu.USB, Disconnect: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	o, err := session.New(session.Options{Expect: []string{"blink 4:"}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	o.UI = ui.New(ui.Options{Stdout: &out, Stderr: &errs})
	back := 0
	board := session.NewSerial(&resetter{Port: p, when: "blink 2:"}, func(ctx context.Context, was serial.Info) (serial.Port, error) {
		back++
		if was.Kind != serial.USBJTAG {
			t.Errorf("%+v", was)
		}
		return p, p.Reconnect(ctx, time.Second)
	})
	err = o.Run(t.Context(), board, session.Symbols(elf, o.UI))
	if err != nil || back != 1 || strings.Count(out.String(), "Hello from an ESP32-C3!") != 2 {
		t.Errorf("%v, back %d times\n%s\n%s", err, back, out.String(), errs.String())
	}
	if !strings.Contains(errs.String(), "left the bus; waiting for it") || !strings.Contains(errs.String(), "is back") {
		t.Errorf("%s", errs.String())
	}
}
