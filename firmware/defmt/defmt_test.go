package defmt

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// symbol makes the name of a defmt symbol.
func symbol(addr uint32, tag, data string) Symbol {
	return Symbol{Name: fmt.Sprintf(`{"package":"p","tag":"defmt_%s","data":%q,"disambiguator":"%d"}`, tag, data, addr), Addr: addr, Section: true}
}

func small(t testing.TB, extra ...Symbol) *Table {
	t.Helper()
	tab, err := NewTable(append([]Symbol{
		{Name: "_defmt_version_ = 4"}, {Name: "_defmt_encoding_ = rzcobs"},
		symbol(1, "prim", "{=u8}"), symbol(2, "derived", "A|B({=u8})|C"), symbol(3, "info", "n {=u32:#x} {}"),
		symbol(4, "derived", "Self({=?})"), symbol(5, "println", "{=[?]} {=str}"), symbol(6, "write", "{=__internal_FormatSequence}"),
		symbol(7, "error", "{=?}"), symbol(8, "prim", "{=[?]}"), symbol(9, "prim", "Unit"),
	}, extra...))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestPackUnpack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		b := make([]byte, r.IntN(300))
		for i := range b {
			if r.IntN(1+r.IntN(20)) > 0 {
				b[i] = byte(r.Uint32())
			}
		}
		p := Pack(b)
		if bytes.IndexByte(p, 0) >= 0 {
			t.Fatalf("a zero in % x", p)
		}
		got, err := Unpack([]byte("before"), p)
		if err != nil || !bytes.HasPrefix(got, []byte("before")) {
			t.Fatalf("% x: %v", p, err)
		}
		got = got[len("before"):]
		// The encoding may add zeros at the end.
		if !bytes.HasPrefix(got, b) || len(bytes.Trim(got[len(b):], "\x00")) > 0 || len(got) > len(b)+7 {
			t.Fatalf("% x became % x", b, got)
		}
	}
	for _, bad := range []string{"\x00", "\x01", "\x80", "\xff", "abc\x00", "abc\xff", "\x7e"} {
		if got, err := Unpack(nil, []byte(bad)); err != ErrMalformed {
			t.Errorf("%q: % x, %v", bad, got, err)
		}
	}
}

func TestTableErrors(t *testing.T) {
	version, encoding := Symbol{Name: "_defmt_version_ = 4"}, Symbol{Name: "_defmt_encoding_ = rzcobs"}
	ok := symbol(1, "info", "x")
	for _, c := range []struct {
		name    string
		symbols []Symbol
		want    string // "": none; "nil": no table
	}{
		{"no defmt", []Symbol{{Name: "main"}}, "nil"},
		{"good", []Symbol{version, encoding, ok}, ""},
		{"quoted version", []Symbol{{Name: `"_defmt_version_ = 3"`}, encoding, ok}, ""},
		{"no section", []Symbol{version, encoding}, "no section .defmt"},
		{"a version of the future", []Symbol{{Name: "_defmt_version_ = 5"}, encoding, ok}, `wire format "5"`},
		{"two versions", []Symbol{version, {Name: "_defmt_version_ = 3"}, encoding, ok}, "two versions"},
		{"no encoding", []Symbol{version, ok}, `encoding ""`},
		{"two encodings", []Symbol{version, encoding, {Name: "_defmt_encoding_ = raw"}, ok}, "two encodings"},
		{"no JSON", []Symbol{version, encoding, ok, {Name: "{x", Section: true}}, "symbol"},
		{"two timestamps", []Symbol{version, encoding, ok, symbol(2, "timestamp", "{=u8}"), symbol(3, "timestamp", "{=u8}")}, "two timestamps"},
		{"short flag", []Symbol{version, encoding, ok, symbol(2, "bitflags_value", "F::0::A")}, "bit flag"},
	} {
		tab, err := NewTable(c.symbols)
		var e *TableError
		switch {
		case c.want == "nil" && (tab != nil || err != nil), c.want == "" && err != nil:
			t.Errorf("%s: %v %v", c.name, tab, err)
		case c.want != "" && c.want != "nil" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// The grammar of the defmt book, and what breaks it.
func TestFormats(t *testing.T) {
	for _, s := range []string{
		"", "x", "{{}}", "{}", "{=u8}", "{0}", "{1=u8} {0=u16}", "{=u8:x}", "{:?}", "{=[u8]}", "{=[u8; 4]}", "{=[u8;4]}", "{=[?; 2]}", "{=[?]}", "{0=0..4} {0=4..8}",
		"{=120..128}", "{=str:whatever}", "{=u8:#010b}", "{=isize}", "{=f64}", "{=istr:?}", "}}{{",
	} {
		if parseString(s).broken {
			t.Errorf("%q is not understood", s)
		}
	}
	for _, s := range []string{
		"{", "}", "a{b", "{=}", "{=u9}", "{=u8", "{=u8:}", "{x}", "{=u8x}", "{0=u8}{0=u16}", "{1=u8}", "{=4..4}", "{=5..4}", "{=0..129}", "{=128..129}", "{=[u8; ]}", "{=[u8; 4}", "{=[u8; x]}",
		"{=[?;", "{99999999999999999999}", "{100000}", "{=1..2x}", "{0=[u8;1]}{0=[u8;2]}",
	} {
		if !parseString(s).broken {
			t.Errorf("%q is understood", s)
		}
	}
}

func TestDecode(t *testing.T) {
	tab := small(t)
	d := NewDecoder(tab)
	for _, c := range []struct {
		name, in, want string
		err            error
	}{
		{"nested", "\x03\x00\x10\x00\x00\x00\x02\x00\x01\x07", "INFO n 0x10 B(7)", nil},
		{"not in the table", "\x63\x00", "", ErrMalformed},
		{"variant out of range", "\x03\x00\x10\x00\x00\x00\x02\x00\x03", "", ErrMalformed},
		{"a level where a type should be", "\x07\x00\x03\x00", "", ErrMalformed},
		{"short", "\x03\x00\x10", "", ErrShort},
		{"nothing", "", "", ErrShort},
		{"slice", "\x05\x00\x02\x00\x00\x00\x01\x00\x08\x09\x01\x00\x00\x00x", " [8, 9] x", nil},
		{"slice of nothing, four thousand million times", "\x05\x00\xff\xff\xff\xff\x09\x00", "", ErrShort},
		{"slice of many that need no bytes", "\x05\x00\xff\xff\x01\x00\x09\x00" + strings.Repeat(" ", 1<<17), "", ErrMalformed},
		{"text of four thousand million bytes", "\x05\x00\x00\x00\x00\x00\x01\x00\xff\xff\xff\xffx", "", ErrShort},
		{"not UTF-8", "\x05\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\xff", "", ErrMalformed},
		{"sequence", "\x07\x00\x06\x00\x01\x00\x05\x09\x00\x00\x00", "ERROR 5Unit", nil},
		{"a type that contains itself", "\x07\x00" + strings.Repeat("\x04\x00", 1000), "", ErrMalformed},
	} {
		f, n, err := d.Decode([]byte(c.in))
		if got := strings.TrimSpace(fmt.Sprintf("%s %s", f.Level, f.Message)); err != c.err || err == nil && (got != strings.TrimSpace(c.want) || n != len(c.in)) {
			t.Errorf("%s: %q of %d bytes, %v; want %q, %v", c.name, got, n, err, c.want, c.err)
		}
	}
}

func TestFloats(t *testing.T) {
	for v, want := range map[float64]string{0.1: "0.1", 1e15: "1000000000000000.0", 1e16: "1e16", 1e-5: "0.00001", 1e-6: "1e-6", 123456789: "123456789.0", 1.5e-7: "1.5e-7", math.MaxFloat64: "1.7976931348623157e308"} {
		if got := string(appendFloat(nil, v, 64)); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, s := range []string{"", "\x01", "abcdefg\x80", "\x7f", "ab\x60", "\xff", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := Unpack(nil, b)
		if err == nil && len(out) > 7*len(b) {
			t.Fatalf("%d bytes from %d", len(out), len(b))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("{=u8} {=str}", []byte("\x03\x00\x10\x00\x00\x00\x02\x00\x01\x07"))
	f.Add("{=[?]} {=[u8]:a}", []byte("\x28\x00\x02\x00\x00\x00\x01\x00\x08\x09\x01\x00\x00\x00x"))
	f.Add("{0=3..9:#x} {0=1..2} {=[u8]:cbor}", []byte("\x28\x00\x02\x00\x00\x00\x01\x00\x08\x09\x01\x00\x00\x00x"))
	f.Add("{=i128:o} {=f32} {=char} {=u64:tus} {=u64:iso8601ms}", []byte("\x28\x00\x02\x00\x00\x00\x01\x00\x08\x09\x01\x00\x00\x00x"))
	f.Add("{=__internal_Debug:?} {=__internal_FormatSequence:x}", []byte("\x28\x00ab\"\xff\x01\x00\x05\x00\x00"))
	f.Fuzz(func(t *testing.T, format string, frame []byte) {
		s := symbol(40, "warn", "x")
		s.Name = strings.Replace(s.Name, `"x"`, string(appendJSON(nil, format)), 1)
		tab, err := NewTable([]Symbol{{Name: "_defmt_version_ = 4"}, {Name: "_defmt_encoding_ = raw"}, symbol(1, "prim", "{=u8}"), symbol(2, "derived", "A|B({=u8})|C"), s})
		if err != nil {
			return
		}
		fr, n, err := NewDecoder(tab).Decode(frame)
		if err == nil && (n < 2 || n > len(frame) || len(fr.Message) > 1<<22+64*len(format)*(1+len(frame))) {
			t.Fatalf("%d of %d bytes, message of %d", n, len(frame), len(fr.Message))
		}
	})
}

func appendJSON(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		out = fmt.Appendf(out, `\u%04x`, r&0xffff)
	}
	return append(out, '"')
}

func FuzzCBOR(f *testing.F) {
	for _, s := range cborExamples {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := appendCBOR(nil, b); len(out) > 400*(len(b)+1) {
			t.Fatalf("%d bytes from %d", len(out), len(b))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	tab := small(b)
	d := NewDecoder(tab)
	packet := Pack([]byte("\x03\x00\x10\x00\x00\x00\x02\x00\x01\x07"))
	var buf []byte
	b.SetBytes(int64(len(packet)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = Unpack(buf[:0], packet); err != nil {
			b.Fatal(err)
		}
		if _, _, err = d.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
