package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/cli"
	"espalier.dev/espalier/internal/devtest"
)

// BenchmarkSymbolize runs the verb on a file of a million lines with a code
// address each, cycling through all addresses of a firmware, and compares the
// time from opening the ELF to the last byte of the output with that of
// addr2line for the same addresses (target 0.1).
//
//	go test ./bench -run '^$' -bench Symbolize -benchtime 1x
func BenchmarkSymbolize(b *testing.B) {
	elf := filepath.Join(devtest.Store(b), "firmware", "hello.elf")
	image, err := os.ReadFile(elf)
	if err != nil {
		devtest.Missing(b, "firmware/hello.elf in the test store")
	}
	addr2line := devtest.Tool(b, "riscv64-unknown-elf-addr2line")
	e, err := firmware.Open(bytes.NewReader(image), firmware.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const lines = 1_000_000
	var log, addrs bytes.Buffer
	for n := 0; n < lines; {
		for _, r := range e.ExecutableRanges() {
			for a := uint64(r.Start); a < r.End && n < lines; a += 2 {
				fmt.Fprintf(&log, "DEBUG - task switched to 0x%08x, stack 0x3fc80b64\r\n", a)
				fmt.Fprintf(&addrs, "0x%08x\n", a)
				n++
			}
		}
	}
	file := filepath.Join(b.TempDir(), "uart.log")
	if err := os.WriteFile(file, log.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ours, theirs := time.Hour, time.Hour
		for range 2 {
			var errs bytes.Buffer
			start := time.Now()
			if code := cli.Run(context.Background(), []string{"-C", b.TempDir(), "symbolize", "--elf", elf, file}, bytes.NewReader(nil), io.Discard, &errs, func(string) (string, bool) { return "", false }); code != 0 {
				b.Fatalf("exit %d: %s", code, errs.String())
			}
			ours = min(ours, time.Since(start))
			cmd := exec.Command(addr2line, "-afiC", "-e", elf)
			cmd.Stdin = bytes.NewReader(addrs.Bytes())
			start = time.Now()
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			theirs = min(theirs, time.Since(start))
		}
		b.ReportMetric(float64(ours)/float64(theirs), "x-addr2line")
		b.ReportMetric(ours.Seconds(), "s/million-lines")
		b.ReportMetric(float64(log.Len())/1e6/ours.Seconds(), "MB/s")
	}
}
