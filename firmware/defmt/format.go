package defmt

import (
	"math"
	"strconv"
	"strings"
)

// kind is the type of an argument.
type kind uint8

const (
	kFormat kind = iota // {=?} or {}
	kFormatSlice
	kFormatArray
	kFormatSequence
	kBits // {=3..7}
	kBool
	kChar
	kF32
	kF64
	kI8
	kI16
	kI32
	kI64
	kI128
	kISize
	kU8
	kU16
	kU32
	kU64
	kU128
	kUSize
	kStr
	kIStr
	kBytes
	kByteArray
	kPreformatted // core's Debug or Display, formatted by the device
)

var kindOfName = map[string]kind{
	"?": kFormat, "[?]": kFormatSlice, "__internal_FormatSequence": kFormatSequence,
	"bool": kBool, "char": kChar, "f32": kF32, "f64": kF64,
	"i8": kI8, "i16": kI16, "i32": kI32, "i64": kI64, "i128": kI128, "isize": kISize,
	"u8": kU8, "u16": kU16, "u32": kU32, "u64": kU64, "u128": kU128, "usize": kUSize,
	"str": kStr, "istr": kIStr, "[u8]": kBytes,
	"__internal_Debug": kPreformatted, "__internal_Display": kPreformatted,
}

// hintKind is a way to show an argument.
type hintKind uint8

const (
	noHint hintKind = iota // none was given: that of the parent counts
	hDefault
	hHex
	hHexUpper
	hOctal
	hBinary
	hASCII
	hDebug
	hSeconds // us, ms: a timestamp in seconds
	hTime    // tus, tms, ts: hours, minutes, seconds
	hISO8601
	hBitflags
	hCBOR
	hUnknown
)

// hint is a display hint, the part after the colon.
type hint struct {
	kind      hintKind
	alternate bool   // #
	pad       int    // zeros up to this width, sign and prefix included
	digits    int    // decimals of a time: 6, 3, 0
	flags     string // of hBitflags: name@package@disambiguator[@crate]
}

// slot is an argument on the wire: what is sent once, however often it is
// shown.
type slot struct {
	kind  kind
	count int // of an array
	// Of bits: the lowest and the end of the highest field shown.
	low, high int
}

// fragment is a piece of a parsed format string: literal text, or an argument
// where arg is not -1.
type fragment struct {
	text      string
	arg       int
	kind      kind
	low, high int // of bits
	hint      hint
}

// format is a parsed format string. An enum has variants instead of
// fragments.
type format struct {
	source    string
	fragments []fragment
	slots     []slot
	variants  []*format
	broken    bool // the string does not follow the grammar
}

const (
	maxArgs = 1 << 10 // per format string
	maxPad  = 1 << 10
)

// parseFormat reads a format string that describes a type, and may be an
// enum: one format per variant, separated by bars.
func parseFormat(s string) *format {
	f := &format{source: s}
	if strings.Contains(s, "|") {
		for _, v := range strings.Split(s, "|") {
			f.variants = append(f.variants, parseString(v))
		}
	}
	return f.parse()
}

// parseString reads a format string without changes.
func parseString(s string) *format { return (&format{source: s}).parse() }

func (f *format) parse() *format {
	if !f.parseFragments() || !f.layOut() {
		f.broken, f.fragments, f.slots = true, nil, nil
	}
	return f
}

func (f *format) parseFragments() bool {
	s, next := f.source, 0
	for s != "" {
		lit, rest, ok := literal(s)
		if !ok {
			return false
		}
		if lit != "" {
			f.fragments = append(f.fragments, fragment{text: lit, arg: -1})
		}
		if rest == "" {
			break
		}
		inner, after, ok := strings.Cut(rest[1:], "}")
		if !ok {
			return false
		}
		p, indexed, ok := parseParam(inner)
		if !ok {
			return false
		}
		if !indexed {
			p.arg = next
			next++
		}
		if p.arg >= maxArgs {
			return false
		}
		f.fragments = append(f.fragments, p)
		s = after
	}
	return true
}

// literal cuts the text before the next parameter, with doubled braces undone.
// rest begins with the parameter's brace or is empty.
func literal(s string) (text, rest string, ok bool) {
	i := 0
	for {
		j := strings.IndexByte(s[i:], '{')
		if j < 0 {
			i = len(s)
			break
		}
		i += j
		if !strings.HasPrefix(s[i:], "{{") {
			break
		}
		i += 2
	}
	text, rest = s[:i], s[i:]
	if strings.ContainsAny(text, "{}") {
		// Which single braces are errors is decided by parity, as the peer does.
		open, shut := false, false
		for _, c := range text {
			switch c {
			case '{':
				open = !open
			case '}':
				shut = !shut
			default:
				if open || shut {
					return "", "", false
				}
			}
		}
		if open || shut {
			return "", "", false
		}
		text = strings.ReplaceAll(strings.ReplaceAll(text, "{{", "{"), "}}", "}")
	}
	return text, rest, true
}

// parseParam reads the text between braces: [index] [=type] [:hint].
func parseParam(s string) (p fragment, indexed, ok bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i > 0 {
		n, err := strconv.Atoi(s[:i])
		if err != nil {
			return p, false, false
		}
		p.arg, indexed = n, true
	}
	s = s[i:]
	if strings.HasPrefix(s, "=") {
		name := s[1:]
		if i := strings.IndexByte(name, ':'); i >= 0 {
			name, s = name[:i], name[i:]
		} else {
			s = ""
		}
		if !p.parseType(name) {
			return p, false, false
		}
	}
	switch {
	case s == "":
	case s[0] != ':' || len(s) == 1:
		return p, false, false
	default:
		p.hint = parseHint(s[1:])
	}
	return p, indexed, true
}

func (p *fragment) parseType(name string) bool {
	if k, ok := kindOfName[name]; ok {
		p.kind = k
		return true
	}
	if n, ok := arrayLength(name, "[u8;"); ok {
		p.kind, p.low = kByteArray, n
		return true
	}
	if n, ok := arrayLength(name, "[?;"); ok {
		p.kind, p.low = kFormatArray, n
		return true
	}
	from, to, ok := strings.Cut(name, "..")
	low, err1 := strconv.ParseUint(from, 10, 8)
	high, err2 := strconv.ParseUint(to, 10, 8)
	if !ok || err1 != nil || err2 != nil || high <= low || low >= 128 || high > 128 {
		return false
	}
	p.kind, p.low, p.high = kBits, int(low), int(high)
	return true
}

func arrayLength(name, prefix string) (int, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	s, ok = strings.CutSuffix(strings.TrimLeft(s, " "), "]")
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), ok && err == nil
}

func parseHint(s string) hint {
	var h hint
	s, h.alternate = strings.CutPrefix(s, "#")
	if rest, ok := strings.CutPrefix(s, "0"); ok {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil {
			return hint{kind: hUnknown}
		}
		h.pad, s = min(n, maxPad), rest[i:]
	}
	if flags, ok := strings.CutPrefix(s, "__internal_bitflags_"); ok {
		if n := strings.Count(flags, "@"); n < 2 || n > 3 {
			return hint{kind: hUnknown}
		}
		h.kind, h.flags = hBitflags, flags
		return h
	}
	switch s {
	case "":
		h.kind = hDefault
	case "us":
		h.kind, h.digits = hSeconds, 6
	case "ms":
		h.kind, h.digits = hSeconds, 3
	case "tus":
		h.kind, h.digits = hTime, 6
	case "tms":
		h.kind, h.digits = hTime, 3
	case "ts":
		h.kind = hTime
	case "iso8601ms":
		h.kind, h.digits = hISO8601, 3
	case "iso8601s":
		h.kind = hISO8601
	case "a":
		h.kind = hASCII
	case "b":
		h.kind = hBinary
	case "o":
		h.kind = hOctal
	case "x":
		h.kind = hHex
	case "X":
		h.kind = hHexUpper
	case "?":
		h.kind = hDebug
	case "cbor":
		h.kind = hCBOR
	default:
		h.kind = hUnknown
	}
	return h
}

// layOut finds what is sent: one slot per index, bit fields of one index
// merged to the range that covers them.
func (f *format) layOut() bool {
	used := 0
	for _, p := range f.fragments {
		used = max(used, p.arg+1)
	}
	f.slots = make([]slot, used)
	for i := range f.slots {
		f.slots[i].low = math.MaxInt // not seen
	}
	for _, p := range f.fragments {
		if p.arg < 0 {
			continue
		}
		s := &f.slots[p.arg]
		switch {
		case s.low == math.MaxInt:
			*s = slot{kind: p.kind, count: p.low, low: p.low, high: p.high}
		case s.kind != p.kind || s.kind != kBits && s.count != p.low:
			return false
		default:
			s.low, s.high = min(s.low, p.low), max(s.high, p.high)
		}
	}
	for i := range f.slots {
		if f.slots[i].low == math.MaxInt {
			return false // an argument that is never shown
		}
	}
	return true
}
