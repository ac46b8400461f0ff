package faults

// Random is a random number generator with the same output on every machine:
// SplitMix64 (Steele, Lea, Flood 2014). The zero value has seed 0.
type Random struct{ state uint64 }

// NewRandom returns a generator. Streams of the same seed with different names are
// independent.
func NewRandom(seed uint64, stream string) *Random {
	r := &Random{seed}
	for i := range len(stream) {
		r.state ^= uint64(stream[i])
		r.state = r.Uint64()
	}
	return r
}

// Uint64 returns the next 64 bits.
func (r *Random) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// N returns a number from 0 to n-1; n must not be 0. The bias is below n/2^64.
func (r *Random) N(n uint64) uint64 { return r.Uint64() % n }

// Hit returns true with a probability of ppm millionths.
func (r *Random) Hit(ppm uint32) bool { return r.N(1e6) < uint64(ppm) }
