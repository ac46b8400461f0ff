package bench

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/serial"
)

// flashBenchBaud is the speed of everybody's UART.
const flashBenchBaud = "460800"

// meter counts what goes over a chip's wire, and how long in guest time.
type meter struct {
	*emuport.Port
	mu          sync.Mutex
	first, last time.Duration
	bytes       int
}

func (m *meter) note(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = m.Now()
	if m.bytes == 0 {
		m.first = m.last
	}
	m.bytes += n
}

func (m *meter) Write(ctx context.Context, p []byte) error {
	m.note(len(p))
	return m.Port.Write(ctx, p)
}

func (m *meter) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	n, err := m.Port.Read(ctx, p, timeout)
	m.mu.Lock()
	begun := m.bytes > 0 // the ROM's banner is nobody's traffic
	m.mu.Unlock()
	if n > 0 && begun {
		m.note(n)
	}
	return n, err
}

// wire is what one flasher needed.
type wire struct {
	bytes int
	time  time.Duration
}

// BenchmarkFlash writes a firmware to an emulated chip in download mode behind
// a pseudo-terminal at 460800 baud: the whole, after a one-line edit, and once
// more with nothing changed; with espalier, espflash and esptool, with the stub
// and without. It reports guest time from the first byte to the last as a ratio
// to the better peer (target 1.0), bytes on the wire after the edit as a ratio
// to espflash (target 0.15), and what deciding "nothing to do" takes (targets
// 1 s and 2 KB). BENCH_ELF names another firmware than the sample Wi-Fi
// client.
//
//	go test ./bench -run '^$' -bench Flash -benchtime 1x
func BenchmarkFlash(b *testing.B) {
	devtest.Long(b, "flashes in real time")
	r := espressif(b)
	elf := benchELF(b)
	edited := elf
	for _, line := range []string{"Hello from", "HTTP/1.0", "HTTP/1.1", "connect"} {
		if bytes.Equal(edited, elf) {
			edited = bytes.Replace(elf, []byte(line), bytes.ToUpper([]byte(line[:3]+"x"+line[4:])), 1)
		}
	}
	if bytes.Equal(edited, elf) {
		b.Skip("the firmware has no line to edit")
	}
	boot := readAll(b, filepath.Join(r, "bootloaders", "esp32c3-bootloader.bin"))
	stub, err := loader.ParseStub(readAll(b, filepath.Join(r, "stubs", "esp32c3.toml")))
	if err != nil {
		b.Fatal(err)
	}
	chip := func(flash []byte) (*meter, string, func()) {
		p, err := emuport.New(emu.Config{ROM: readAll(b, filepath.Join(r, "roms", "esp32c3_rev300_rom.elf")), Flash: flash, Strap: emu.StrapDownload},
			emuport.Options{Pace: 1, NoLines: true})
		if err != nil {
			b.Fatal(err)
		}
		pty, err := serial.OpenPTY("")
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		m := &meter{Port: p}
		var all sync.WaitGroup
		all.Go(func() { _ = serial.ServePTY(ctx, pty, m) })
		return m, pty.Path(), func() { cancel(); all.Wait(); pty.Close() }
	}
	full := func(elf []byte) *image.Flash {
		f, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	dir := b.TempDir()
	save := func(name string, p []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, p, 0o666); err != nil {
			b.Fatal(err)
		}
		return path
	}
	before, after := full(elf), full(edited)
	files := map[*image.Flash]string{before: save("before.elf", elf), after: save("after.elf", edited)}

	ours := func(useStub bool) func(string, *image.Flash) {
		return func(port string, f *image.Flash) {
			p, err := serial.Open(b.Context(), port, serial.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			o := loader.Options{Before: loader.NoReset, Baud: 460800}
			if useStub {
				o.Stub = stub
			}
			l, err := loader.Connect(b.Context(), p, o)
			if err != nil {
				b.Fatal(err)
			}
			var parts []loader.Part
			for _, q := range f.Parts {
				parts = append(parts, loader.Part{Name: q.Name, Offset: q.Offset, Bytes: q.Bytes})
			}
			if _, err := l.Write(b.Context(), parts, loader.WriteOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	espflash := func(extra ...string) func(string, *image.Flash) {
		tool := devtest.Tool(b, "espflash")
		return func(port string, f *image.Flash) {
			args := append([]string{"flash", "--port", "/dev/full", "--before", "no-reset", "--after", "no-reset", "--non-interactive", "--chip", "esp32c3", "--baud", flashBenchBaud, files[f]}, extra...)
			const script = "set -e; mount -t tmpfs none /sys/class/tty; mkdir -p /sys/class/tty/pnp /sys/class/tty/full/device; ln -s ../../pnp /sys/class/tty/full/device/subsystem; mount --bind \"$0\" /dev/full; exec \"$@\""
			out, err := exec.Command("unshare", append([]string{"--mount", "--user", "--map-root-user", "env", "ESPFLASH_SKIP_UPDATE_CHECK=true", "bash", "-c", script, port, tool}, args...)...).CombinedOutput()
			if err != nil && !bytes.Contains(out, []byte("FlashEnd")) {
				b.Fatalf("espflash: %v\n%s", err, out)
			}
		}
	}
	esptool := func(extra ...string) func(string, *image.Flash) {
		tool := devtest.Tool(b, "esptool")
		return func(port string, f *image.Flash) {
			args := append([]string{"--chip", "esp32c3", "--port", port, "--before", "no-reset", "--after", "no-reset", "--baud", flashBenchBaud}, extra...)
			args = append(args, "write-flash", "0x0", save("boot", f.Parts[0].Bytes), "0x8000", save("table", f.Parts[1].Bytes), "0x10000", save("app", f.App()))
			if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
				b.Fatalf("esptool: %v\n%s", err, out)
			}
		}
	}
	// measure flashes f into a chip that holds flash.
	measure := func(flash []byte, f *image.Flash, with func(string, *image.Flash)) wire {
		m, port, stop := chip(flash)
		with(port, f)
		stop()
		m.Do(func(board *emu.Board) {
			if have := board.Flash(); !bytes.Equal(have[f.Partition.Offset:][:len(f.App())], f.App()) {
				b.Fatal("the flash holds something else")
			}
		})
		return wire{m.bytes, m.last - m.first}
	}
	for b.Loop() {
		for _, mode := range []struct {
			name              string
			ours, flash, tool func(string, *image.Flash)
		}{
			{"rom", ours(false), espflash("--no-stub"), esptool("--no-stub")},
			{"stub", ours(true), espflash(), esptool()},
		} {
			o, f, e := measure(nil, before, mode.ours), measure(nil, before, mode.flash), measure(nil, before, mode.tool)
			b.Logf("full flash, %s: espalier %d bytes in %v, espflash %d in %v, esptool %d in %v", mode.name, o.bytes, o.time, f.bytes, f.time, e.bytes, e.time)
			b.ReportMetric(o.time.Seconds()/min(f.time, e.time).Seconds(), "full-"+mode.name+"/peer")
			o, f = measure(before.Merged(), after, mode.ours), measure(before.Merged(), after, mode.flash)
			b.Logf("one-line edit, %s: espalier %d bytes in %v, espflash %d in %v", mode.name, o.bytes, o.time, f.bytes, f.time)
			b.ReportMetric(float64(o.bytes)/float64(f.bytes), "edit-"+mode.name+"/espflash")
		}
		same := measure(before.Merged(), before, ours(true))
		b.ReportMetric(same.time.Seconds(), "same-s")
		b.ReportMetric(float64(same.bytes), "same-B")
	}
}

// benchELF is the firmware that is flashed.
func benchELF(b *testing.B) []byte {
	path := os.Getenv("BENCH_ELF")
	if path == "" {
		path = filepath.Join(devtest.Store(b), "firmware", "http-client.elf")
	}
	p, err := os.ReadFile(path)
	if err != nil {
		devtest.Missing(b, "a firmware: $BENCH_ELF, or scripts/firmware")
	}
	return p
}

func readAll(b *testing.B, path string) []byte {
	p, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// espressif is the folder of the espflash crate with mask ROM, bootloader and
// stub.
func espressif(b *testing.B) string {
	candidates := []string{filepath.Join(devtest.Peers(b), "espflash", "resources")}
	if home, err := os.UserHomeDir(); err == nil {
		cached, _ := filepath.Glob(filepath.Join(home, ".cargo", "registry", "src", "*", "espflash-4.7.0", "resources"))
		candidates = append(candidates, cached...)
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "stubs")); err == nil {
			return dir
		}
	}
	devtest.Missing(b, "the resources of the espflash crate 4.7.0")
	return ""
}
