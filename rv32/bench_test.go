package rv32

import (
	"encoding/binary"
	"testing"
)

// mixCheck is what a native build of testdata/mix.c prints.
const mixCheck = 0xe78ce404

// chipMIPS is what the real chip retires: CoreMark 409/s of 295.2 k
// instructions each, at 160 MHz from internal memory.
const chipMIPS = 121

func BenchmarkMix(b *testing.B) {
	program := compile(b, "testdata/mix.c")
	for _, e := range []struct {
		name   string
		engine Engine
		trace  bool
	}{{"block", EngineBlock, false}, {"traced", EngineBlock, true}, {"reference", EngineReference, false}} {
		b.Run(e.name, func(b *testing.B) {
			var instructions uint64
			for b.Loop() {
				c := userMachine(b, e.engine, program)
				c.Trace(e.trace)
				if got := binary.LittleEndian.Uint32(runUser(b, c)); got != mixCheck {
					b.Fatalf("check value 0x%08x", got)
				}
				instructions += c.Cycles()
			}
			mips := float64(instructions) / b.Elapsed().Seconds() / 1e6
			b.ReportMetric(mips, "MIPS")
			b.ReportMetric(mips/chipMIPS, "xchip")
		})
	}
}
