package emuport

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
)

func rom(t *testing.T) []byte {
	t.Helper()
	files := []string{filepath.Join(devtest.Peers(t), "espflash", "resources", "roms", "esp32c3_rev300_rom.elf")}
	if home, err := os.UserHomeDir(); err == nil {
		cached, _ := filepath.Glob(filepath.Join(home, ".cargo", "registry", "src", "*", "espflash-4.7.0", "resources", "roms", "esp32c3_rev300_rom.elf"))
		files = append(files, cached...)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			return b
		}
	}
	devtest.Missing(t, "the mask ROM in the resources of the espflash crate 4.7.0")
	return nil
}

// text reads what the board sends during d of guest time.
func text(t *testing.T, p *Port, d time.Duration) string {
	t.Helper()
	var out []byte
	buf := make([]byte, 256)
	for end := p.Now() + d; p.Now() < end; {
		n, err := p.Read(t.Context(), buf, end-p.Now())
		if err != nil {
			break
		}
		out = append(out, buf[:n]...)
	}
	return string(out)
}

// The modem lines act as on a development board.
func TestLines(t *testing.T) {
	type step struct {
		dtr, rts bool
		wait     time.Duration
	}
	const ms = time.Millisecond
	for _, tc := range []struct {
		name   string
		stream emu.Stream
		steps  []step
		boot   string // what the ROM prints then; "reset": nothing; "same": it continues
	}{
		{"in reset", emu.UART0, []step{{false, true, 0}}, "reset"},
		{"both lines reset nothing", emu.UART0, []step{{true, true, 0}}, "same"},
		{"run", emu.UART0, []step{{false, true, 100 * ms}, {false, false, 0}}, "boot:0xd (SPI_FAST_FLASH_BOOT)"},
		{"tight", emu.UART0, []step{{true, true, 0}, {false, true, 100 * ms}, {true, false, 50 * ms}, {false, false, 0}}, "waiting for download"},
		{"one after the other, within the rise of EN", emu.UART0, []step{{false, true, 100 * ms}, {true, true, ms}, {true, false, 50 * ms}}, "waiting for download"},
		{"one after the other, too late", emu.UART0, []step{{false, true, 100 * ms}, {true, true, 50 * ms}, {true, false, 50 * ms}}, "SPI_FAST_FLASH_BOOT"},
		{"USB into the loader", emu.USB, []step{{false, false, 0}, {true, false, 0}, {true, true, 0}, {false, true, 0}, {false, false, 0}}, "waiting for download"},
		{"USB through both released", emu.USB, []step{{true, false, 0}, {false, false, 0}, {false, true, 0}}, "SPI_FAST_FLASH_BOOT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := New(emu.Config{ROM: rom(t)}, Options{Stream: tc.stream})
			if err != nil {
				t.Fatal(err)
			}
			text(t, p, 5*ms) // the beginning of the first boot
			var said string
			for _, s := range tc.steps {
				if err := p.SetLines(t.Context(), s.dtr, s.rts); err != nil {
					t.Fatal(err)
				}
				said += text(t, p, s.wait)
			}
			last := text(t, p, 60*ms)
			said += last
			switch {
			case tc.boot == "reset" && strings.Contains(text(t, p, 60*ms), "invalid"):
				t.Error("the chip prints while in reset")
			case tc.boot == "same" && (strings.Contains(said, "ESP-ROM") || !strings.Contains(last, "invalid")):
				t.Errorf("the chip was reset: %q", said)
			case len(tc.boot) > 6 && !strings.Contains(said, tc.boot):
				t.Errorf("the chip prints %q, want %q", said, tc.boot)
			}
		})
	}
}

// Bytes take their time, and a receiver at another speed reads garbage.
func TestSpeed(t *testing.T) {
	p, err := New(emu.Config{ROM: rom(t)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if banner := text(t, p, 10*time.Millisecond); !strings.HasPrefix(banner, "ESP-ROM:esp32c3") {
		t.Errorf("banner %q", banner)
	}
	text(t, p, 100*time.Millisecond)
	// A ROM that finds nothing in flash prints without end.
	if n := len(text(t, p, 100*time.Millisecond)); n < 1000 || n > 1155 {
		t.Errorf("%d bytes in 100 ms at 115200 baud", n)
	}
	if err := p.SetBaud(t.Context(), 921600); err != nil {
		t.Fatal(err)
	}
	p.Do(func(b *emu.Board) { b.Reset(emu.StrapFlash) })
	if s := text(t, p, 20*time.Millisecond); strings.Contains(s, "ESP-ROM") {
		t.Errorf("read at the wrong speed: %q", s)
	}
}
