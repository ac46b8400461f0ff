package nvs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func keys() *Keys {
	k, err := NewKeys(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		panic(err)
	}
	return &k
}

func filled(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func number(t testing.TB, typ Type, text string) Value {
	t.Helper()
	v, err := Parse(typ, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sample has every type, and blobs that fit one page and need several.
func sample(t *testing.T) []Entry {
	return []Entry{
		{"app", "big", Bytes(filled(9000, 1))},
		{"app", "empty", Bytes([]byte{})},
		{"app", "i16", number(t, I16, "-32768")},
		{"app", "i32", number(t, I32, "-1")},
		{"app", "i64", number(t, I64, "-9223372036854775808")},
		{"app", "i8", number(t, I8, "-128")},
		{"app", "u16", number(t, U16, "65535")},
		{"app", "u32", number(t, U32, "4294967295")},
		{"app", "u64", number(t, U64, "18446744073709551615")},
		{"app", "u8", number(t, U8, "0x2a")},
		{"wifi", "a_key_of_15_chr", Text("")},
		{"wifi", "cert", Bytes(filled(1, 2))},
		{"wifi", "long", Text(strings.Repeat("x", MaxString-1))},
		{"wifi", "password", Text("correct horse battery")},
		{"wifi", "ssid", Text("Café")},
	}
}

// written returns a partition with entries, each set on its own.
func written(t testing.TB, size int, k *Keys, entries []Entry) *Partition {
	t.Helper()
	p, err := New(size, k)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := p.Set(e.Namespace, e.Key, e.Value); err != nil {
			t.Fatalf("%s.%s: %v", e.Namespace, e.Key, err)
		}
	}
	return p
}

func same(t testing.TB, got, want []Entry) {
	t.Helper()
	text := func(list []Entry) (out []string) {
		for _, e := range list {
			s := e.Value.String()
			if len(s) > 60 {
				s = fmt.Sprintf("%s… (%d)", s[:60], len(s))
			}
			out = append(out, fmt.Sprintf("%s.%s %s %s", e.Namespace, e.Key, e.Value.Type, s))
		}
		return out
	}
	g, w := text(got), text(want)
	equal := slices.EqualFunc(got, want, func(a, b Entry) bool {
		return a.Namespace == b.Namespace && a.Key == b.Key && a.Value.Equal(b.Value)
	})
	if !equal {
		t.Errorf("values\n%s\nwant\n%s", strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
}

func open(t testing.TB, b []byte, k *Keys) *Partition {
	t.Helper()
	p, err := Open(b, k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoundTrip(t *testing.T) {
	for name, k := range map[string]*Keys{"plain": nil, "encrypted": keys()} {
		t.Run(name, func(t *testing.T) {
			want := sample(t)
			p := open(t, written(t, 0x9000, k, want).Bytes(), k)
			same(t, p.List(), want)
			if d := p.Damage(); len(d) != 0 {
				t.Errorf("damage %v", d)
			}
			if n := p.Namespaces(); !slices.Equal(n, []string{"app", "wifi"}) {
				t.Errorf("namespaces %q", n)
			}
			for _, secret := range []string{"correct horse", "password"} {
				if bytes.Contains(p.Bytes(), []byte(secret)) != (k == nil) {
					t.Errorf("%q is in the flash", secret)
				}
			}
			if k != nil {
				if _, err := Open(p.Bytes(), nil); !errors.Is(err, ErrEncrypted) {
					t.Errorf("without keys: %v", err)
				}
			}
		})
	}
}

// Operations clear bits only, and erase whole sectors; together they make Bytes.
func TestOperations(t *testing.T) {
	p, _ := New(0x4000, nil)
	flash := p.Bytes()
	r := rand.New(rand.NewPCG(1, 2))
	want := map[string]Value{}
	erases := 0
	for range 800 {
		key := fmt.Sprint("k", r.IntN(12))
		v := Bytes(filled(r.IntN(700), byte(r.IntN(256))))
		if r.IntN(2) == 0 {
			v = Value{Type: U32, Number: uint64(r.Uint32())}
		}
		var ops []Op
		var err error
		if _, there := want[key]; there && r.IntN(5) == 0 {
			delete(want, key)
			ops, err = p.Erase("n", key)
		} else {
			want[key] = v
			ops, err = p.Set("n", key, v)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range ops {
			if o.Erases() {
				erases++
			} else {
				for i, c := range o.Bytes {
					if c&^flash[o.Offset+i] != 0 {
						t.Fatalf("operation sets bits at 0x%x", o.Offset+i)
					}
				}
			}
			if o.Offset%4 != 0 || len(o.Bytes)%4 != 0 {
				t.Fatalf("operation at 0x%x with %d bytes", o.Offset, len(o.Bytes))
			}
			o.Apply(flash)
		}
		if !bytes.Equal(flash, p.Bytes()) {
			t.Fatal("operations do not make the content")
		}
		q := open(t, flash, nil)
		if len(q.List()) != len(want) || len(q.Damage()) != 0 || !q.settled() {
			t.Fatalf("%d values, want %d; damage %v", len(q.List()), len(want), q.Damage())
		}
		for _, e := range q.List() {
			if !want[e.Key].Equal(e.Value) {
				t.Fatalf("%s has another value", e.Key)
			}
		}
		if len(q.free) == 0 {
			t.Fatal("no page is free")
		}
	}
	if erases < 20 {
		t.Errorf("only %d sectors were erased: the test does not reach what it is for", erases)
	}
	if ops, err := p.Set("n", "k", Text("x")); err != nil || len(ops) == 0 {
		t.Fatal(err)
	}
	if ops, err := p.Set("n", "k", Text("x")); err != nil || len(ops) != 0 {
		t.Errorf("the same value again: %d operations, %v", len(ops), err)
	}
}

// cuts calls check with the flash after a power failure in each operation: before
// it, after it, and with a part of its bits changed.
func cuts(before []byte, ops []Op, check func(flash []byte, at int, how string)) {
	flash := bytes.Clone(before)
	for i, o := range ops {
		check(bytes.Clone(flash), i, "before")
		after := bytes.Clone(flash)
		o.Apply(after)
		for n, how := range []string{"first half", "last half", "random bits"} {
			partial := bytes.Clone(flash)
			from, size := o.Offset, len(o.Bytes)
			if o.Erases() {
				size = PageSize
			}
			r := rand.New(rand.NewPCG(uint64(i), uint64(n)))
			for k := range size {
				mask := byte(0)
				switch {
				case n == 0 && k < size/2, n == 1 && k >= size/2:
					mask = 0xff
				case n == 2:
					mask = byte(r.Uint32())
				}
				partial[from+k] = partial[from+k]&^mask | after[from+k]&mask
			}
			check(partial, i, how)
		}
		flash = after
	}
	check(flash, len(ops), "end")
}

// A write that is interrupted in any flash operation leaves the old or the new
// value and everything else, and the next write succeeds. So does a write that is
// interrupted while it repairs the first.
func TestPowerFailure(t *testing.T) {
	rest := []Entry{{"a", "blob", Bytes(filled(5000, 7))}, {"a", "n", number(t, U32, "7")}, {"b", "text", Text("some text")}}
	old, renewed := Bytes(filled(2500, 3)), Bytes(filled(3000, 4))
	for _, tt := range []struct {
		name     string
		old, new *Value
		prepare  int // values written and replaced before, to fill pages
	}{
		{"integer", ref(number(t, U8, "1")), ref(number(t, U8, "2")), 0},
		{"string", ref(Text("old")), ref(Text(strings.Repeat("new", 100))), 0},
		{"new value", nil, ref(Text("new")), 0},
		{"other type", ref(number(t, U8, "1")), ref(Text("new")), 0},
		{"blob", &old, &renewed, 0},
		{"erase blob", &old, nil, 0},
		{"page is full", ref(Text("old")), ref(Text(strings.Repeat("new", 100))), 116},
		{"pages are compacted", &old, &renewed, 300},
		{"erase after compaction", &old, nil, 300},
	} {
		for kind, k := range map[string]*Keys{"plain": nil, "encrypted": keys()} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				p := written(t, 0x6000, k, rest)
				for i := range tt.prepare {
					if _, err := p.Set("a", "n", Value{Type: U32, Number: uint64(i)}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := p.Set("a", "n", number(t, U32, "7")); err != nil {
					t.Fatal(err)
				}
				if tt.old != nil {
					if _, err := p.Set("b", "key", *tt.old); err != nil {
						t.Fatal(err)
					}
				}
				before := p.Bytes()
				apply := func(q *Partition) ([]Op, error) {
					if tt.new == nil {
						ops, err := q.Erase("b", "key")
						if errors.Is(err, ErrNotFound) {
							err = nil
						}
						return ops, err
					}
					return q.Set("b", "key", *tt.new)
				}
				ops, err := apply(p)
				if err != nil {
					t.Fatal(err)
				}
				expect := func(flash []byte, where string) *Partition {
					q, err := Open(flash, k)
					if err != nil {
						t.Fatalf("%s: %v", where, err)
					}
					var others []Entry
					for _, e := range q.List() {
						if e.Key != "key" {
							others = append(others, e)
							continue
						}
						if !(tt.old != nil && e.Value.Equal(*tt.old) || tt.new != nil && e.Value.Equal(*tt.new)) {
							t.Fatalf("%s: neither the old nor the new value", where)
						}
					}
					if _, err := q.Get("b", "key"); err != nil && tt.old != nil && tt.new != nil {
						t.Fatalf("%s: neither the old nor the new value", where)
					}
					same(t, others, rest)
					if t.Failed() {
						t.Fatal(where)
					}
					return q
				}
				n := 0
				cuts(before, ops, func(flash []byte, at int, how string) {
					n++
					where := fmt.Sprintf("operation %d of %d, %s", at, len(ops), how)
					q := expect(flash, where)
					again, err := apply(q)
					if err != nil {
						t.Fatalf("%s: writing again: %v", where, err)
					}
					if v, err := expect(q.Bytes(), where+", again").Get("b", "key"); tt.new == nil && err == nil || tt.new != nil && !v.Equal(*tt.new) {
						t.Fatalf("%s: written again: %v", where, err)
					}
					if how != "random bits" || testing.Short() {
						return
					}
					cuts(flash, again, func(flash []byte, at int, how string) {
						expect(flash, where+fmt.Sprintf("; again, operation %d, %s", at, how))
					})
				})
				t.Logf("%d operations, %d failures", len(ops), n)
			})
		}
	}
}

func ref(v Value) *Value { return &v }

func TestFull(t *testing.T) {
	p, _ := New(MinSize, nil)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		before := p.Bytes()
		if _, err = p.Set("n", fmt.Sprint("k", n), Text("twenty-five bytes of text")); err != nil && !bytes.Equal(before, p.Bytes()) {
			t.Error("an error changed the partition")
		}
	}
	if !errors.Is(err, ErrFull) || n < 120 {
		t.Errorf("after %d values: %v", n, err)
	}
	if _, err := p.Set("n", "blob", Bytes(filled(100, 1))); !errors.Is(err, ErrFull) {
		t.Errorf("a blob in a full partition: %v", err)
	}
	if _, err := p.Erase("n", ""); err != nil {
		t.Error(err)
	}
	if _, err := p.Set("n", "blob", Bytes(filled(7000, 1))); err != nil {
		t.Errorf("after everything was erased: %v", err)
	}
	small, _ := New(PageSize, nil)
	if _, err := small.Set("n", "k", Text("x")); !errors.Is(err, ErrNoSpare) {
		t.Errorf("a partition of one page: %v", err)
	}
}

func TestRefused(t *testing.T) {
	p, _ := New(MinSize, nil)
	for name, f := range map[string]func() error{
		`namespace ""`:                 func() error { _, err := p.Set("", "k", Text("")); return err },
		"want 1 to 15":                 func() error { _, err := p.Set("n", "a_key_of_16_char", Text("")); return err },
		"ASCII":                        func() error { _, err := p.Set("n", "schlüssel", Text("")); return err },
		"at most 3999":                 func() error { _, err := p.Set("n", "k", Text(strings.Repeat("x", 4000))); return err },
		"NUL":                          func() error { _, err := p.Set("n", "k", Text("a\x00b")); return err },
		"want a number from 0 to 255":  func() error { _, err := Parse(U8, "256"); return err },
		"want a number from -128 to 1": func() error { _, err := Parse(I8, "128"); return err },
		"hexadecimal":                  func() error { _, err := Parse(Blob, "xyz"); return err },
		"no such value":                func() error { _, err := p.Erase("n", "k"); return err },
		"not whole pages":              func() error { _, err := Open(make([]byte, 100), nil); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

// Each kind of damage is named, and what is intact is still read.
func TestDamage(t *testing.T) {
	whole := written(t, 0x6000, nil, []Entry{
		{"n", "first", Text("one")}, {"n", "second", Text("two")}, {"n", "third", number(t, U8, "3")}, {"n", "blob", Bytes(filled(5000, 1))},
	})
	at := func(text string) int { return bytes.Index(whole.b, []byte(text)) }
	for _, tt := range []struct {
		name   string
		damage func(b []byte)
		text   string
		have   int // values
	}{
		{"key", func(b []byte) { b[at("second")] ^= 1 }, "page 0, entry 3: its checksum is wrong", 3},
		{"data", func(b []byte) { b[at("two")] ^= 1 }, "the data of second has a wrong checksum", 3},
		{"chunk", func(b []byte) { b[PageSize+entryOffset+40] ^= 1 }, "blob blob: chunk 2 of 2 is missing", 3},
		{"header of a page", func(b []byte) { b[5] ^= 1 }, "page 0 has no valid header", 0},
		{"state of a page", func(b []byte) { b[0] = 0x70 }, "page 0 has no valid state", 0},
		{"namespace", func(b []byte) { b[entryOffset+8] ^= 1 }, "page 0, entry 0: its checksum is wrong", 4},
		{"noise", func(b []byte) { copy(b[PageSize:], filled(PageSize, 9)) }, "page 1 has no valid header", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := whole.Bytes()
			tt.damage(b)
			p := open(t, b, nil)
			var all []string
			for _, d := range p.Damage() {
				all = append(all, d.Text)
			}
			if !strings.Contains(strings.Join(all, "\n"), tt.text) {
				t.Errorf("damage %q, want %q", all, tt.text)
			}
			if n := len(p.List()); n != tt.have {
				t.Errorf("%d values, want %d", n, tt.have)
			}
			if _, err := p.Set("m", "k", Text("v")); err != nil {
				t.Errorf("writing: %v", err)
			}
			if n := len(open(t, p.Bytes(), nil).List()); n != tt.have+1 {
				t.Errorf("%d values after a write, want %d", n, tt.have+1)
			}
		})
	}
}

// Of two items with the same key, ESP-IDF takes the later one of a page, and of two
// pages the earlier one unless the other is the last that was written.
func TestDuplicates(t *testing.T) {
	h := header{namespace: 1, typ: U8, chunk: noChunk, key: "k"}
	item := func(w *writer, n uint64) {
		h.data = Value{Type: U8, Number: n}.encodeInteger()
		w.append(w.pages[len(w.pages)-1], h, nil)
	}
	start := func() *writer {
		p := written(t, 0x4000, nil, []Entry{{"n", "x", Text("x")}})
		return &writer{Partition: p}
	}
	next := func(w *writer) { w.setState(w.pages[len(w.pages)-1], stateFull); w.activate() }
	for _, tt := range []struct {
		name  string
		write func(w *writer)
		want  string
	}{
		{"in a page", func(w *writer) { item(w, 1); item(w, 2) }, "2"},
		{"the last item", func(w *writer) { item(w, 1); next(w); item(w, 2) }, "2"},
		{"not the last item", func(w *writer) {
			item(w, 1)
			next(w)
			item(w, 2)
			h := header{namespace: 1, typ: U8, chunk: noChunk, key: "y"}
			w.append(w.pages[len(w.pages)-1], h, nil)
		}, "1"},
	} {
		w := start()
		tt.write(w)
		p := open(t, w.b, nil)
		if v, err := p.Get("n", "k"); err != nil || v.String() != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, v, err, tt.want)
		}
		if _, err := p.Set("n", "z", Text("z")); err != nil || !open(t, p.Bytes(), nil).settled() {
			t.Errorf("%s: not repaired by a write: %v", tt.name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	k := keys()
	b := k.Partition()
	if got, err := ParseKeys(b); err != nil || got != *k || len(b) != KeysSize {
		t.Errorf("%v", err)
	}
	b[3] ^= 1
	if _, err := ParseKeys(b); !errors.Is(err, ErrBadKeys) {
		t.Errorf("damaged: %v", err)
	}
	if _, err := ParseKeys(bytes.Repeat([]byte{0xff}, KeysSize)); !errors.Is(err, ErrNoKeys) {
		t.Errorf("blank: %v", err)
	}
}
