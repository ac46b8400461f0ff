package defmt

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// render appends the text of f to d.out; first is where its arguments are,
// parent the hint of the value that it is part of.
func (d *Decoder) render(f *format, first int32, parent hint) {
	for i := range f.fragments {
		p := &f.fragments[i]
		if p.arg < 0 {
			d.out = append(d.out, p.text...)
			continue
		}
		d.renderArg(p, &d.args[int(first)+p.arg], parent)
	}
}

func (d *Decoder) renderArg(p *fragment, a *arg, parent hint) {
	h := p.hint
	if h.kind == noHint {
		h = parent
	}
	switch p.kind {
	case kBool:
		d.out = strconv.AppendBool(d.out, a.lo == 1)
	case kChar:
		d.out = utf8.AppendRune(d.out, rune(a.lo))
	case kF32:
		d.out = appendFloat(d.out, float64(math.Float32frombits(uint32(a.lo))), 32)
	case kF64:
		d.out = appendFloat(d.out, math.Float64frombits(a.lo), 64)
	case kI8, kI16, kI32, kI64, kI128, kISize:
		d.out = appendSigned(d.out, a.lo, a.hi, p.kind, h)
	case kU8, kU16, kU32, kU64, kU128, kUSize:
		switch h.kind {
		case hISO8601:
			d.out = appendISO8601(d.out, a.lo, h.digits)
		case hDebug:
			d.unsigned(a.lo, a.hi, parent)
		default:
			d.unsigned(a.lo, a.hi, h)
		}
	case kBits:
		left := uint(128 - p.high)
		lo, hi := shiftLeft(a.lo, a.hi, left)
		lo, hi = shiftRight(lo, hi, left+uint(p.low))
		if h.kind != hASCII {
			d.unsigned(lo, hi, h)
			return
		}
		var be [16]byte
		for i := range 8 {
			be[i], be[8+i] = byte(hi>>(56-8*i)), byte(lo>>(56-8*i))
		}
		d.bytes(be[min((int(left)+p.low)/8, 16):], h)
	case kStr, kPreformatted:
		d.text(a.bytes, h)
	case kIStr:
		d.text([]byte(a.format.source), h)
	case kBytes, kByteArray:
		d.bytes(a.bytes, h)
	case kFormat:
		if parent.kind == hASCII {
			h = parent
		}
		d.render(a.format, a.first, h)
	case kFormatSequence:
		for i := a.first; i >= 0; i = d.args[i].next {
			d.render(d.args[i].format, d.args[i].first, h)
		}
	case kFormatSlice, kFormatArray:
		d.list(a, h)
	}
}

// list shows elements; those that are bytes as text, if that is asked for.
func (d *Decoder) list(a *arg, h hint) {
	if h.kind == hASCII && a.first >= 0 && d.args[a.first].format.source == "{=u8}" {
		var b []byte
		for i := a.first; i >= 0; i = d.args[i].next {
			b = append(b, byte(d.args[d.args[i].first].lo))
		}
		d.bytes(b, h)
		return
	}
	d.out = append(d.out, '[')
	for i := a.first; i >= 0; i = d.args[i].next {
		if i != a.first {
			d.out = append(d.out, ", "...)
		}
		d.render(d.args[i].format, d.args[i].first, h)
	}
	d.out = append(d.out, ']')
}

func (d *Decoder) unsigned(lo, hi uint64, h hint) {
	if h.kind == hBitflags {
		if flags, ok := d.table.flags[h.flags]; ok {
			d.flags(flags, lo, hi)
			return
		}
	}
	d.out = appendUnsigned(d.out, lo, hi, h)
}

// flags shows the names of the flags that are set. A flag of no bits counts
// only for the value 0.
func (d *Decoder) flags(all []flag, lo, hi uint64) {
	start := len(d.out)
	for _, f := range all {
		if f.lo|f.hi == 0 && lo|hi != 0 || lo&f.lo != f.lo || hi&f.hi != f.hi {
			continue
		}
		if len(d.out) > start {
			d.out = append(d.out, " | "...)
		}
		d.out = append(d.out, f.name...)
	}
	if len(d.out) == start {
		d.out = append(d.out, "(empty)"...)
	}
}

func (d *Decoder) text(s []byte, h hint) {
	if h.kind != hDebug {
		d.out = append(d.out, s...)
		return
	}
	d.out = append(d.out, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch r {
		case '"', '\\':
			d.out = append(d.out, '\\', byte(r))
		case '\n':
			d.out = append(d.out, `\n`...)
		case '\r':
			d.out = append(d.out, `\r`...)
		case '\t':
			d.out = append(d.out, `\t`...)
		case 0:
			d.out = append(d.out, `\0`...)
		default:
			if unicode.IsPrint(r) && !unicode.In(r, unicode.Mn, unicode.Me) {
				d.out = append(d.out, s[:n]...)
			} else {
				d.out = append(d.out, `\u{`...)
				d.out = strconv.AppendUint(d.out, uint64(r), 16)
				d.out = append(d.out, '}')
			}
		}
		s = s[n:]
	}
	d.out = append(d.out, '"')
}

func (d *Decoder) bytes(b []byte, h hint) {
	switch h.kind {
	case hASCII:
		d.out = appendASCII(d.out, b)
		return
	case hCBOR:
		d.out = appendCBOR(d.out, b)
		return
	case hHex, hHexUpper, hOctal, hBinary:
	default:
		h = hint{}
	}
	d.out = append(d.out, '[')
	for i, c := range b {
		if i > 0 {
			d.out = append(d.out, ", "...)
		}
		d.out = appendUnsigned(d.out, uint64(c), 0, h)
	}
	d.out = append(d.out, ']')
}

// appendASCII is a Rust byte string literal.
func appendASCII(out, b []byte) []byte {
	out = append(out, `b"`...)
	for _, c := range b {
		switch {
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c >= 0x20 && c < 0x7f:
			out = append(out, c)
		default:
			out = append(out, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(out, '"')
}

const hexDigits = "0123456789abcdef"

// appendISO8601 shows seconds or milliseconds since 1970. A year that has no
// four digits leaves the number as it is.
func appendISO8601(out []byte, v uint64, digits int) []byte {
	scale := uint64(1)
	layout := "2006-01-02T15:04:05Z"
	if digits == 3 {
		scale, layout = 1000, "2006-01-02T15:04:05.000Z"
	}
	const year10000 = 253402300800
	if v/scale >= year10000 {
		return strconv.AppendUint(out, v, 10)
	}
	return time.Unix(int64(v/scale), int64(v%scale)*int64(time.Millisecond)).UTC().AppendFormat(out, layout)
}

// appendFloat is the shortest text that reads back as v, always with a
// decimal point or an exponent: 1.5, -0.0, 1e16, NaN, inf.
func appendFloat(out []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, "NaN"...)
	case math.IsInf(v, 1):
		return append(out, "inf"...)
	case math.IsInf(v, -1):
		return append(out, "-inf"...)
	}
	if math.Signbit(v) {
		out, v = append(out, '-'), -v
	}
	if v == 0 {
		return append(out, "0.0"...)
	}
	var tmp [32]byte
	mantissa, exp, _ := strings.Cut(string(strconv.AppendFloat(tmp[:0], v, 'e', -1, bits)), "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	e, _ := strconv.Atoi(exp)
	point := e + 1 // digits before the decimal point
	most, least := 16, -5
	if bits == 32 {
		most, least = 13, -6
	}
	switch {
	case len(digits) <= point && point <= most:
		out = append(out, digits...)
		out = append(out, strings.Repeat("0", point-len(digits))...)
		return append(out, ".0"...)
	case 0 < point && point <= most:
		out = append(out, digits[:point]...)
		out = append(out, '.')
		return append(out, digits[point:]...)
	case least < point && point <= 0:
		out = append(out, "0."...)
		out = append(out, strings.Repeat("0", -point)...)
		return append(out, digits...)
	}
	out = append(out, digits[0])
	if len(digits) > 1 {
		out = append(out, '.')
		out = append(out, digits[1:]...)
	}
	out = append(out, 'e')
	return strconv.AppendInt(out, int64(e), 10)
}
