package chip

import "math/bits"

// trace is the running hash of everything the guest does that can be seen from
// outside the CPU: each write to a device with its value and time, each
// deadline that fires, each input, each reset. Reads are not part of it: what they
// return decides registers and later writes, and TraceHash adds the registers.
type trace uint64

// mix folds a value in. It is a multiply-and-fold step with odd constants, not
// a cryptographic hash: it distinguishes runs, but can be forged.
func (t *trace) mix(a, b uint64) {
	hi, lo := bits.Mul64(uint64(*t)^a^0x9e3779b97f4a7c15, b^0xd6e8feb86659fd93)
	*t = trace(hi ^ lo ^ bits.RotateLeft64(uint64(*t), 23) ^ a*0xff51afd7ed558ccd)
}

func (t *trace) bytes(p []byte) {
	for _, b := range p {
		t.mix(uint64(b), uint64(len(p)))
	}
}

// TraceHash returns the hash of the run so far, with the registers of the CPU.
func (m *Machine) TraceHash() uint64 {
	t := m.trace
	s := m.CPU.State()
	for i, x := range s.X {
		t.mix(uint64(x), uint64(i))
	}
	t.mix(uint64(s.PC), s.Cycles)
	t.mix(uint64(m.Now()), m.Instructions())
	return uint64(t)
}
