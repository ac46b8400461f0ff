package defmt

import (
	"encoding/binary"
	"math/rand/v2"
)

// Pack is the encoder of rzCOBS, as a device has it.
func Pack(b []byte) []byte {
	var out []byte
	run, zeros := 0, byte(0)
	for _, c := range b {
		switch {
		case run < 7:
			if c == 0 {
				zeros |= 1 << run
			} else {
				out = append(out, c)
			}
			if run++; run == 7 && zeros != 0 {
				out = append(out, zeros)
				run, zeros = 0, 0
			}
		case c == 0:
			out = append(out, byte(run-7)|0x80)
			run, zeros = 0, 0
		default:
			out = append(out, c)
			if run++; run == 134 {
				out = append(out, 0xff)
				run, zeros = 0, 0
			}
		}
	}
	switch {
	case run == 0:
	case run < 7:
		out = append(out, (zeros|0xff<<run)&0x7f)
	default:
		out = append(out, byte(run-7)|0x80)
	}
	return out
}

// Generate makes a frame of a random log statement, with arguments that are
// nearly always right.
func (t *Table) Generate(r *rand.Rand) []byte {
	g := generator{t: t, r: r}
	for i, e := range t.entries {
		if e.level == NoLevel && !e.log {
			g.types = append(g.types, i)
		}
	}
	logs := t.Indices()
	i := logs[r.IntN(len(logs))]
	g.u16(i)
	if t.timestamp != nil {
		g.args(t.timestamp, 0)
	}
	g.args(t.entries[i].format, 0)
	return g.out
}

type generator struct {
	t     *Table
	r     *rand.Rand
	out   []byte
	types []uint16
}

func (g *generator) u16(v uint16) { g.out = binary.LittleEndian.AppendUint16(g.out, v) }

func (g *generator) number(size int) {
	var b [16]byte
	for i := range b {
		b[i] = byte(g.r.Uint32())
	}
	switch g.r.IntN(4) { // often small, zero, or all ones
	case 0:
		clear(b[1:])
	case 1:
		clear(b[:])
	case 2:
		for i := range b {
			b[i] = 0xff
		}
	}
	g.out = append(g.out, b[:size]...)
}

func (g *generator) args(f *format, depth int) {
	for _, s := range f.slots {
		switch s.kind {
		case kBool:
			g.out = append(g.out, byte(g.r.IntN(2)))
		case kU8, kI8:
			g.number(1)
		case kU16, kI16:
			g.number(2)
		case kU32, kI32, kUSize, kISize, kF32:
			g.number(4)
		case kU64, kI64, kF64:
			g.number(8)
		case kU128, kI128:
			g.number(16)
		case kChar:
			g.out = binary.LittleEndian.AppendUint32(g.out, uint32(g.r.IntN(0xd000)))
		case kBits:
			n := (s.high-1)/8 - s.low/8 + 1
			for _, size := range []int{1, 2, 4, 8, 16} {
				if n <= size {
					g.number(size)
					break
				}
			}
		case kBytes:
			text := cborExamples[g.r.IntN(len(cborExamples))]
			g.out = binary.LittleEndian.AppendUint32(g.out, uint32(len(text)))
			g.out = append(g.out, text...)
		case kStr:
			const whole = "aß\"\\\n\x00→z"
			text := whole[:g.r.IntN(len(whole)+1)]
			g.out = binary.LittleEndian.AppendUint32(g.out, uint32(len(text)))
			g.out = append(g.out, text...)
		case kByteArray:
			for range s.count {
				g.number(1)
			}
		case kPreformatted:
			g.out = append(g.out, "core \"text\"\xff"...)
		case kIStr:
			g.u16(g.types[g.r.IntN(len(g.types))])
		case kFormat:
			g.nested(g.pick(depth), depth)
		case kFormatSlice, kFormatArray:
			n := s.count
			if s.kind == kFormatSlice {
				n = g.r.IntN(4)
				g.out = binary.LittleEndian.AppendUint32(g.out, uint32(n))
			}
			i := g.pick(depth)
			g.u16(i)
			for range n {
				g.value(g.t.entries[i].format, depth)
			}
		case kFormatSequence:
			for range g.r.IntN(3) {
				i := g.pick(depth)
				g.u16(i)
				g.args(g.t.entries[i].format, depth+1)
			}
			g.u16(0)
		}
	}
}

// pick chooses a type; deep down only one without arguments.
func (g *generator) pick(depth int) uint16 {
	for range 10000 {
		i := g.types[g.r.IntN(len(g.types))]
		f := g.t.entries[i].format
		if depth < 4 || len(f.slots) == 0 && len(f.variants) == 0 {
			return i
		}
	}
	return 0
}

func (g *generator) nested(i uint16, depth int) {
	g.u16(i)
	if e := g.t.entries[i]; e != nil {
		g.value(e.format, depth)
	}
}

func (g *generator) value(f *format, depth int) {
	if n := len(f.variants); n > 0 {
		which := g.r.IntN(n)
		g.out = append(g.out, byte(which))
		f = f.variants[which]
	}
	g.args(f, depth+1)
}

// cborExamples are encodings of RFC 8949, appendix A, and some that are wrong.
var cborExamples = []string{
	"", "\x00", "\x17", "\x18\x18", "\x19\x03\xe8", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "\x20", "\x38\x63", "\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
	"\xf9\x00\x00", "\xf9\x80\x00", "\xf9\x3e\x00", "\xf9\x7b\xff", "\xfa\x47\xc3\x50\x00", "\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", "\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c",
	"\xf9\x7c\x00", "\xf9\x7e\x00", "\xf9\xfc\x00", "\xf4", "\xf5", "\xf6", "\xf7", "\xf0", "\xf8\xff",
	"\xc0\x74\x32\x30\x31\x33\x2d\x30\x33\x2d\x32\x31\x54\x32\x30\x3a\x30\x34\x3a\x30\x30\x5a", "\xd7\x44\x01\x02\x03\x04", "\x40", "\x44\x01\x02\x03\x04", "\x60", "\x61\x61",
	"\x62\x22\x5c", "\x62\xc3\xbc", "\x80", "\x83\x01\x02\x03", "\x83\x01\x82\x02\x03\x82\x04\x05", "\xa0", "\xa2\x01\x02\x03\x04", "\xa2\x61\x61\x01\x61\x62\x82\x02\x03",
	"\x5f\x42\x01\x02\x43\x03\x04\x05\xff", "\x7f\x65strea\x64ming\xff", "\x9f\xff", "\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff", "\xbf\x63Fun\xf5\x63Amt\x21\xff",
	"\x01\x02\x03", "\x18", "\x83\x01", "\xff", "\x1c", "\x61\xff", "\x9f\x01", "\x5f\x61a\xff", "\xf8\x10",
}
