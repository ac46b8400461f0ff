package rv32

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// timerBus is a latched 52-bit timer at a tenth of the CPU clock, a running
// counter, a status bit that an event at cycle eventAt sets, and a register
// without known bounds.
type timerBus struct {
	c       *CPU
	latched uint64
	status  uint32
	eventAt uint64
	other   uint32
	loads   int
}

func (b *timerBus) ticks(cycle uint64) uint64 { return cycle/10 + 0xfffff000 } // the low word wraps early

func (b *timerBus) Load(addr uint32, size int) (uint32, bool) {
	b.loads++
	switch addr {
	case 0x60023004:
		return 1 << 29, true
	case 0x60023040:
		b.c.TimerRead()
		return uint32(b.latched >> 32), true
	case 0x60023044:
		b.c.TimerRead()
		return uint32(b.latched), true
	case 0x60024000:
		b.c.TimerRead()
		return uint32(b.c.Cycles() / 4), true
	case 0x60024004:
		b.c.TimerRead()
		return b.status, true
	case 0x60025000:
		b.other = b.other*5 + 1
		return b.other, true
	}
	return 0, false
}

func (b *timerBus) Store(addr uint32, size int, v uint32) bool {
	switch addr {
	case 0x60023004:
		b.c.TimerRead()
		b.latched = b.ticks(b.c.Cycles())
		return true
	case 0x60025000:
		b.other += v
		return true
	}
	return false
}

func (b *timerBus) SpinLoad(addr uint32, size int, from, to uint64) SpinValue {
	now := b.latched
	switch addr {
	case 0x60023004:
		return SpinValue{OK: true, Lo: 1 << 29, Hi: 1 << 29}
	case 0x60023040:
		return SpinValue{OK: true, Lo: uint32(now >> 32), Hi: uint32(b.ticks(to) >> 32), Latched: true}
	case 0x60023044:
		if now>>32 != b.ticks(to)>>32 {
			return SpinValue{OK: true, Hi: 0xffffffff, Latched: true}
		}
		return SpinValue{OK: true, Lo: uint32(now), Hi: uint32(b.ticks(to)), Latched: true}
	case 0x60024000:
		return SpinValue{OK: from/4>>32 == to/4>>32, Lo: uint32(from / 4), Hi: uint32(to / 4)}
	case 0x60024004:
		return SpinValue{OK: true, Lo: b.status, Hi: b.status}
	}
	return SpinValue{}
}

func (b *timerBus) SpinStore(addr uint32, size int, v uint32, from, to uint64) bool {
	return addr == 0x60023004
}

// runTimed runs to the wfi or the cycle limit in slices up to the next event,
// like the machine.
func runTimed(c *CPU, b *timerBus, slice, limit uint64) {
	for c.Cycles() < limit {
		until := min(limit, c.Cycles()+slice)
		if b.eventAt > c.Cycles() {
			until = min(until, b.eventAt)
		}
		if c.Run(until) == ExitWFI {
			return
		}
		if c.Cycles() == b.eventAt {
			b.status |= 1
		}
	}
}

func TestSpinProgramsEndAlike(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-Os"}, {"-O0"}, {"-O1", "-march=rv32im"}} {
		program := compile(t, "testdata/spin.c", flags...)
		type end struct {
			state State
			bus   timerBus
			mem   []byte
		}
		run := func(e Engine, noSpin bool, slice uint64) (end, int) {
			b := &timerBus{eventAt: 3_000_000}
			c := userMachine(t, e, program)
			c.bus, c.spinBus, b.c, c.noSpin = b, b, c, noSpin
			runTimed(c, b, slice, 1<<40)
			mem := make([]byte, 1<<20)
			c.Memory().Read(0x8000, mem)
			loads := b.loads
			b.loads, b.c = 0, nil
			return end{c.State(), *b, mem}, loads
		}
		want, full := run(EngineReference, true, 1<<30)
		if !want.state.Waiting {
			t.Fatalf("%v: did not end: %+v", flags, want.state)
		}
		for _, e := range []Engine{EngineReference, EngineBlock} {
			for _, slice := range []uint64{1 << 30, 70001, 1000} {
				got, loads := run(e, false, slice)
				if got.state != want.state || got.bus != want.bus || !bytes.Equal(got.mem, want.mem) {
					t.Errorf("%v engine %d slice %d:\n got %+v %+v\nwant %+v %+v", flags, e, slice, got.state, got.bus, want.state, want.bus)
				}
				if slice > 1e6 {
					t.Logf("%v engine %d: %d of %d loads in %d cycles", flags, e, loads, full, want.state.Cycles)
					if loads > full/2 {
						t.Errorf("%v engine %d: hardly fast-forwarded", flags, e)
					}
				}
			}
		}
	}
}

// TestSpinRandomLoops makes loops of random computations on timer values; the
// result must not depend on fast-forwarding.
func TestSpinRandomLoops(t *testing.T) {
	programs := 500
	if testing.Short() {
		programs = 100
	}
	skipped := 0
	for seed := range programs {
		code := randomSpin(rand.New(rand.NewPCG(uint64(seed), 3)))
		limit := uint64(40000)
		var ends [4]string
		var loads [4]int
		for i := range ends {
			b := &timerBus{eventAt: 25000}
			c := machine(t, Engine(i/2), b, code...)
			c.noSpin = i%2 == 0
			b.c = c
			for r := range 8 { // x8-x15 and the pointers
				c.SetReg(8+r, uint32(seed*r*77))
			}
			c.Memory().Write(0x3000, trapSkip)
			reports := observe(c, seed)
			c.SetReg(5, 0x60023000)
			c.SetReg(6, 0x60024000)
			c.SetReg(7, 0x2000)
			runTimed(c, b, 1<<30, limit)
			mem := make([]byte, 64)
			c.Memory().Read(0x2000, mem)
			loads[i] = b.loads
			b.loads, b.c = 0, nil
			ends[i] = fmt.Sprintf("%+v %+v %x %d", c.State(), *b, mem, *reports)
		}
		if ends[1] != ends[0] || ends[2] != ends[0] || ends[3] != ends[0] {
			t.Fatalf("seed %d:\n%s\n%s\n%s\n%s", seed, ends[0], ends[1], ends[2], ends[3])
		}
		if loads[1] != loads[3] {
			t.Fatalf("seed %d: engines skipped differently: %d and %d loads", seed, loads[1], loads[3])
		}
		if loads[3] < loads[2] {
			skipped++
		}
	}
	t.Logf("%d of %d programs were fast-forwarded", skipped, programs)
	if skipped < programs/20 {
		t.Error("too few to mean something")
	}
}

// trapSkip is a trap handler that continues after the instruction, which is not compressed.
var trapSkip = words(addi(16, 16, 1), csrrs(17, 0x341, 0), addi(17, 17, 4), csrrw(0, 0x341, 17), wMRET)

func words(code ...uint32) (p []byte) {
	for _, w := range code {
		p = binary.LittleEndian.AppendUint32(p, w)
	}
	return p
}

// observe sets, for every second seed, something that notices single accesses or
// instructions. It returns the number of reports of a monitor.
func observe(c *CPU, seed int) *int {
	reports := new(int)
	set := func(pairs ...uint32) {
		for i := 0; i < len(pairs); i += 2 {
			c.SetCSR(uint16(pairs[i]), pairs[i+1])
		}
	}
	set(0x305, 0x3000)
	at := uint32(0x2000 + seed/14%4*4)
	switch seed % 14 {
	case 1:
		set(csrTcontrol, tcontrolMTE, csrTdata1, trigMachine|trigLoad, csrTdata2, at)
	case 3:
		set(csrTcontrol, tcontrolMTE, csrTdata1, trigMachine|trigStore, csrTdata2, at)
	case 5:
		set(csrTcontrol, tcontrolMTE, csrTdata1, trigMachine|trigExecute, csrTdata2, 0x1000+uint32(seed/14%20*4))
	case 7:
		set(csrPmpaddr0, at>>2, csrPmpcfg0, pmpLocked|pmpNA4)
	case 9:
		set(csrMpcmr, 0, csrUpcmr, 0, csrMpccr, uint32(seed*1000), csrUpccr, 7)
	case 11:
		set(csrMpcer, eventLoad|eventTaken, csrUpcer, eventStore)
	case 13:
		c.SetMonitors([]Region{{From: at, To: at + 3, Load: true, Store: true}}, func(int) { *reports++ })
	}
	return reports
}

// TestSpinCounters waits with loops that count their iterations, in registers and in
// memory, up to a limit or not; all of them are fast-forwarded.
func TestSpinCounters(t *testing.T) {
	poll := lw(6, 5, 4) // the status, which an event sets
	loop := func(at int, code ...uint32) []uint32 {
		return append(append(code, poll, bType(uint32(-4*(len(code)+1-at)), 0, 6, 0)), wWFI)
	}
	for _, k := range []struct {
		name string
		code []uint32
	}{
		{"up", loop(0, addi(8, 8, 3))},
		{"down", loop(0, addi(8, 8, ^uint32(0)))},
		{"two, one from the other", loop(0, addi(8, 8, 1), iType(2, 8, 1, 10, 0x13), rType(0x20, 10, 8, 0, 11, 0x33))},
		{"a product", loop(0, addi(8, 8, 5), addi(9, 0, 12), rType(1, 8, 9, 0, 10, 0x33))},
		{"a word of memory", loop(0, lw(8, 7, 0), addi(8, 8, 1), sw(8, 7, 0), sw(8, 7, 8))},
		{"a byte of memory", loop(0, iType(0, 7, 4, 8, 0x03), addi(8, 8, 1), sType(0, 8, 7, 0))},
		{"a copy", loop(0, addi(8, 8, 1), addi(9, 8, 0), addi(10, 9, 100))},
		{"timeout", append([]uint32{lui(9, 100_000)}, loop(1, addi(9, 9, ^uint32(0)), bType(12, 0, 9, 0), addi(8, 8, 1))...)},
		{"timeout upwards", append([]uint32{lui(9, 100_000)}, loop(1, addi(8, 8, 1), bType(8, 9, 8, 7))...)},
		{"until it wraps", append([]uint32{lui(8, 0xfffe0000)}, loop(1, addi(8, 8, 1), bType(12, 0, 8, 0), addi(9, 9, 2))...)},
	} {
		t.Run(k.name, func(t *testing.T) {
			var want string
			var full int
			for i, e := range []Engine{EngineReference, EngineReference, EngineBlock} {
				b := &timerBus{eventAt: 600_000}
				c := machine(t, e, b, k.code...)
				b.c, c.noSpin = c, i == 0
				c.SetReg(5, 0x60024000)
				c.SetReg(7, 0x2000)
				runTimed(c, b, 100_003, 1<<40)
				mem := make([]byte, 16)
				c.Memory().Read(0x2000, mem)
				got := fmt.Sprintf("%+v %x", c.State(), mem)
				switch {
				case i == 0:
					want, full = got, b.loads
				case got != want:
					t.Errorf("engine %v:\n%s, want\n%s", e, got, want)
				case b.loads > full/4:
					t.Errorf("engine %v: %d of %d loads", e, b.loads, full)
				}
			}
		})
	}
}

// TestSpinNotices waits with loops of whose path a proof could be wrong: an access
// or instruction that traps while the path without the trap has as many
// instructions, a counter that is stopped, code that changes.
func TestSpinNotices(t *testing.T) {
	poll := lw(6, 5, 4)
	again := func(n int) uint32 { return bType(uint32(-4*n), 0, 6, 0) }
	five := []uint32{poll, lw(8, 7, 0), sw(8, 7, 4), wNOP, again(4), wWFI}
	for _, k := range []struct {
		name string
		code []uint32
		csrs []uint32
	}{
		{"load trigger", five, []uint32{csrTcontrol, tcontrolMTE, csrTdata1, trigMachine | trigLoad, csrTdata2, 0x2000}},
		{"store trigger", five, []uint32{csrTcontrol, tcontrolMTE, csrTdata1, trigMachine | trigStore, csrTdata2, 0x2004}},
		{"execute trigger", five, []uint32{csrTcontrol, tcontrolMTE, csrTdata1, trigMachine | trigExecute, csrTdata2, 0x100c}},
		{"load, PMP", five, []uint32{csrPmpaddr0, 0x2000 >> 2, csrPmpcfg0, pmpLocked | pmpNA4}},
		{"store, PMP", five, []uint32{csrPmpaddr0, 0x2004 >> 2, csrPmpcfg0, pmpLocked | pmpNA4 | uint32(Read)}},
		{"code, PMP", five, []uint32{csrPmpaddr0, 0x100c >> 2, csrPmpcfg0, pmpLocked | pmpNA4 | uint32(Read)}},
		{"stopped counter", []uint32{addi(9, 0, 100), poll, csrrs(8, csrMpccr, 0), bType(12, 9, 8, 6), addi(10, 10, 1), jType(12, 0), wNOP, wNOP, again(7), wWFI},
			[]uint32{csrMpcmr, 0, csrMpccr, 5}},
		{"counted loads", []uint32{poll, again(1), wWFI}, []uint32{csrMpcer, eventLoad}},
		// addi x10, x10, 1, the immediate of which is 1 more each time
		{"own code", append([]uint32{lui(7, 0x1000), lui(9, 1<<20), lw(8, 7, 24), poll, rType(0, 9, 8, 0, 8, 0x33), sw(8, 7, 24)}, addi(10, 10, 1), again(4), wWFI), nil},
	} {
		t.Run(k.name, func(t *testing.T) {
			var want string
			for i, e := range []Engine{EngineReference, EngineReference, EngineBlock} {
				b := &timerBus{eventAt: 60_000}
				c := machine(t, e, b, k.code...)
				b.c, c.noSpin = c, i == 0
				c.SetReg(5, 0x60024000)
				c.SetReg(7, 0x2000)
				c.Memory().Write(0x3000, trapSkip)
				c.SetCSR(0x305, 0x3000)
				for j := 0; j < len(k.csrs); j += 2 {
					c.SetCSR(uint16(k.csrs[j]), k.csrs[j+1])
				}
				runTimed(c, b, 1<<30, 100_000)
				mem := make([]byte, 16)
				c.Memory().Read(0x2000, mem)
				if got := fmt.Sprintf("%+v %x", c.State(), mem); i == 0 {
					want = got
				} else if got != want {
					t.Errorf("engine %v:\n%s, want\n%s", e, got, want)
				}
			}
		})
	}
}

// randomSpin is a few nested loops that read timers through x5 and x6, store
// words around x7, compute in x8-x15 and branch on the results.
func randomSpin(r *rand.Rand) []uint32 {
	reg := func() uint32 { return 8 + r.Uint32()&7 }
	var code []uint32
	for range 3 {
		top := len(code)
		if r.IntN(2) == 0 {
			code = append(code, lui(15, 1<<30), sType(4, 15, 5, 2)) // latch
		}
		for range 2 + r.IntN(8) {
			switch r.IntN(17) {
			case 14:
				reg := reg()
				code = append(code, addi(reg, reg, r.Uint32()&7-3))
			case 15:
				code = append(code, lw(13, 7, 4), addi(13, 13, 1), sw(13, 7, 4))
			case 16:
				code = append(code, rType(0, 13, 14, 0, 13, 0x33))
			case 0, 1:
				code = append(code, iType(0x44, 5, 2, reg(), 0x03))
			case 2:
				code = append(code, iType(0x40, 5, 2, reg(), 0x03))
			case 3:
				code = append(code, iType(0, 6, 2, reg(), 0x03))
			case 4:
				code = append(code, iType([]uint32{0x7e2, 0x802}[r.IntN(2)], 0, 2, reg(), 0x73))
			case 5:
				code = append(code, sType(uint32(r.IntN(4))*4, reg(), 7, 2))
			case 6:
				code = append(code, iType(uint32(r.IntN(4))*4, 7, 2, reg(), 0x03))
			case 7:
				code = append(code, rType(1, reg(), reg(), r.Uint32()&7, reg(), 0x33))
			case 8:
				code = append(code, iType(r.Uint32()&15, reg(), []uint32{1, 5}[r.IntN(2)], reg(), 0x13))
			case 9:
				code = append(code, iType(uint32(r.IntN(64)-8), reg(), []uint32{0, 2, 3, 4, 6, 7}[r.IntN(6)], reg(), 0x13))
			case 10:
				code = append(code, lui(reg(), uint32(r.IntN(4))<<12))
			case 11:
				code = append(code, bType(8, reg(), reg(), []uint32{0, 1, 4, 5, 6, 7}[r.IntN(6)]))
			default:
				code = append(code, rType([]uint32{0, 0x20}[r.IntN(2)]*(1-r.Uint32()&1), reg(), reg(), []uint32{0, 0, 3, 6, 7, 4}[r.IntN(6)], reg(), 0x33))
			}
		}
		// a distance compared with a bound, or anything
		if r.IntN(3) != 0 {
			code = append(code, iType(0x44, 5, 2, 14, 0x03), rType(0x20, 13, 14, 0, 12, 0x33), iType(uint32(r.IntN(2000)), 0, 0, 11, 0x13),
				bType(uint32(4*(top-len(code)-3)), 11, 12, 6))
		} else {
			code = append(code, bType(uint32(4*(top-len(code))), reg(), reg(), []uint32{0, 1, 4, 5, 6, 7}[r.IntN(6)]))
		}
	}
	return append(code, 0x10500073)
}
