package bench

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/store"
)

// BenchmarkBoot measures the wall time from power-on of the emulated board to
// the first line of the hello template (target: 100 ms at most), including the
// construction of the board and the execution of mask ROM and second-stage
// bootloader. It reports the best of five.
//
//	go test ./bench -run '^$' -bench Boot -benchtime 1x
func BenchmarkBoot(b *testing.B) {
	devtest.Long(b, "needs a built firmware")
	ctx := context.Background()
	st, err := store.Open(ctx, devtest.Store(b))
	check(b, err)
	defer st.Close()
	files := chipfiles.Own()
	rom, err := files.ROM(ctx, st, chipfiles.EmulatedRevision)
	boot, bootErr := files.Bootloader(ctx, st, image.ModeKeep)
	if err != nil || bootErr != nil {
		devtest.Missing(b, "the chip's files in the store (scripts/firmware)")
	}
	elf, err := os.ReadFile(filepath.Join(devtest.Store(b), "firmware", "hello.elf"))
	if err != nil {
		devtest.Missing(b, "firmware/hello.elf (scripts/firmware)")
	}
	flash, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
	check(b, err)
	merged := flash.Merged()
	for b.Loop() {
		best := time.Hour
		var guest time.Duration
		for range 5 {
			start := time.Now()
			board, err := c3.New(emu.Config{ROM: rom, Flash: merged})
			check(b, err)
			res := board.Run(ctx, emu.UntilText("Hello from"), emu.Limit(time.Second))
			if res.Reason != emu.StopText {
				b.Fatalf("stopped with %v", res.Reason)
			}
			best, guest = min(best, time.Since(start)), res.Now
		}
		b.ReportMetric(best.Seconds()*1e3, "ms")
		b.ReportMetric(guest.Seconds()*1e3, "guest-ms")
		b.ReportMetric(0, "ns/op")
	}
}
