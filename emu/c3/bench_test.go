package c3

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// benchmarkBoot measures the time from power-on to a text, including the
// construction of the board and the execution of ROM and bootloader.
func benchmarkBoot(b *testing.B, flash []byte, text string) {
	rom := maskROM(b, "rev300")
	var instructions uint64
	for b.Loop() {
		board, err := New(emu.Config{ROM: rom, Flash: flash})
		if err != nil {
			b.Fatal(err)
		}
		res := board.Run(b.Context(), emu.UntilText(text), emu.Limit(time.Second))
		if res.Reason != emu.StopText {
			b.Fatalf("stopped with %v at %v", res.Reason, res.Now)
		}
		instructions += res.Instructions
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/boot")
	b.ReportMetric(float64(instructions)/b.Elapsed().Seconds()/1e6, "MIPS")
}

// BenchmarkBootHello boots an esp-hal program to its first line.
func BenchmarkBootHello(b *testing.B) {
	benchmarkBoot(b, firmware(b, "hello.elf"), "Hello from")
}

// BenchmarkBootOwn boots an application that is assembled here.
func BenchmarkBootOwn(b *testing.B) { benchmarkBoot(b, app(b, hello), "hello from flash\n") }

// BenchmarkIdle is a second of guest time in which a periodic timer interrupts
// a thousand times.
func BenchmarkIdle(b *testing.B) {
	c := newTestChip(b, emu.Config{})
	c.w(sysTimer+0x34, 1<<30|16000)
	c.w(sysTimer+0x50, 1)
	c.w(sysTimer, 0x47000000)
	for b.Loop() {
		c.run(emu.Second)
	}
}

// BenchmarkRegisters is a loop of a load and a store at a register that cannot
// be fast-forwarded.
func BenchmarkRegisters(b *testing.B) {
	board := guest(b, emu.Config{}, func(a *asm) {
		quietWatchdogs(a)
		a.li(t0, 0x60008050)
		loop := a.pc()
		a.lw(t1, t0, 0)
		a.addi(t1, t1, 1)
		a.sw(t1, t0, 0)
		a.j(loop)
	})
	var n uint64
	for b.Loop() {
		n += board.Run(b.Context(), emu.Instructions(4_000_000)).Instructions
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "MIPS")
}

// BenchmarkCompute is a loop that only computes, on a whole board.
func BenchmarkCompute(b *testing.B) {
	board := guest(b, emu.Config{}, func(a *asm) {
		quietWatchdogs(a)
		a.li(t0, 12345)
		loop := a.pc()
		for range 4 {
			a.addi(t1, t0, 77)
			a.and(t2, t1, t0)
			a.addi(t0, t2, 5)
			a.addi(a0, t1, -1)
		}
		a.branch(1, a0, zero, loop)
		a.j(loop)
	})
	var n uint64
	for b.Loop() {
		n += board.Run(b.Context(), emu.Instructions(50_000_000)).Instructions
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "MIPS")
}

// benchmarkToggle is a loop that sets and clears a pin. It reports the time of
// one write to GPIO_OUT, including the loop.
func benchmarkToggle(b *testing.B, cfg emu.Config, wire bool) {
	board := guest(b, cfg, func(a *asm) {
		quietWatchdogs(a)
		a.poke(iomuxBase+ioPin0+4*8, 1<<12)
		a.poke(gpioBase+gpEnable, 1<<8)
		a.li(t0, gpioBase)
		a.li(t1, 1<<8)
		loop := a.pc()
		for range 8 {
			a.sw(t1, t0, gpOut+4)
			a.sw(t1, t0, gpOut+8)
		}
		a.j(loop)
	})
	if wire {
		board.Join(8, 9)
	}
	var n uint64
	start := board.Now()
	for b.Loop() {
		n += board.Run(b.Context(), emu.Instructions(1_000_000)).Instructions
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/(float64(n)*16/17), "ns/write")
	b.ReportMetric(float64((board.Now()-start).Nanoseconds())/float64(b.Elapsed().Nanoseconds()), "guest/wall")
}

func BenchmarkToggle(b *testing.B) { benchmarkToggle(b, emu.Config{}, false) }

// BenchmarkToggleWired toggles a pin that is connected to another one.
func BenchmarkToggleWired(b *testing.B) { benchmarkToggle(b, emu.Config{}, true) }

// BenchmarkToggleObserved toggles a pin with a callback for changes.
func BenchmarkToggleObserved(b *testing.B) {
	benchmarkToggle(b, emu.Config{Pin: func(emu.PinChange) {}}, false)
}
