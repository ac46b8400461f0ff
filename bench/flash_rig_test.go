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

// flashBenchBaud is the speed of the UART with every flasher.
const flashBenchBaud = "460800"

// meter counts the bytes on a chip's wire and their duration in guest time.
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
	begun := m.bytes > 0 // the ROM's banner does not count
	m.mu.Unlock()
	if n > 0 && begun {
		m.note(n)
	}
	return n, err
}

// wire is the traffic of one flasher.
type wire struct {
	bytes int
	time  time.Duration
}

// flashers has what is needed to run different flashers on equal chips.
type flashers struct {
	b         *testing.B
	rom, boot []byte
	stub      *loader.Stub
	dir       string
	files     map[*image.Flash]string // the ELF file of each image
}

// flasher writes an image to the chip at a port.
type flasher func(port string, f *image.Flash)

func newFlashers(b *testing.B) *flashers {
	r := espressif(b)
	stub, err := loader.ParseStub(readAll(b, filepath.Join(r, "stubs", "esp32c3.toml")))
	if err != nil {
		b.Fatal(err)
	}
	return &flashers{
		b:    b,
		rom:  readAll(b, filepath.Join(r, "roms", "esp32c3_rev300_rom.elf")),
		boot: readAll(b, filepath.Join(r, "bootloaders", "esp32c3-bootloader.bin")),
		stub: stub, dir: b.TempDir(), files: map[*image.Flash]string{},
	}
}

// save writes a file for a peer.
func (r *flashers) save(name string, p []byte) string {
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, p, 0o666); err != nil {
		r.b.Fatal(err)
	}
	return path
}

// image makes the flash image of an ELF.
func (r *flashers) image(name string, elf []byte) *image.Flash {
	f, err := image.FromELF(elf, image.Inputs{Bootloader: r.boot})
	if err != nil {
		r.b.Fatal(err)
	}
	r.files[f] = r.save(name+".elf", elf)
	return f
}

// chip is an emulated chip in download mode at a pseudo-terminal, in real time.
func (r *flashers) chip(flash []byte) (m *meter, port string, stop func()) {
	p, err := emuport.New(emu.Config{ROM: r.rom, Flash: flash, Strap: emu.StrapDownload}, emuport.Options{Pace: 1, NoLines: true})
	if err != nil {
		r.b.Fatal(err)
	}
	pty, err := serial.OpenPTY("")
	if err != nil {
		r.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.b.Context())
	m = &meter{Port: p}
	var all sync.WaitGroup
	all.Go(func() { _ = serial.ServePTY(ctx, pty, m) })
	return m, pty.Path(), func() { cancel(); all.Wait(); pty.Close() }
}

func partsOf(f *image.Flash) []loader.Part {
	var parts []loader.Part
	for _, q := range f.Parts {
		parts = append(parts, loader.Part{Name: q.Name, Offset: q.Offset, Bytes: q.Bytes})
	}
	return parts
}

// espalier is the flasher of this project, with known as its cached copy of the
// flash, which may be nil.
func (r *flashers) espalier(useStub bool, known *image.Flash) flasher {
	return func(port string, f *image.Flash) {
		b := r.b
		p, err := serial.Open(b.Context(), port, serial.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		o := loader.Options{Before: loader.NoReset, Baud: 460800}
		if useStub {
			o.Stub = r.stub
		}
		l, err := loader.Connect(b.Context(), p, o)
		if err != nil {
			b.Fatal(err)
		}
		w := loader.WriteOptions{NoPatch: !useStub} // as with --no-stub
		if known != nil {
			w.Known = func(loader.Identity) []loader.Part { return partsOf(known) }
		}
		if _, err := l.Write(b.Context(), partsOf(f), w); err != nil {
			b.Fatal(err)
		}
	}
}

// espflash only accepts ports that the system lists, so it runs in a mount
// namespace with such a port.
func (r *flashers) espflash(extra ...string) flasher {
	tool := devtest.Tool(r.b, "espflash")
	return func(port string, f *image.Flash) {
		args := append([]string{"flash", "--port", "/dev/full", "--before", "no-reset", "--after", "no-reset", "--non-interactive", "--chip", "esp32c3", "--baud", flashBenchBaud, r.files[f]}, extra...)
		const script = "set -e; mount -t tmpfs none /sys/class/tty; mkdir -p /sys/class/tty/pnp /sys/class/tty/full/device; ln -s ../../pnp /sys/class/tty/full/device/subsystem; mount --bind \"$0\" /dev/full; exec \"$@\""
		out, err := exec.Command("unshare", append([]string{"--mount", "--user", "--map-root-user", "env", "ESPFLASH_SKIP_UPDATE_CHECK=true", "bash", "-c", script, port, tool}, args...)...).CombinedOutput()
		if err != nil && !bytes.Contains(out, []byte("FlashEnd")) {
			r.b.Fatalf("espflash: %v\n%s", err, out)
		}
	}
}

func (r *flashers) esptool(extra ...string) flasher {
	tool := devtest.Tool(r.b, "esptool")
	return func(port string, f *image.Flash) {
		args := append([]string{"--chip", "esp32c3", "--port", port, "--before", "no-reset", "--after", "no-reset", "--baud", flashBenchBaud}, extra...)
		args = append(args, "write-flash", "0x0", r.save("boot", f.Parts[0].Bytes), "0x8000", r.save("table", f.Parts[1].Bytes), "0x10000", r.save("app", f.App()))
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			r.b.Fatalf("esptool: %v\n%s", err, out)
		}
	}
}

// measure flashes f to a chip with the given content.
func (r *flashers) measure(flash []byte, f *image.Flash, with flasher) wire {
	m, port, stop := r.chip(flash)
	with(port, f)
	stop()
	m.Do(func(board *emu.Board) {
		if have := board.Flash(); !bytes.Equal(have[f.Partition.Offset:][:len(f.App())], f.App()) {
			r.b.Fatal("the flash holds something else")
		}
	})
	return wire{m.bytes, m.last - m.first}
}

// benchELF is the firmware to flash.
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

// espressif is the directory of the espflash crate with mask ROM, bootloader
// and stub.
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
