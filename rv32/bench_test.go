package rv32

import (
	"encoding/binary"
	"testing"
)

// mixCheck is the output of a native build of testdata/mix.c.
const mixCheck = 0xe78ce404

// chipMIPS is the speed of the real chip: CoreMark 409/s of 295.2 k
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

// BenchmarkBus is a loop that polls a device register, executed in full and
// fast-forwarded.
func BenchmarkBus(b *testing.B) {
	for _, spin := range []bool{false, true} {
		name := map[bool]string{false: "run out", true: "fast-forward"}[spin]
		b.Run(name, func(b *testing.B) {
			const cycles = 4e6
			for b.Loop() {
				bus := &timerBus{}
				c := machine(b, EngineBlock, bus, lui(5, 0x60024000), lui(7, cycles/4), lw(6, 5, 0), bType(^uint32(3), 7, 6, 6), wWFI)
				c.noSpin, bus.c = !spin, c
				if x := c.Run(1 << 40); x != ExitWFI || c.Cycles() < cycles*9/10 {
					b.Fatal(x, c.Cycles())
				}
			}
			b.ReportMetric(cycles*float64(b.N)/b.Elapsed().Seconds()/1e6, "MIPS")
		})
	}
}
