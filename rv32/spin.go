package rv32

// Firmware waits by reading a timer in a loop. Executing such loops is most of
// the work of an emulator, and unnecessary: if the registers at the end of an
// iteration do not depend on earlier iterations, and every branch takes the
// same direction for every value of the timer up to some cycle, then the
// iterations up to there can be skipped and the last few be executed, with the
// same registers, memory, device latches and cycle as a result. This file
// decides when to try; proof.go proves.

// SpinBus is a Bus that knows which values its registers will have while time
// passes, so that loops that only wait can be skipped. The Bus calls
// CPU.TimerRead from Load of registers that such loops read and from Store of
// those that make a timer latch its value.
//
// Everything else that can change a register covered by SpinLoad must be an
// event at or after the cycle that was passed to Run (or Limit): the CPU never
// skips past it.
type SpinBus interface {
	Bus
	// SpinLoad returns the possible results of loads of addr at any cycle of
	// [from, to] if only time passes and only stores that SpinStore allows are
	// made.
	SpinLoad(addr uint32, size int, from, to uint64) SpinValue
	// SpinStore reports whether repeating the store of v at addr at cycles of
	// [from, to] leaves the device in the state after the last one, and raises
	// no interrupt and creates no event.
	SpinStore(addr uint32, size int, v uint32, from, to uint64) bool
}

// SpinValue is the result of SpinLoad.
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
	spinHits    = 8    // iterations of equal length before a loop is analysed
	spinLongest = 1024 // instructions of an iteration
	spinGap     = 8192 // cycles without a read of the watched instruction
	spinLeast   = 32   // iterations that are worth skipping
)

// spinState watches one instruction that reads a timer.
type spinState struct {
	armed  bool
	pc     uint32
	hits   int
	last   uint64 // cycle of the last read
	period uint64
	steady bool // the watched read is one of SteadyRead
	// after attempts that failed
	failed       uint
	failedPeriod uint64
	retry        uint64 // cycle before which a loop of that period is not tried again
	turn         bool   // watch another instruction
}

// TimerRead tells the CPU that the current instruction reads a value that
// changes only with time, or makes a timer latch its value. The CPU looks for
// such accesses at regular intervals by one instruction; cycles and program
// counters are the same in both engines, and therefore the decision, too.
//
// An iteration of the loop starts after the watched instruction, where
// relations between registers are unknown: a loop that compares two reads of a
// latch can only be analysed from the access that latches, so that access
// should call TimerRead, too.
func (c *CPU) TimerRead() { c.polls(false) }

// SteadyRead is TimerRead for a value that changes at events only, so that loops
// that poll nothing else can be skipped, too. A TimerRead is watched in preference:
// such reads are everywhere, and one that is made once for each character that a
// program prints would keep the watch from the loop that waits for the character.
func (c *CPU) SteadyRead() { c.polls(true) }

func (c *CPU) polls(steady bool) {
	s := &c.spin
	d := c.cycles - s.last
	switch {
	case c.pc != s.pc:
		if s.turn || d > spinGap || s.steady && !steady {
			s.pc, s.last, s.hits, s.period, s.turn, s.steady = c.pc, c.cycles, 0, 0, false, steady
		}
		return
	case d != s.period:
		s.period, s.hits = d, 0
	default:
		s.hits++
	}
	s.last = c.cycles
	if s.hits >= spinHits && (c.cycles >= s.retry || s.period != s.failedPeriod) && s.period <= spinLongest &&
		!c.noSpin && !c.traced && c.Hooks == nil && !c.counts() {
		s.armed, c.attn = true, true
	}
}

// fastForward is called between instructions, after the watched one.
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
	rounds, depth := p.longest(most)
	if n != s.failedPeriod {
		s.failed, s.failedPeriod = 0, n
	}
	if rounds == 0 {
		// four attempts at the loop, then longer and longer pauses
		s.failed++
		s.turn = true
		s.retry = c.cycles + n*spinHits<<min(s.failed/4, 12)
		return
	}
	s.last += rounds * n
	s.failed = 0
	s.retry = c.cycles + (depth+spinHits)*n // let it end
}
