package monitor

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
)

// BenchmarkLogLines is a million lines with a code address each, all different
// within a firmware, against addr2line fed the same addresses.
func BenchmarkLogLines(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(devtest.Store(b), "firmware", "*.elf"))
	if len(files) == 0 {
		devtest.Missing(b, "a firmware in the test store (firmware/hello.elf)")
	}
	elf, err := os.ReadFile(files[0])
	if err != nil {
		b.Fatal(err)
	}
	open := func() *firmware.ELF {
		e, err := firmware.Open(bytes.NewReader(elf), firmware.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	var log, addrs bytes.Buffer
	for n := 0; n < 1_000_000; {
		for _, r := range open().ExecutableRanges() {
			for a := uint64(r.Start); a < r.End && n < 1_000_000; a += 2 {
				fmt.Fprintf(&log, "DEBUG - task switched to 0x%08x, stack 0x3fc80b64\r\n", a)
				fmt.Fprintf(&addrs, "0x%08x\n", a)
				n++
			}
		}
	}
	cmd := exec.Command(devtest.Tool(b, "riscv64-unknown-elf-addr2line"), "-afiC", "-e", files[0])
	cmd.Stdin = &addrs
	start := time.Now()
	if _, err := cmd.Output(); err != nil {
		b.Fatal(err)
	}
	theirs := time.Since(start)
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		m := New(Options{Symbols: firmware.NewSymbols(open(), nil)}, &nowhere{})
		for p := log.Bytes(); len(p) > 0; {
			n := min(4096, len(p))
			m.Write(UART0, 0, p[:n])
			p = p[n:]
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(theirs), "x-addr2line")
}

type nowhere struct{ n int }

func (d *nowhere) Line(Line)      { d.n++ }
func (d *nowhere) Report(*Report) {}

// BenchmarkText is the throughput on plain text with rules and names.
func BenchmarkText(b *testing.B) {
	var in bytes.Buffer
	for i := range 20000 {
		fmt.Fprintf(&in, "INFO - [%d] sensor %d: temperature %d mC, humidity %d %%\r\n", i, i%7, 21000+i%500, i%100)
	}
	benchmark(b, in.Bytes())
}

// BenchmarkAddresses is the same with a code address in every line.
func BenchmarkAddresses(b *testing.B) {
	var in bytes.Buffer
	for i := range 20000 {
		fmt.Fprintf(&in, "DEBUG - task %d switched to 0x%08x, stack 0x3fc80b64\r\n", i, 0x42010040+i%64)
	}
	benchmark(b, in.Bytes())
}

// BenchmarkNoise is binary noise.
func BenchmarkNoise(b *testing.B) {
	in := make([]byte, 1<<20)
	for i := range in {
		in[i] = byte(i * 2654435761 >> 11)
	}
	benchmark(b, in)
}

func benchmark(b *testing.B, in []byte) {
	syms := testSymbols(b)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		m := New(Options{Symbols: syms, Expect: rules(b, "never"), Fail: rules(b, "ERROR")}, &nowhere{})
		for p := in; len(p) > 0; {
			n := min(4096, len(p))
			m.Write(UART0, 0, p[:n])
			p = p[n:]
		}
	}
}
