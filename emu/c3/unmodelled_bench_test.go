package c3

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// benchmarkPolling is firmware that waits for a bit of a register that is not
// modelled. body is the content of the loop; the metric is guest time per wall
// time.
func benchmarkPolling(b *testing.B, body func(a *asm)) {
	board := guest(b, emu.Config{}, func(a *asm) {
		quietWatchdogs(a)
		a.poke(0x600c0000+sysCPUPerConf, 1<<3|1<<2|1) // PLL, 480 MHz / 3 = 160 MHz
		a.poke(0x600c0000+sysSysclkConf, 1<<10)
		a.li(t0, notModelled)
		a.li(t2, 1)
		loop := a.pc()
		a.lw(t1, t0, 0)
		body(a)
		a.and(t1, t1, t2)
		a.branch(0, t1, zero, loop)
	})
	start := board.Now()
	var n uint64
	for b.Loop() {
		n += board.Run(b.Context(), emu.Limit(25*time.Millisecond)).Instructions
	}
	if list := board.Unmodelled(); len(list) != 1 || list[0].Addr != notModelled {
		b.Fatalf("unmodelled: %v", list)
	}
	if mhz := float64(n) / (board.Now() - start).Seconds() / 1e6; mhz < 159 || mhz > 161 {
		b.Fatalf("the CPU runs at %.0f MHz", mhz)
	}
	b.ReportMetric((board.Now()-start).Seconds()/b.Elapsed().Seconds(), "guest/wall")
}

// notModelled is peripheral space without a block.
const notModelled = 0x60050000

// BenchmarkPolling is a plain polling loop, which is fast-forwarded.
func BenchmarkPolling(b *testing.B) { benchmarkPolling(b, func(*asm) {}) }

// BenchmarkPollingCounted is a polling loop that also counts its iterations, as
// for a timeout.
func BenchmarkPollingCounted(b *testing.B) {
	benchmarkPolling(b, func(a *asm) { a.addi(a0, a0, 1) })
}

// BenchmarkTrapLoop is a handler that returns to the instruction that faults and
// counts in a register.
func BenchmarkTrapLoop(b *testing.B) {
	board := guest(b, emu.Config{}, func(a *asm) {
		quietWatchdogs(a)
		a.poke(0x600c0000+sysCPUPerConf, 1<<3|1<<2|1)
		a.poke(0x600c0000+sysSysclkConf, 1<<10)
		for a.pc()&0xff != 0xf0 {
			a.word(0x13)
		}
		a.li(t0, a.pc()+0x10) // two instructions
		a.csrw(0x305, t0)
		a.word(0)
		for a.pc()&0xff != 0 {
			a.word(0x13)
		}
		a.addi(a0, a0, 1)
		a.mret()
	})
	start := board.Now()
	for b.Loop() {
		if res := board.Run(b.Context(), emu.Limit(25*time.Millisecond)); res.Reason != emu.StopLimit {
			b.Fatalf("stopped with %v, %v", res.Reason, res.Err)
		}
	}
	b.ReportMetric((board.Now()-start).Seconds()/b.Elapsed().Seconds(), "guest/wall")
}
