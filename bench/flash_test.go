package bench

import (
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// BenchmarkFlash writes a firmware to an emulated chip in download mode at a
// pseudo-terminal at 460800 baud: a full flash, and again without a change;
// with espalier, espflash and esptool, with the stub and without. It reports
// guest time from the first byte to the last as a ratio to the better peer
// (target 1.0), and time and bytes of the flash without a change (targets 1 s
// and 2 KB). BENCH_ELF selects another firmware than the sample Wi-Fi client.
//
//	go test ./bench -run '^$' -bench 'Flash$' -benchtime 1x
func BenchmarkFlash(b *testing.B) {
	devtest.Long(b, "flashes in real time")
	r := newFlashers(b)
	f := r.image("whole", benchELF(b))
	for b.Loop() {
		for _, mode := range []struct {
			name                     string
			espalier, flash, esptool flasher
		}{
			{"rom", r.espalier(false, nil), r.espflash("--no-stub"), r.esptool("--no-stub")},
			{"stub", r.espalier(true, nil), r.espflash(), r.esptool()},
		} {
			o, e, t := r.measure(nil, f, mode.espalier), r.measure(nil, f, mode.flash), r.measure(nil, f, mode.esptool)
			b.Logf("full flash, %s: espalier %d bytes in %v, espflash %d in %v, esptool %d in %v", mode.name, o.bytes, o.time, e.bytes, e.time, t.bytes, t.time)
			b.ReportMetric(o.time.Seconds()/min(e.time, t.time).Seconds(), "full-"+mode.name+"/peer")
		}
		same := r.measure(f.Merged(), f, r.espalier(true, nil))
		b.ReportMetric(same.time.Seconds(), "same-s")
		b.ReportMetric(float64(same.bytes), "same-B")
	}
}
