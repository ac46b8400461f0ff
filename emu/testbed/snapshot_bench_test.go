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
	saved := bed.Board.Snapshot()
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			saved = bed.Board.Snapshot()
		}
		b.ReportMetric(float64(saved.SharedBytes(saved))/1e6, "MB-shared")
		b.ReportMetric(float64(len(saved.Bytes())-saved.SharedBytes(saved))/1e6, "MB-copied")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if err := bed.Board.Restore(saved); err != nil {
				b.Fatal(err)
			}
		}
	})
	// A board of its own for each fork, which runs on.
	b.Run("fork", func(b *testing.B) {
		var shared int
		for b.Loop() {
			fork, err := testbed.New(testbed.Config{Board: emu.Config{ROM: rom, Flash: flash}})
			if err != nil {
				b.Fatal(err)
			}
			if err := fork.Board.Restore(saved); err != nil {
				b.Fatal(err)
			}
			fork.Board.Run(b.Context(), emu.Limit(time.Millisecond))
			shared = fork.Board.Snapshot().SharedBytes(saved)
			fork.Close()
		}
		b.ReportMetric(float64(shared)/float64(saved.SharedBytes(saved)), "shared")
	})
}
