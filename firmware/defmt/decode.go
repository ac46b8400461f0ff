package defmt

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Bounds of one frame: a length that a damaged frame names costs nothing.
const (
	maxDecoded = 1 << 16 // arguments, nested ones included
	maxDepth   = 128
)

// Frame is one log statement as it ran. The byte slices are valid until the
// decoder's next call.
type Frame struct {
	Index     uint16
	Level     Level
	Timestamp []byte    // as the program's own format shows it; nil without
	Message   []byte    // UTF-8, may have several lines
	Place     *Location // nil if unknown; shared
}

// Decoder reads frames. It keeps its memory from one to the next and is not
// safe for concurrent use.
type Decoder struct {
	table *Table
	in    []byte
	args  []arg
	depth int
	out   []byte
}

// NewDecoder returns a decoder for frames of t's program.
func NewDecoder(t *Table) *Decoder { return &Decoder{table: t} }

// arg is a decoded argument. Those of one format lie next to each other.
type arg struct {
	lo, hi uint64  // number, two's complement over both
	bytes  []byte  // text or bytes
	format *format // of a nested value: what its arguments are
	first  int32   // nested: the first argument of format; list: the first element; -1: none
	next   int32   // the next element of the list this one is in; -1: the last
}

// Decode reads one unpacked frame: index, timestamp, arguments. It returns how
// many bytes that took, which matters in the raw encoding. The error is
// ErrShort if b ends too early, else ErrMalformed.
func (d *Decoder) Decode(b []byte) (f Frame, n int, err error) {
	d.in, d.args, d.out, d.depth = b, d.args[:0], d.out[:0], 0
	index, ok := d.u16()
	if !ok {
		return f, 0, ErrShort
	}
	time := int32(-1)
	if ts := d.table.timestamp; ts != nil {
		if time, err = d.decodeArgs(ts); err != nil {
			return f, 0, err
		}
	}
	e := d.table.entry(index)
	if e == nil || e.format.broken {
		return f, 0, ErrMalformed
	}
	first, err := d.decodeArgs(e.format)
	if err != nil {
		return f, 0, err
	}
	f = Frame{Index: index, Level: e.level, Place: e.place}
	if time >= 0 {
		d.render(d.table.timestamp, time, hint{})
	}
	end := len(d.out)
	d.render(e.format, first, hint{})
	if d.table.timestamp != nil {
		f.Timestamp = d.out[:end:end]
	}
	f.Message = d.out[end:]
	return f, len(b) - len(d.in), nil
}

// reserve makes room for n arguments and returns where.
func (d *Decoder) reserve(n int) (int32, error) {
	first := len(d.args)
	if first+n > maxDecoded {
		return 0, ErrMalformed
	}
	for range n {
		d.args = append(d.args, arg{first: -1, next: -1})
	}
	return int32(first), nil
}

// decodeArgs reads the arguments of f and returns where they are.
func (d *Decoder) decodeArgs(f *format) (int32, error) {
	if f.broken || d.depth >= maxDepth {
		return 0, ErrMalformed
	}
	first, err := d.reserve(len(f.slots))
	if err != nil {
		return 0, err
	}
	d.depth++ // an error ends the whole frame: only success comes back up
	for i := range f.slots {
		a, err := d.decodeArg(&f.slots[i])
		if err != nil {
			return 0, err
		}
		d.args[int(first)+i] = a
	}
	d.depth--
	return first, nil
}

func (d *Decoder) decodeArg(s *slot) (a arg, err error) {
	a.first, a.next = -1, -1
	ok := true
	switch s.kind {
	case kBool:
		if ok = d.number(&a, 1); a.lo > 1 {
			return a, ErrMalformed
		}
	case kU8:
		ok = d.number(&a, 1)
	case kU16:
		ok = d.number(&a, 2)
	case kU32, kUSize, kF32:
		ok = d.number(&a, 4)
	case kU64, kF64:
		ok = d.number(&a, 8)
	case kU128, kI128:
		ok = d.number(&a, 16)
	case kI8:
		ok = d.number(&a, 1)
		a.signed(int64(int8(a.lo)))
	case kI16:
		ok = d.number(&a, 2)
		a.signed(int64(int16(a.lo)))
	case kI32, kISize:
		ok = d.number(&a, 4)
		a.signed(int64(int32(a.lo)))
	case kI64:
		ok = d.number(&a, 8)
		a.signed(int64(a.lo))
	case kChar:
		if ok = d.number(&a, 4); ok && (a.lo > utf8.MaxRune || !utf8.ValidRune(rune(a.lo))) {
			return a, ErrMalformed
		}
	case kBits:
		low := s.low / 8
		switch n := (s.high-1)/8 - low + 1; {
		case n <= 2:
			ok = d.number(&a, n)
		case n <= 4:
			ok = d.number(&a, 4)
		case n <= 8:
			ok = d.number(&a, 8)
		default:
			ok = d.number(&a, 16)
		}
		a.lo, a.hi = shiftLeft(a.lo, a.hi, uint(low*8))
	case kStr, kBytes:
		var n uint32
		if n, ok = d.u32(); ok {
			a.bytes, ok = d.take(uint64(n))
		}
		if ok && s.kind == kStr && !utf8.Valid(a.bytes) {
			return a, ErrMalformed
		}
	case kByteArray:
		a.bytes, ok = d.take(uint64(s.count))
	case kPreformatted:
		i := bytes.IndexByte(d.in, 0xff)
		if i < 0 {
			return a, ErrShort
		}
		if a.bytes, ok = d.take(uint64(i)); !utf8.Valid(a.bytes) {
			return a, ErrMalformed
		}
		d.in = d.in[1:]
	case kIStr:
		a.format, err = d.interned()
	case kFormat:
		if a.format, err = d.interned(); err == nil {
			err = d.nested(&a)
		}
	case kFormatSlice:
		var n uint32
		if n, ok = d.u32(); ok {
			err = d.elements(&a, uint64(n))
		}
	case kFormatArray:
		err = d.elements(&a, uint64(s.count))
	case kFormatSequence:
		err = d.sequence(&a)
	}
	if !ok && err == nil {
		err = ErrShort
	}
	return a, err
}

// nested reads which variant of a.format it is, if that is an enum, and its
// arguments.
func (d *Decoder) nested(a *arg) (err error) {
	if n := len(a.format.variants); n > 0 {
		// As many bytes as the number of bars needs.
		size := 4
		if n-1 <= 0xff {
			size = 1
		} else if n-1 <= 0xffff {
			size = 2
		}
		var which arg
		if !d.number(&which, size) {
			return ErrShort
		}
		if which.lo >= uint64(n) {
			return ErrMalformed
		}
		a.format = a.format.variants[which.lo]
	}
	a.first, err = d.decodeArgs(a.format)
	return err
}

// elements reads n values that share one format.
func (d *Decoder) elements(list *arg, n uint64) error {
	f, err := d.interned()
	if err != nil {
		return err
	}
	if n > maxDecoded {
		if n > uint64(len(d.in)) {
			return ErrShort
		}
		return ErrMalformed
	}
	last := int32(-1)
	for range n {
		if last, err = d.element(list, last, f, true); err != nil {
			return err
		}
	}
	return nil
}

// sequence reads values until the index 0.
func (d *Decoder) sequence(list *arg) error {
	last := int32(-1)
	for {
		i, ok := d.u16()
		if !ok {
			return ErrShort
		}
		if i == 0 {
			return nil
		}
		f, err := d.lookup(i)
		if err != nil {
			return err
		}
		if last, err = d.element(list, last, f, false); err != nil {
			return err
		}
	}
}

// element reads one value and appends it to a list.
func (d *Decoder) element(list *arg, last int32, f *format, enum bool) (int32, error) {
	at, err := d.reserve(1)
	if err != nil {
		return 0, err
	}
	a := arg{format: f, first: -1, next: -1}
	if enum {
		err = d.nested(&a)
	} else {
		a.first, err = d.decodeArgs(f)
	}
	if err != nil {
		return 0, err
	}
	d.args[at] = a
	if last < 0 {
		list.first = at
	} else {
		d.args[last].next = at
	}
	return at, nil
}

// interned reads an index and returns the string with that index.
func (d *Decoder) interned() (*format, error) {
	i, ok := d.u16()
	if !ok {
		return nil, ErrShort
	}
	return d.lookup(i)
}

func (d *Decoder) lookup(i uint16) (*format, error) {
	e := d.table.entry(i)
	if e == nil || e.level != NoLevel {
		return nil, ErrMalformed
	}
	return e.format, nil
}

func (d *Decoder) take(n uint64) ([]byte, bool) {
	if n > uint64(len(d.in)) {
		return nil, false
	}
	b := d.in[:n:n]
	d.in = d.in[n:]
	return b, true
}

func (d *Decoder) u16() (uint16, bool) {
	b, ok := d.take(2)
	if !ok {
		return 0, false
	}
	return binary.LittleEndian.Uint16(b), true
}

func (d *Decoder) u32() (uint32, bool) {
	b, ok := d.take(4)
	if !ok {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// number reads a little-endian number of 1 to 16 bytes.
func (d *Decoder) number(a *arg, size int) bool {
	b, ok := d.take(uint64(size))
	for i := len(b) - 1; i >= 0; i-- {
		a.hi = a.hi<<8 | a.lo>>56
		a.lo = a.lo<<8 | uint64(b[i])
	}
	return ok
}

func (a *arg) signed(v int64) { a.lo, a.hi = uint64(v), uint64(v>>63) }

func shiftLeft(lo, hi uint64, n uint) (uint64, uint64) {
	if n >= 64 {
		return 0, lo << (n - 64)
	}
	return lo << n, hi<<n | lo>>(64-n)
}

func shiftRight(lo, hi uint64, n uint) (uint64, uint64) {
	if n >= 64 {
		return hi >> (n - 64), 0
	}
	return lo>>n | hi<<(64-n), hi >> n
}
