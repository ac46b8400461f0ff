package proof

import (
	"bytes"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/elftest"
)

// program is an ELF with a text, a name, a date and what follows them.
func program(change func(*elftest.File)) []byte {
	f := elftest.File{
		Entry: 0x42000020,
		Sections: []elftest.Section{
			{Name: ".flash.appdesc", Addr: 0x3c000020, Flags: elftest.Alloc, Data: []byte("\x32\x54\xcd\xab 12:34:56 2024-01-01 ")},
			{Name: ".rodata", Addr: 0x3c000100, Flags: elftest.Alloc, Data: []byte("\x00\x01built on host-a by nobody\x00\x02/work/a/src/x.rs\x00 2024-01-01 12:34:56\x00....")},
			{Name: ".text", Addr: 0x42000200, Flags: elftest.Alloc, Data: elftest.Fill(64, 1)},
			{Name: ".debug_line", Data: elftest.Fill(32, 2)},
			{Name: ".comment", Data: []byte("rustc 1.96")},
		},
		Symbols: []elftest.Symbol{
			{Name: "HOST", Section: ".rodata", Value: 0x3c000100, Size: 0x1c},
			{Name: "main", Section: ".text", Value: 0x42000200, Size: 32},
			{Name: "panic", Section: ".text", Value: 0x42000220, Size: 32},
		},
	}
	if change != nil {
		change(&f)
	}
	return f.Bytes()
}

func section(f *elftest.File, name string) *elftest.Section {
	for i := range f.Sections {
		if f.Sections[i].Name == name {
			return &f.Sections[i]
		}
	}
	panic(name)
}

// replace puts new in the place of old, which is in the section once.
func replace(name, old, new string) func(*elftest.File) {
	return func(f *elftest.File) {
		s := section(f, name)
		if bytes.Count(s.Data, []byte(old)) != 1 {
			panic(old)
		}
		s.Data = bytes.Replace(bytes.Clone(s.Data), []byte(old), []byte(new), 1)
	}
}

func flip(name string, at int) func(*elftest.File) {
	return func(f *elftest.File) {
		s := section(f, name)
		s.Data = bytes.Clone(s.Data)
		s.Data[at] ^= 1
	}
}

func both(changes ...func(*elftest.File)) func(*elftest.File) {
	return func(f *elftest.File) {
		for _, c := range changes {
			c(f)
		}
	}
}

func TestCompareELF(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*elftest.File)
		want   []string // a line and its cause for each section, by their beginnings
	}{
		"nothing": {nil, nil},
		"host name": {replace(".rodata", "host-a", "host-b"),
			[]string{`.rodata: 1 of 71 bytes differ, from 0x10 in HOST: "built on host-a by nobody", then "built on host-b by nobody"`, "a text that a build script"}},
		"longer host name": {replace(".rodata", "host-a", "host-abc"),
			[]string{`.rodata: 71 bytes, then 73 bytes; first difference at 0x11 in HOST: "built on host-a by nobody", then "built on host-abc by nobody"`, "a text that a build script"}},
		"path": {both(replace(".rodata", "/work/a/src", "/work/b/src"), flip(".text", 40)),
			[]string{`.rodata: 1 of 71 bytes differ`, "an absolute path", ".text: 1 of 64 bytes differ, from 0x28 in panic", "follows from moved read-only data"}},
		"date":       {replace(".rodata", "2024-01-01", "2025-01-01"), []string{`.rodata: 1 of 71`, "a date of the building day"}},
		"descriptor": {replace(".flash.appdesc", "12:34:56", "12:34:57"), []string{".flash.appdesc: 1 of", "the application descriptor carries the build date"}},
		"code alone": {flip(".text", 3), []string{".text: 1 of 64 bytes differ, from 0x3 in main", "generated code"}},
		"debug":      {flip(".debug_line", 3), []string{".debug_line: 1 of 32 bytes differ, from 0x3", "debug information"}},
		"compiler":   {replace(".comment", "1.96", "1.97"), []string{".comment: 1 of 10", "another compiler"}},
		"one less":   {func(f *elftest.File) { f.Sections = f.Sections[:4] }, []string{".comment: only in the first build", "the linker saw"}},
		"one more": {func(f *elftest.File) {
			f.Sections = append(f.Sections, elftest.Section{Name: ".new", Data: []byte("x")})
		},
			[]string{".new: only in the second build", "the linker saw"}},
		"entry": {func(f *elftest.File) { f.Entry += 4 }, []string{"(header): 1 of", "headers or padding"}},
		"moved": {func(f *elftest.File) { section(f, ".text").Addr += 16 }, []string{".text: 0 of 64 bytes differ", "generated"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := CompareELF(bytes.NewReader(program(nil)), bytes.NewReader(program(c.change)))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, d := range got {
				lines = append(lines, d.String(), d.Cause)
			}
			// The tables of names follow from what is in them.
			for i := 0; i < len(lines); {
				if strings.HasPrefix(lines[i], ".strtab") || strings.HasPrefix(lines[i], ".symtab") {
					lines = append(lines[:i], lines[i+2:]...)
					continue
				}
				i += 2
			}
			if len(lines) != len(c.want) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
			}
			for i, l := range lines {
				if !strings.HasPrefix(l, c.want[i]) {
					t.Errorf("got  %s\nwant %s", l, c.want[i])
				}
			}
		})
	}
}

// What two builds did not have in common is named when it is in a text, also
// where the texts moved.
func TestAttribute(t *testing.T) {
	conditions := []Condition{{"the host name", "espalier", "elsewhere"}, {"the user", "1000", "4711"}, {"the number of jobs", "2", "3"}}
	build := func(text string) []byte {
		return program(replace(".rodata", "built on host-a by nobody", text))
	}
	for name, c := range map[string]struct{ a, b, want string }{
		"host":    {"built on espalier", "built on elsewhere", "the host name is in it: espalier, then elsewhere"},
		"two":     {"user 1000 jobs=2 user 1000", "user 4711 jobs=3 user 4711", "the user is in it: 1000, then 4711; the number of jobs is in it: 2, then 3"},
		"order":   {"a.txt b.txt c.txt", "c.txt a.txt b.txt", orderCause},
		"both":    {"espalier: alpha beta", "elsewhere: beta alpha", "the host name is in it: espalier, then elsewhere; " + orderCause},
		"other":   {"espalier 17", "elsewhere 18", "a text that a build script or macro made"},
		"longer":  {"alpha beta", "alpha beta gamma", "a text that a build script or macro made"},
		"changed": {"version 2 of it", "version 4 of it", "a text that a build script or macro made"},
	} {
		list, err := CompareELF(bytes.NewReader(build(c.a)), bytes.NewReader(build(c.b)))
		if err != nil || len(list) == 0 || list[0].Section != ".rodata" {
			t.Fatalf("%s: %v, %v", name, list, err)
		}
		Attribute(list, conditions)
		if !strings.HasPrefix(list[0].Cause, c.want) {
			t.Errorf("%s: %q, %q: %s", name, list[0].TextA, list[0].TextB, list[0].Cause)
		}
		if list[0].Order() != strings.Contains(c.want, orderCause) {
			t.Errorf("%s: order %v", name, list[0].Order())
		}
	}
}

func TestCompareBroken(t *testing.T) {
	good := program(nil)
	if _, err := CompareELF(bytes.NewReader(good[:20]), bytes.NewReader(good)); err == nil || !strings.HasPrefix(err.Error(), "first build: ") {
		t.Error(err)
	}
	if _, err := CompareELF(bytes.NewReader(good), bytes.NewReader(nil)); err == nil || !strings.HasPrefix(err.Error(), "second build: ") {
		t.Error(err)
	}
}

func FuzzCompareELF(f *testing.F) {
	f.Add(program(nil), program(flip(".text", 3)))
	f.Add([]byte("\x7fELF"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d, err := CompareELF(bytes.NewReader(a), bytes.NewReader(b))
		if err == nil && len(d) == 0 && !bytes.Equal(a, b) {
			t.Errorf("no difference between %d and %d bytes that differ", len(a), len(b))
		}
		for _, x := range d {
			if x.Cause == "" {
				t.Errorf("no cause: %s", x)
			}
		}
	})
}
