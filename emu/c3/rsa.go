package c3

import (
	"math/big"

	"espalier.dev/espalier/emu/chip"
)

// RSA registers, TRM 20.5.
const (
	rsaM        = 0x000 // memories of 96 words
	rsaZ        = 0x200
	rsaY        = 0x400
	rsaX        = 0x600
	rsaMPrime   = 0x800
	rsaMode     = 0x804
	rsaClean    = 0x808
	rsaModExp   = 0x80c
	rsaModMult  = 0x810
	rsaMult     = 0x814
	rsaIdle     = 0x818
	rsaIntClr   = 0x81c
	rsaConstant = 0x820
	rsaSearch   = 0x824
	rsaSearchAt = 0x828
	rsaIntEna   = 0x82c
	rsaDate     = 0x830

	rsaDateC3 = 0x20200618
	rsaWords  = 96 // 3072 bits

	// rsaWordTicks is the time for one product of two words: one cycle at 160 MHz.
	// An exponentiation of 3072 bits without acceleration then takes 0.35 s.
	rsaWordTicks = chip.Tick
)

// rsa is the RSA accelerator, TRM 20: modular exponentiation and
// multiplication in Montgomery form, and multiplication, of numbers of up to
// 3072 bits that lie in four memories, least significant word first. Software
// provides R^2 mod M in Z and M' = -1/M mod 2^32; a wrong one gives the wrong
// result that the algorithm of TRM 20.3 gives.
type rsa struct {
	block
	soc  *soc
	intr interrupts // bit 0; there is no RAW register
	done *chip.Timer
	s    struct{ Op uint32 } // the start register of the running operation, 0: idle
}

func newRSA(c *soc) *rsa {
	r := &rsa{soc: c}
	r.intr.line = c.intc.source(srcRSA)
	r.done = c.m.NewTimer(r.complete)
	r.block = newBlock("RSA", 0x6003c000, []reg{
		{rsaMPrime, "M_PRIME", 0}, {rsaMode, "MODE", 0}, {rsaClean, "QUERY_CLEAN", 0}, {rsaModExp, "SET_START_MODEXP", 0},
		{rsaModMult, "SET_START_MODMULT", 0}, {rsaMult, "SET_START_MULT", 0}, {rsaIdle, "QUERY_IDLE", 0}, {rsaIntClr, "INT_CLR", 0},
		{rsaConstant, "CONSTANT_TIME", 1}, {rsaSearch, "SEARCH_ENABLE", 0}, {rsaSearchAt, "SEARCH_POS", 0}, {rsaIntEna, "INT_ENA", 0},
		{rsaDate, "DATE", rsaDateC3},
	})
	for _, mem := range []uint32{rsaM, rsaZ, rsaY, rsaX} {
		r.know(mem, mem+4*(rsaWords-1))
	}
	return r
}

func (r *rsa) read(off uint32) uint32 {
	switch off {
	case rsaClean:
		return 1 // the memories are cleared at once
	case rsaIdle:
		if r.s.Op == 0 {
			return 1
		}
		return 0
	case rsaModExp, rsaModMult, rsaMult, rsaIntClr:
		return 0
	case rsaIntEna:
		return r.intr.Ena
	}
	return r.block.read(off)
}

func (r *rsa) write(off, v uint32) {
	switch off {
	case rsaModExp, rsaModMult, rsaMult:
		if v&1 != 0 && r.s.Op == 0 {
			r.s.Op = off
			r.done.Set(r.soc.m.Now().Add(r.duration()))
		}
	case rsaIntClr:
		r.intr.clear(v & 1)
	case rsaIntEna:
		r.intr.enable(v & 1)
	case rsaMode:
		r.block.write(off, v&0x7f)
	case rsaClean, rsaIdle:
	default:
		r.block.write(off, v)
	}
}

// size returns the words of an operand.
func (r *rsa) size() int { return min(int(r.get(rsaMode))+1, rsaWords) }

// exponentBits returns how many bits of the exponent are processed: all of
// them, or those from SEARCH_POS down.
func (r *rsa) exponentBits() int {
	bits := 32 * r.size()
	if r.get(rsaSearch)&1 != 0 {
		bits = min(bits, int(field(r.get(rsaSearchAt), 11, 0))+1)
	}
	return bits
}

func (r *rsa) duration() chip.Duration {
	n := chip.Duration(r.size())
	products := n * n
	switch r.s.Op {
	case rsaModExp:
		ones := chip.Duration(r.exponentBits())
		if r.get(rsaConstant)&1 == 0 {
			ones = 0
			for i, bit := 0, r.number(rsaY, r.size()); i < r.exponentBits(); i++ {
				ones += chip.Duration(bit.Bit(i))
			}
		}
		products *= chip.Duration(r.exponentBits()) + ones
	case rsaModMult:
		products *= 2
	case rsaMult:
		products /= 4
	}
	return max(1, products) * rsaWordTicks
}

// number reads words of a memory.
func (r *rsa) number(mem uint32, words int) *big.Int {
	b := r.bytes(mem, 4*uint32(words))
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return new(big.Int).SetBytes(b)
}

// setResult writes a number to Z.
func (r *rsa) setResult(v *big.Int, words int) {
	b := v.FillBytes(make([]byte, 4*words))
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	r.setBytes(rsaZ, b)
}

func (r *rsa) complete() {
	n := r.size()
	switch r.s.Op {
	case rsaMult:
		// The second factor is in the upper half of Z.
		half := max(1, n/2)
		x, y := r.number(rsaX, half), r.number(rsaZ+4*uint32(half), half)
		r.setResult(x.Mul(x, y), 2*half)
	case rsaModMult, rsaModExp:
		r.modular(n)
	}
	r.s.Op = 0
	r.intr.raise(1)
}

// modular does a Montgomery multiplication or exponentiation.
func (r *rsa) modular(n int) {
	m := montgomery{modulus: r.number(rsaM, n), prime: r.get(rsaMPrime), words: n}
	m.prepare()
	x, y, r2 := r.number(rsaX, n), r.number(rsaY, n), r.number(rsaZ, n)
	x = m.mul(x, r2)
	if r.s.Op == rsaModMult {
		r.setResult(m.mul(x, y), n)
		return
	}
	if m.proper(r2) {
		y.And(y, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(r.exponentBits())), big.NewInt(1)))
		r.setResult(new(big.Int).Exp(r.number(rsaX, n), y, m.modulus), n)
		return
	}
	one := big.NewInt(1)
	z := m.mul(one, r2)
	for i := r.exponentBits() - 1; i >= 0; i-- {
		z = m.mul(z, z)
		if y.Bit(i) != 0 {
			z = m.mul(z, x)
		}
	}
	r.setResult(m.mul(z, one), n)
}

func (r *rsa) reset() {
	r.block.reset()
	r.s.Op = 0
	r.done.Stop()
	r.intr.reset(0)
}

func (r *rsa) state(s *chip.State) { s.Fixed(&r.words, &r.s, &r.intr.Raw, &r.intr.Ena) }
