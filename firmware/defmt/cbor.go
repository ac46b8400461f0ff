package defmt

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxCBORDepth bounds nesting.
const maxCBORDepth = 64

// appendCBOR shows a sequence of CBOR items (RFC 8742) in diagnostic notation
// (RFC 8949, section 8). Bytes that are no CBOR are shown as such.
func appendCBOR(out, b []byte) []byte {
	start := len(out)
	c := cbor{in: b, out: out}
	for n := 0; len(c.in) > 0; n++ {
		if n > 0 {
			c.out = append(c.out, ',')
		}
		if !c.item(0) {
			c.out = append(c.out[:start], "invalid CBOR (bytes: ["...)
			for i, x := range b {
				if i > 0 {
					c.out = append(c.out, ", "...)
				}
				c.out = append(c.out, hexDigits[x>>4], hexDigits[x&15])
			}
			return append(c.out, "])"...)
		}
	}
	return c.out
}

type cbor struct{ in, out []byte }

// head reads the first byte of an item and its argument. size is the number
// of bytes of the argument, -1 for an indefinite length.
func (c *cbor) head() (major byte, v uint64, size int, ok bool) {
	if len(c.in) == 0 {
		return 0, 0, 0, false
	}
	b := c.in[0]
	c.in = c.in[1:]
	major, low := b>>5, b&31
	switch {
	case low < 24:
		return major, uint64(low), 0, true
	case low == 31:
		return major, 0, -1, true
	case low > 27:
		return 0, 0, 0, false
	}
	size = 1 << (low - 24)
	if len(c.in) < size {
		return 0, 0, 0, false
	}
	for _, x := range c.in[:size] {
		v = v<<8 | uint64(x)
	}
	c.in = c.in[size:]
	return major, v, size, true
}

func (c *cbor) item(depth int) bool {
	major, v, size, ok := c.head()
	if !ok || depth > maxCBORDepth {
		return false
	}
	switch major {
	case 0:
		if size < 0 {
			return false
		}
		c.out = strconv.AppendUint(c.out, v, 10)
		c.encoding(v, size)
	case 1:
		if size < 0 {
			return false
		}
		if v == math.MaxUint64 {
			c.out = append(c.out, "-18446744073709551616"...)
		} else {
			c.out = strconv.AppendUint(append(c.out, '-'), v+1, 10)
		}
		c.encoding(v, size)
	case 2, 3:
		if size < 0 {
			return c.chunks(major)
		}
		if !c.text(major, v) {
			return false
		}
		c.encoding(v, size)
	case 4, 5:
		return c.list(major, v, size, depth)
	case 6:
		if size < 0 {
			return false
		}
		c.out = strconv.AppendUint(c.out, v, 10)
		c.encoding(v, size)
		c.out = append(c.out, '(')
		if !c.item(depth + 1) {
			return false
		}
		c.out = append(c.out, ')')
	case 7:
		return c.simple(v, size)
	}
	return true
}

func (c *cbor) text(major byte, n uint64) bool {
	if n > uint64(len(c.in)) {
		return false
	}
	b := c.in[:n]
	c.in = c.in[n:]
	if major == 2 {
		c.out = fmt.Appendf(c.out, "h'%x'", b)
		return true
	}
	if !utf8.Valid(b) {
		return false
	}
	c.out = append(c.out, '"')
	for _, r := range string(b) {
		switch {
		case r == '"' || r == '\\':
			c.out = append(c.out, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			c.out = fmt.Appendf(c.out, `\u%04x`, r)
		default:
			c.out = utf8.AppendRune(c.out, r)
		}
	}
	c.out = append(c.out, '"')
	return true
}

// encoding says how long the argument of an item was, where it was longer than
// it need be (RFC 8949, section 8.1).
func (c *cbor) encoding(v uint64, size int) {
	if v < 24 && size > 0 || v <= math.MaxUint8 && size > 1 || v <= math.MaxUint16 && size > 2 || v <= math.MaxUint32 && size > 4 {
		c.indicate(size)
	}
}

// indicate writes the indicator of an argument of size bytes.
func (c *cbor) indicate(size int) {
	name := map[int]byte{0: 'i', 1: '0', 2: '1', 4: '2', 8: '3'}[size]
	c.out = append(c.out, '_', name)
}

// end reads the break that ends an item of indefinite length.
func (c *cbor) end() bool {
	if len(c.in) > 0 && c.in[0] == 0xff {
		c.in = c.in[1:]
		return true
	}
	return false
}

func (c *cbor) chunks(major byte) bool {
	c.out = append(c.out, "(_ "...)
	for n := 0; !c.end(); n++ {
		if n > 0 {
			c.out = append(c.out, ", "...)
		}
		m, v, size, ok := c.head()
		if !ok || m != major || size < 0 || !c.text(m, v) {
			return false
		}
		c.indicate(size) // of pieces it is always told
	}
	c.out = append(c.out, ')')
	return true
}

func (c *cbor) list(major byte, n uint64, size, depth int) bool {
	open, shut := byte('['), byte(']')
	if major == 5 {
		open, shut = '{', '}'
	}
	c.out = append(c.out, open)
	switch {
	case size < 0:
		c.out = append(c.out, '_')
	default:
		if c.encoding(n, size); c.out[len(c.out)-1] != open {
			c.out = append(c.out, ' ')
		}
	}
	for i := uint64(0); size < 0 || i < n; i++ {
		if size < 0 && c.end() {
			break
		}
		if i == 0 && size < 0 {
			c.out = append(c.out, ' ')
		}
		if i > 0 {
			c.out = append(c.out, ", "...)
		}
		if !c.item(depth + 1) {
			return false
		}
		if major == 5 {
			c.out = append(c.out, ':')
			if !c.item(depth + 1) {
				return false
			}
		}
	}
	c.out = append(c.out, shut)
	return true
}

func (c *cbor) simple(v uint64, size int) bool {
	var f float64
	switch size {
	case 0:
		switch v {
		case 20:
			c.out = append(c.out, "false"...)
		case 21:
			c.out = append(c.out, "true"...)
		case 22:
			c.out = append(c.out, "null"...)
		case 23:
			c.out = append(c.out, "undefined"...)
		default:
			c.out = fmt.Appendf(c.out, "simple(%d)", v)
		}
		return true
	case 1:
		c.out = fmt.Appendf(c.out, "simple(%d)", v)
		return v >= 32
	case 2:
		f = half(uint16(v))
	case 4:
		f = float64(math.Float32frombits(uint32(v)))
	case 8:
		f = math.Float64frombits(v)
	default:
		return false // a break without its list
	}
	switch {
	case math.IsNaN(f):
		c.out = append(c.out, "NaN"...)
	case math.IsInf(f, 0):
		if f < 0 {
			c.out = append(c.out, '-')
		}
		c.out = append(c.out, "Infinity"...)
	default:
		from := len(c.out)
		if c.out = strconv.AppendFloat(c.out, f, 'f', -1, 64); !bytes.ContainsRune(c.out[from:], '.') {
			c.out = append(c.out, ".0"...)
		}
	}
	c.indicate(size)
	return true
}

// half reads a 16-bit float (IEEE 754 binary16).
func half(v uint16) float64 {
	mantissa, exp := float64(v&0x3ff), int(v>>10&31)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		f = math.Inf(1)
		if mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exp-25)
	}
	return math.Copysign(f, 1-2*float64(v>>15))
}
