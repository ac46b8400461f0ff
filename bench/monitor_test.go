package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/monitor"
)

// shown counts the output of a monitor.
type shown int

func (s *shown) Line(l monitor.Line)    { *s += shown(len(l.Text) + 1) }
func (s *shown) Report(*monitor.Report) { *s++ }

// BenchmarkMonitor measures the processing of a board's output from the port to
// the displayed lines, with names, rules and colours as in the verb: defmt
// frames of a real program, plain text, text with a code address in every line,
// and noise (target: 50 MB/s). 256 MB of each are processed, and the heap must
// not grow by more than 16 MB.
//
//	go test ./bench -run '^$' -bench Monitor -benchtime 1x
func BenchmarkMonitor(b *testing.B) {
	elf, err := os.ReadFile(filepath.Join(devtest.Store(b), "firmware", "log.elf"))
	if err != nil {
		devtest.Missing(b, "firmware/log.elf (scripts/firmware)")
	}
	var text, addresses bytes.Buffer
	e, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
	check(b, err)
	code := e.ExecutableRanges()[0]
	for i := range 20_000 {
		fmt.Fprintf(&text, "INFO - [%d] sensor %d: temperature %d mC, humidity %d %%\r\n", i, i%7, 21000+i%500, i%100)
		fmt.Fprintf(&addresses, "DEBUG - task %d switched to 0x%08x, stack 0x3fc80b64\r\n", i, uint32(code.Start)+2*uint32(i%1000))
	}
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(i * 2654435761 >> 11)
	}
	for _, in := range []struct {
		name string
		b    []byte
	}{{"defmt", framesOf(b, elf)}, {"text", text.Bytes()}, {"addresses", addresses.Bytes()}, {"noise", noise}} {
		b.Run(in.name, func(b *testing.B) {
			const most = 256 << 20
			var out shown
			grown := uint64(0)
			var took time.Duration
			sent := 0
			for b.Loop() {
				e, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
				check(b, err)
				never, err := monitor.ParseRules([]string{"never", "/FA(T)AL/"})
				check(b, err)
				m := monitor.New(monitor.Options{Symbols: firmware.NewSymbols(e, nil), Fail: never, KeepGoing: true, KeepColor: true}, &out)
				begun := uint64(0)
				for n := 0; n < most; n += len(in.b) {
					start := time.Now()
					for p := in.b; len(p) > 0; {
						k := min(4096, len(p))
						m.Write(monitor.UART0, 0, p[:k])
						p = p[k:]
					}
					took += time.Since(start)
					sent += len(in.b)
					if n%(most/8) >= len(in.b) {
						continue
					}
					runtime.GC()
					var s runtime.MemStats
					runtime.ReadMemStats(&s)
					if begun == 0 {
						begun = s.HeapAlloc // the names have been looked up
					} else if s.HeapAlloc > begun {
						grown = max(grown, s.HeapAlloc-begun)
					}
				}
			}
			if grown > 16<<20 {
				b.Errorf("the heap grew by %d bytes", grown)
			}
			b.ReportMetric(float64(sent)/1e6/took.Seconds(), "MB/s")
			b.ReportMetric(float64(out)/1e6/took.Seconds(), "shown-MB/s")
			b.ReportMetric(float64(grown)/1e6, "grown-MB")
		})
	}
}

// framesOf boots a program on the emulated board and returns the defmt frames
// that it logs, without the boot messages and the crash.
func framesOf(b *testing.B, elf []byte) []byte {
	r := espressif(b)
	flash, err := image.FromELF(elf, image.Inputs{Bootloader: readAll(b, filepath.Join(r, "bootloaders", "esp32c3-bootloader.bin"))})
	check(b, err)
	var said []byte
	board, err := c3.New(emu.Config{
		ROM: readAll(b, filepath.Join(r, "roms", "esp32c3_rev300_rom.elf")), Flash: flash.Merged(),
		Output: func(o emu.Output) {
			if o.Stream == emu.UART0 {
				said = append(said, o.Data...)
			}
		},
	})
	check(b, err)
	board.Run(context.Background(), emu.Limit(2*time.Second))
	var frames []byte
	for {
		_, rest, ok := bytes.Cut(said, []byte{0xff, 0})
		end := bytes.IndexByte(rest, 0)
		if !ok || end < 0 {
			break
		}
		frames = append(append(append(frames, 0xff, 0), rest[:end]...), 0)
		said = rest[end+1:]
	}
	if len(frames) < 1000 {
		b.Fatalf("the program has logged %d bytes of frames", len(frames))
	}
	return bytes.Repeat(frames, 1+(1<<20)/len(frames))
}
