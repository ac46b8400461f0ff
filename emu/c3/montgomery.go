package c3

import "math/big"

// montgomery multiplies modulo an odd number as the RSA accelerator does it:
// mul(a, b) is a*b/R mod M with R = 2^(32*words).
type montgomery struct {
	modulus *big.Int
	prime   uint32 // -1/modulus mod 2^32, if software computed it rightly
	words   int

	inverse *big.Int // -1/modulus mod R, nil where prime is wrong
	mask    *big.Int
}

// prepare computes what all multiplications share.
func (m *montgomery) prepare() {
	r := new(big.Int).Lsh(big.NewInt(1), uint(32*m.words))
	m.mask = new(big.Int).Sub(r, big.NewInt(1))
	inv := new(big.Int).ModInverse(m.modulus, r)
	if inv == nil {
		return // an even modulus
	}
	inv.Sub(r, inv)
	if uint32(new(big.Int).And(inv, big.NewInt(0xffffffff)).Uint64()) == m.prime {
		m.inverse = inv
	}
}

// proper reports whether the constants are right, r2 being R^2 mod M: then the
// algorithm computes what its name says.
func (m *montgomery) proper(r2 *big.Int) bool {
	if m.inverse == nil || m.modulus.BitLen() < 2 {
		return false
	}
	r := new(big.Int).Add(m.mask, big.NewInt(1))
	return r.Mul(r, r).Mod(r, m.modulus).Cmp(r2) == 0
}

func (m *montgomery) mul(a, b *big.Int) *big.Int {
	t := new(big.Int).Mul(a, b)
	if m.inverse == nil {
		return m.reduceWords(t)
	}
	// Montgomery's REDC.
	q := new(big.Int).And(t, m.mask)
	q.Mul(q, m.inverse).And(q, m.mask)
	t.Add(t, q.Mul(q, m.modulus)).Rsh(t, uint(32*m.words))
	return m.subtract(t)
}

// reduceWords is REDC word by word with the given prime: with a wrong one the
// lowest word does not become zero and is dropped.
func (m *montgomery) reduceWords(t *big.Int) *big.Int {
	low := big.NewInt(0xffffffff)
	for range m.words {
		q := uint32(new(big.Int).And(t, low).Uint64()) * m.prime
		t.Add(t, new(big.Int).Mul(m.modulus, big.NewInt(int64(q)))).Rsh(t, 32)
	}
	return m.subtract(t)
}

// subtract brings a sum below 2R to the size of the operands: one conditional
// subtraction, then the words that there are.
func (m *montgomery) subtract(t *big.Int) *big.Int {
	if t.Cmp(m.modulus) >= 0 {
		t.Sub(t, m.modulus)
	}
	return t.And(t, m.mask)
}
