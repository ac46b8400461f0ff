package defmt

import (
	"math/bits"
	"strconv"
)

// appendUnsigned shows a number of up to 128 bits.
func appendUnsigned(out []byte, lo, hi uint64, h hint) []byte {
	switch h.kind {
	case hSeconds:
		unit := uint64(1e6)
		if h.digits == 3 {
			unit = 1e3
		}
		qlo, qhi, r := divide(lo, hi, unit)
		out = appendRadix(out, qlo, qhi, 10, false)
		return appendDecimals(out, r, h.digits)
	case hTime:
		return appendTime(out, lo, hi, h.digits)
	}
	return appendPadded(out, lo, hi, "", h)
}

// appendSigned shows a number whose sign is extended to 128 bits. Only
// hexadecimal knows its real width, as with the peer.
func appendSigned(out []byte, lo, hi uint64, k kind, h hint) []byte {
	switch h.kind {
	case hBinary, hOctal:
		return appendPadded(out, lo, hi, "", h)
	case hHex, hHexUpper:
		switch k {
		case kI8:
			lo, hi = lo&0xff, 0
		case kI16:
			lo, hi = lo&0xffff, 0
		case kI32, kISize:
			lo, hi = lo&0xffffffff, 0
		case kI64:
			hi = 0
		}
		return appendPadded(out, lo, hi, "", h)
	}
	sign := ""
	if hi>>63 != 0 {
		sign = "-"
		var carry uint64
		lo, carry = bits.Add64(^lo, 1, 0)
		hi, _ = bits.Add64(^hi, 0, carry)
	}
	if h.kind != hDefault {
		h = hint{}
	}
	return appendPadded(out, lo, hi, sign, h)
}

// appendPadded writes sign, prefix, zeros and digits.
func appendPadded(out []byte, lo, hi uint64, sign string, h hint) []byte {
	base, prefix := uint64(10), ""
	switch h.kind {
	case hHex, hHexUpper:
		base, prefix = 16, "0x"
	case hOctal:
		base, prefix = 8, "0o"
	case hBinary:
		base, prefix = 2, "0b"
	case hDefault:
	default:
		h.pad = 0
	}
	if !h.alternate {
		prefix = ""
	}
	var tmp [128]byte
	digits := appendRadix(tmp[:0], lo, hi, base, h.kind == hHexUpper)
	out = append(append(out, sign...), prefix...)
	for n := h.pad - len(sign) - len(prefix) - len(digits); n > 0; n-- {
		out = append(out, '0')
	}
	return append(out, digits...)
}

func appendRadix(out []byte, lo, hi, base uint64, upper bool) []byte {
	if hi == 0 && !upper {
		return strconv.AppendUint(out, lo, int(base))
	}
	digits := hexDigits
	if upper {
		digits = "0123456789ABCDEF"
	}
	var tmp [128]byte
	i := len(tmp)
	for {
		var r uint64
		lo, hi, r = divide(lo, hi, base)
		i--
		tmp[i] = digits[r]
		if lo|hi == 0 {
			return append(out, tmp[i:]...)
		}
	}
}

func divide(lo, hi, by uint64) (qlo, qhi, rest uint64) {
	qhi, rest = hi/by, hi%by
	qlo, rest = bits.Div64(rest, lo, by)
	return qlo, qhi, rest
}

// appendTime is [days:]hours:minutes:seconds[.decimals].
func appendTime(out []byte, lo, hi uint64, digits int) []byte {
	var rest, s, m, h uint64
	switch digits {
	case 6:
		lo, hi, rest = divide(lo, hi, 1e6)
	case 3:
		lo, hi, rest = divide(lo, hi, 1e3)
	}
	lo, hi, s = divide(lo, hi, 60)
	lo, hi, m = divide(lo, hi, 60)
	lo, hi, h = divide(lo, hi, 24)
	if lo|hi != 0 {
		out = append(appendRadix(out, lo, hi, 10, false), ':')
	}
	out = append(appendZeros(out, h, 2), ':')
	out = append(appendZeros(out, m, 2), ':')
	out = appendZeros(out, s, 2)
	return appendDecimals(out, rest, digits)
}

func appendDecimals(out []byte, v uint64, digits int) []byte {
	if digits == 0 {
		return out
	}
	return appendZeros(append(out, '.'), v, digits)
}

func appendZeros(out []byte, v uint64, width int) []byte {
	var tmp [20]byte
	d := strconv.AppendUint(tmp[:0], v, 10)
	for n := width - len(d); n > 0; n-- {
		out = append(out, '0')
	}
	return append(out, d...)
}
