package loader

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/serial"
)

// resources is the directory of the espflash crate with Espressif's mask ROM,
// bootloader and stub.
func resources(t testing.TB) string {
	t.Helper()
	var candidates []string
	if peers := os.Getenv("ESPALIER_PEERS"); peers != "" {
		candidates = append(candidates, filepath.Join(peers, "espflash", "resources"))
	}
	home := os.Getenv("CARGO_HOME")
	if home == "" {
		if user, err := os.UserHomeDir(); err == nil {
			home = filepath.Join(user, ".cargo")
		}
	}
	cached, _ := filepath.Glob(filepath.Join(home, "registry", "src", "*", "espflash-4.7.0", "resources"))
	for _, dir := range append(candidates, cached...) {
		if st, err := os.Stat(filepath.Join(dir, "stubs")); err == nil && st.IsDir() {
			return dir
		}
	}
	devtest.Missing(t, "the resources of the espflash crate 4.7.0")
	return ""
}

func resource(t testing.TB, name ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{resources(t)}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func stub(t testing.TB) *Stub {
	t.Helper()
	s, err := ParseStub(resource(t, "stubs", "esp32c3.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// board powers an emulated chip with the real mask ROM.
func board(t testing.TB, cfg emu.Config, o emuport.Options) *emuport.Port {
	t.Helper()
	if cfg.ROM == nil {
		cfg.ROM = resource(t, "roms", "esp32c3_rev300_rom.elf")
	}
	p, err := emuport.New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// firmware is a flash image with the real bootloader.
func firmware(t testing.TB, elf []byte) *image.Flash {
	t.Helper()
	f, err := image.FromELF(elf, image.Inputs{Bootloader: resource(t, "bootloaders", "esp32c3-bootloader.bin")})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func parts(f *image.Flash) []Part {
	var out []Part
	for _, p := range f.Parts {
		out = append(out, Part{Name: p.Name, Offset: p.Offset, Bytes: p.Bytes})
	}
	return out
}

func hello(t testing.TB) *image.Flash { return firmware(t, elftest.Hello().Bytes()) }

// boots runs the chip of a port until its bootloader has loaded an app.
func boots(t testing.TB, p *emuport.Port) {
	t.Helper()
	var text bytes.Buffer
	buf := make([]byte, 4096)
	for end := p.Now() + 3*time.Second; p.Now() < end; {
		n, err := p.Read(t.Context(), buf, time.Second)
		if err != nil {
			break
		}
		text.Write(buf[:n])
		if bytes.Contains(text.Bytes(), []byte("Loaded app from partition")) {
			return
		}
	}
	t.Errorf("the chip does not boot:\n%s", text.Bytes())
}

func connect(t testing.TB, p serial.Port, o Options) *Loader {
	t.Helper()
	if testing.Verbose() && o.Event == nil {
		o.Event = func(s string) { t.Logf("%8s %s", p.Now().Round(time.Millisecond), s) }
	}
	l, err := Connect(t.Context(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func contents(p *emuport.Port) (b []byte) {
	p.Do(func(board *emu.Board) { b = board.Flash() })
	return b
}

func TestWriteAndBoot(t *testing.T) {
	img := hello(t)
	for _, tc := range []struct {
		name string
		port emuport.Options
		boot emu.Strap
		o    Options
	}{
		{"ROM over UART", emuport.Options{}, emu.StrapFlash, Options{}},
		{"ROM over UART, 921600", emuport.Options{}, emu.StrapFlash, Options{Baud: 921600}},
		{"ROM over USB", emuport.Options{Stream: emu.USB}, emu.StrapFlash, Options{}},
		{"ROM over USB that leaves at a reset", emuport.Options{Stream: emu.USB, Disconnect: 700 * time.Millisecond}, emu.StrapFlash, Options{}},
		{"ROM without lines", emuport.Options{NoLines: true}, emu.StrapDownload, Options{}},
		{"stub over UART, 921600", emuport.Options{}, emu.StrapFlash, Options{Baud: 921600, Stub: stub(t)}},
		{"stub over USB", emuport.Options{Stream: emu.USB}, emu.StrapFlash, Options{Stub: stub(t)}},
		{"stub without lines", emuport.Options{NoLines: true}, emu.StrapDownload, Options{Stub: stub(t)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said bytes.Buffer // including output while the port is disconnected
			p := board(t, emu.Config{Strap: tc.boot, Output: func(o emu.Output) { said.Write(o.Data) }}, tc.port)
			back := 0
			wire := serial.Reconnect(p, func(ctx context.Context, was serial.Info) (serial.Port, error) {
				if was.Kind != serial.USBJTAG {
					t.Errorf("%+v has gone", was)
				}
				back++
				return p, p.Reconnect(ctx, time.Second)
			})
			l := connect(t, wire, tc.o)
			if tc.o.Stub != nil {
				if err := l.persist(t.Context(), func() error { return l.startStub(t.Context()) }); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := l.Write(t.Context(), parts(img), WriteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(contents(p)[:len(img.Trimmed())], img.Trimmed()) {
				t.Error("the flash holds something else")
			}
			t.Logf("%d bytes in %v guest time, %d sent, %d received", sum.Bytes, sum.Elapsed, sum.Sent, sum.Received)
			if err := l.Leave(context.Background(), HardReset); err != nil {
				t.Fatal(err)
			}
			if tc.port.Disconnect == 0 {
				boots(t, p)
			} else if err := wire.Wait(t.Context(), 500*time.Millisecond); err != nil || !bytes.Contains(said.Bytes(), []byte("Loaded app from partition")) {
				t.Errorf("the chip does not boot: %v\n%s", err, said.Bytes())
			}
			if (back > 0) != (tc.port.Disconnect > 0) {
				t.Errorf("the port came back %d times", back)
			}
			if tc.port.NoLines {
				return // nothing brings it into the loader again
			}
			l = connect(t, wire, tc.o)
			at := p.Now()
			sum, err = l.Write(t.Context(), parts(img), WriteOptions{})
			if err != nil || sum.Bytes != 0 {
				t.Errorf("second write: %d bytes, %v", sum.Bytes, err)
			}
			t.Logf("again: %v guest time, %d sent, %d received", p.Now()-at, sum.Sent, sum.Received)
		})
	}
}
