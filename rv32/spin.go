package rv32

// SpinBus is a Bus that can tell what its registers will read while time
// passes, so that loops which only wait for a timer need not be run out.
type SpinBus interface {
	Bus
	// SpinLoad says what loads of addr can return at any cycle of [from, to]
	// if nothing happens in between but stores that SpinStore allows and time
	// passing.
	SpinLoad(addr uint32, size int, from, to uint64) SpinValue
	// SpinStore reports whether storing v at addr again and again during
	// [from, to] leaves the device as storing it the last time would.
	SpinStore(addr uint32, size int, v uint32, from, to uint64) bool
}

// SpinValue is the answer of SpinLoad.
type SpinValue struct {
	// OK is false if the load has a side effect or its values are not known.
	OK bool
	// Lo and Hi bound the value, inclusive, as unsigned numbers.
	Lo, Hi uint32
	// Latched: the value changes only at a SpinStore, not with time; two
	// loads with no store between them are equal.
	Latched bool
}

type spinState struct {
	armed bool
}

// TimerRead tells the CPU that the instruction being executed has read a
// timer; a Bus calls it from Load for its timer registers.
func (c *CPU) TimerRead() {}

func (c *CPU) fastForward() {}
