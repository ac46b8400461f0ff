package testbed_test

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/testbed"
)

// BenchmarkSnapshot measures saving and restoring a board that is connected to
// Wi-Fi.
func BenchmarkSnapshot(b *testing.B) {
	rom, flash := files(b, "http-client")
	bed, err := testbed.New(testbed.Config{Board: emu.Config{ROM: rom, Flash: flash}})
	if err != nil {
		b.Fatal(err)
	}
	defer bed.Close()
	if res := bed.Board.Run(b.Context(), emu.UntilText("got ip"), emu.Limit(10*time.Second)); res.Reason != emu.StopText {
		b.Fatal(res.Reason)
	}
	var saved []byte
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			saved = bed.Board.Snapshot()
		}
		b.ReportMetric(float64(len(saved))/1e6, "MB")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if err := bed.Board.Restore(saved); err != nil {
				b.Fatal(err)
			}
		}
	})
}
