package c3

// Reed-Solomon code of the eFuse blocks 1 to 10, TRM 4.3.1.3: RS(44, 32) over
// GF(256) with the field polynomial 0x11d and the generator roots 2^0 to 2^11.
// It corrects up to six bytes.
const (
	rsData   = 32
	rsCheck  = 12
	rsLength = rsData + rsCheck
	rsPoly   = 0x11d
)

// rsField are the logarithms and powers of 2 in GF(256).
type rsField struct {
	exp [510]byte
	log [256]int
}

func newRSField() *rsField {
	f := &rsField{}
	x := 1
	for i := range 255 {
		f.exp[i], f.exp[i+255] = byte(x), byte(x)
		f.log[x] = i
		if x <<= 1; x > 255 {
			x ^= rsPoly
		}
	}
	return f
}

func (f *rsField) mul(a, b byte) byte {
	if a == 0 || b == 0 {
		return 0
	}
	return f.exp[f.log[a]+f.log[b]]
}

func (f *rsField) inv(a byte) byte { return f.exp[255-f.log[a]] }

// eval evaluates a polynomial whose coefficients begin with the constant term.
func (f *rsField) eval(p []byte, x byte) (y byte) {
	for i := len(p) - 1; i >= 0; i-- {
		y = f.mul(y, x) ^ p[i]
	}
	return y
}

// encode returns the check bytes of data.
func (f *rsField) encode(data *[rsData]byte) (check [rsCheck]byte) {
	// The generator, highest coefficient first and without the leading 1.
	gen := make([]byte, 1, rsCheck+1)
	gen[0] = 1
	for i := range rsCheck {
		gen = append(gen, 0)
		for j := len(gen) - 1; j > 0; j-- {
			gen[j] ^= f.mul(gen[j-1], f.exp[i])
		}
	}
	for _, d := range data {
		lead := d ^ check[0]
		copy(check[:], check[1:])
		check[rsCheck-1] = 0
		for j := range check {
			check[j] ^= f.mul(lead, gen[j+1])
		}
	}
	return check
}

// correct repairs a code word in place. It returns the number of wrong bytes,
// or false where there are more than six.
func (f *rsField) correct(word *[rsLength]byte) (wrong int, ok bool) {
	var syndrome [rsCheck]byte
	clean := true
	for i := range syndrome {
		for _, c := range word {
			syndrome[i] = f.mul(syndrome[i], f.exp[i]) ^ c
		}
		clean = clean && syndrome[i] == 0
	}
	if clean {
		return 0, true
	}
	locator := f.locate(syndrome[:])
	wrong = len(locator) - 1
	if wrong > rsCheck/2 {
		return 0, false
	}
	// The error values, by Forney's formula.
	omega := make([]byte, rsCheck)
	for i := range omega {
		for j := 0; j <= i && j < len(locator); j++ {
			omega[i] ^= f.mul(locator[j], syndrome[i-j])
		}
	}
	found := 0
	for pos := range rsLength {
		x := f.exp[rsLength-1-pos] // the locator of this byte
		inv := f.inv(x)
		if f.eval(locator, inv) != 0 {
			continue
		}
		found++
		var slope byte // the formal derivative: odd coefficients
		for j := 1; j < len(locator); j += 2 {
			slope ^= f.mul(locator[j], f.exp[f.log[inv]*(j-1)%255])
		}
		if slope == 0 {
			return 0, false
		}
		word[pos] ^= f.mul(x, f.mul(f.eval(omega, inv), f.inv(slope)))
	}
	return wrong, found == wrong
}

// locate returns the error locator polynomial, by Berlekamp and Massey.
func (f *rsField) locate(syndrome []byte) []byte {
	cur, prev := []byte{1}, []byte{1}
	length, shift, last := 0, 1, byte(1)
	for n := range syndrome {
		d := syndrome[n]
		for i := 1; i <= length && i < len(cur); i++ {
			d ^= f.mul(cur[i], syndrome[n-i])
		}
		if d == 0 {
			shift++
			continue
		}
		next := append([]byte(nil), cur...)
		for len(next) < len(prev)+shift {
			next = append(next, 0)
		}
		factor := f.mul(d, f.inv(last))
		for i, c := range prev {
			next[i+shift] ^= f.mul(factor, c)
		}
		if 2*length <= n {
			length, prev, last, shift = n+1-length, cur, d, 1
		} else {
			shift++
		}
		cur = next
	}
	return cur[:min(len(cur), length+1)]
}
