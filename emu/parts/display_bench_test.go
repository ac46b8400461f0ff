package parts_test

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/devtest/blockrig"
)

// display240 is a display of 240 by 240 pixels on the pins of the firmware.
func display240() *parts.ST7789 {
	return &parts.ST7789{SPIPins: parts.SPIPins{SCK: 6, MOSI: 7, CS: 10}, DC: 3, Reset: 2, Width: 240, Height: 240}
}

// Sixty frames in one second of guest time, by DMA at 80 MHz.
func TestDisplayFrames(t *testing.T) {
	d := display240()
	changes := 0
	d.Changed = func() { changes++ }
	res := blockrig.New(t, blockrig.Config{Parts: []emu.Part{d}}).Pass(blockrig.Test{Name: "display::tests::frames"})
	if us := res.Value(t, "frames"); d.Frames() != 60 || us < 990_000 || us > 1_010_000 {
		t.Errorf("%d frames in %d us", d.Frames(), us)
	}
	if changes < 60 {
		t.Errorf("%d changes", changes)
	}
}

// BenchmarkDisplay reports how much faster than real time the board runs while it
// sends 60 frames a second to a display of 240 by 240 pixels.
func BenchmarkDisplay(b *testing.B) {
	rig := blockrig.New(b, blockrig.Config{Parts: []emu.Part{display240()}})
	var guest time.Duration
	for b.Loop() {
		guest += rig.Pass(blockrig.Test{Name: "display::tests::frames"}).Elapsed
	}
	b.ReportMetric(guest.Seconds()/b.Elapsed().Seconds(), "guest-s/s")
}
