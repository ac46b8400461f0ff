package rv32

// Firmware waits by reading a timer in a loop. Running such a loop out is
// most of what an emulator does, and it is not needed: if the registers that
// one round leaves do not depend on the rounds before it, and every
// branch goes the same way for every value the timer can have up to some
// cycle, then the rounds up to there can be skipped and the last few be
// executed for the same registers, memory, device latches and cycle. This file
// decides when to try; proof.go proves.

// SpinBus is a Bus that can tell what its registers will read while time
// passes, so that loops which only wait need not be run out. The Bus calls
// CPU.TimerRead from Load of registers that such loops read and from Store of
// those that make a timer latch its value.
//
// Whatever else can change a register that SpinLoad vouches for must be an
// event at or after the cycle that Run was given (or Limit): the CPU never
// skips past it.
type SpinBus interface {
	Bus
	// SpinLoad says what loads of addr can return at any cycle of [from, to]
	// if nothing happens in between but time passing and stores that
	// SpinStore allows.
	SpinLoad(addr uint32, size int, from, to uint64) SpinValue
	// SpinStore reports whether storing v at addr again and again at cycles
	// of [from, to] leaves the device as storing it the last time would, and
	// raises no interrupt and creates no event.
	SpinStore(addr uint32, size int, v uint32, from, to uint64) bool
}

// SpinValue is the answer of SpinLoad.
type SpinValue struct {
	// OK is false if the load has a side effect or its values are not known.
	OK bool
	// Lo and Hi bound the value, inclusive, as unsigned numbers.
	Lo, Hi uint32
	// Latched: the value changes only at a store, not with time; two loads
	// with no store between them are equal.
	Latched bool
}

const (
	spinHits    = 8    // rounds of equal length before a loop is looked at
	spinLongest = 1024 // instructions of a round
	spinGap     = 8192 // cycles without a read of the watched instruction
	spinLeast   = 32   // rounds worth skipping
)

// spinState watches one instruction that reads a timer.
type spinState struct {
	armed  bool
	pc     uint32
	hits   int
	last   uint64 // cycle of the last read
	period uint64
	// after attempts that failed
	failed       uint
	failedPeriod uint64
	retry        uint64 // cycle before which a loop of that period is not tried again
	turn         bool   // watch another instruction
}

// TimerRead tells the CPU that the instruction being executed reads what only
// time changes, or makes a timer latch its value. The CPU looks for a steady
// rhythm of such accesses at one instruction; cycles and program counters are
// the same in both engines, so what follows is.
//
// A round of the loop is taken to begin after the watched instruction, and
// what registers have to do with each other there is not known: a loop that
// compares two reads of a latch can be seen through only from the access that
// latches, so that one should be told too.
func (c *CPU) TimerRead() {
	s := &c.spin
	d := c.cycles - s.last
	switch {
	case c.pc != s.pc:
		if s.turn || d > spinGap {
			s.pc, s.last, s.hits, s.period, s.turn = c.pc, c.cycles, 0, 0, false
		}
		return
	case d != s.period:
		s.period, s.hits = d, 0
	default:
		s.hits++
	}
	s.last = c.cycles
	if s.hits >= spinHits && (c.cycles >= s.retry || s.period != s.failedPeriod) && s.period <= spinLongest &&
		!c.noSpin && !c.traced && c.Hooks == nil {
		s.armed, c.attn = true, true
	}
}

// fastForward is called between instructions, after the one that was watched.
func (c *CPU) fastForward() {
	s := &c.spin
	n := s.period
	if c.until <= c.cycles || c.waiting || c.irq != 0 && c.interruptible() || len(c.breaks) != 0 {
		return
	}
	most := (c.until - c.cycles) / n
	if most < spinLeast {
		return
	}
	p := proof{c: c, length: n}
	good, depth := uint64(0), uint64(0)
	try := func(rounds uint64) bool {
		d, ok := p.holds(rounds)
		if ok {
			good, depth = rounds, d
		}
		return ok
	}
	if try(spinLeast) && !try(most) {
		// the largest number of rounds that can be proved; the proof does
		// not have to be monotonic for this to be right, only to be best
		for low, high := uint64(spinLeast), most; high-low > 1+low/256; {
			mid := low + (high-low)/2
			if try(mid) {
				low = mid
			} else {
				high = mid
			}
		}
	}
	if n != s.failedPeriod {
		s.failed, s.failedPeriod = 0, n
	}
	if good <= depth {
		// four views of the loop, then longer and longer pauses
		s.failed++
		s.turn = true
		s.retry = c.cycles + n*spinHits<<min(s.failed/4, 12)
		return
	}
	skip := (good - depth) * n
	c.cycles += skip
	s.last += skip
	s.failed = 0
	s.retry = c.cycles + (depth+spinHits)*n // let it end
}
