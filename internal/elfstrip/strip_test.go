package elfstrip

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// compile makes a file with debug information.
func compile(t testing.TB, dir, output string, args ...string) string {
	t.Helper()
	cc := devtest.Tool(t, "cc")
	out := filepath.Join(dir, output)
	cmd := exec.Command(cc, append([]string{"-g", "-o", out}, args...)...)
	cmd.Dir = dir
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cc %v: %v\n%s", args, err, b)
	}
	return out
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const library = `static const char *words[] = {"alpha", "beta"};
const char *word(int i) { return words[i]; }
int shared_state;
`

const program = `#include <stdio.h>
const char *word(int);
extern int shared_state;
int main(void) { shared_state = 1; puts(word(shared_state)); return 0; }
`

func strip(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, size, ok := Strip(bytes.NewReader(b), int64(len(b)))
	if !ok {
		t.Fatalf("%s: nothing stripped", path)
	}
	out, err := io.ReadAll(r)
	if err != nil || int64(len(out)) != size {
		t.Fatalf("%s: %d bytes, announced %d: %v", path, len(out), size, err)
	}
	if size >= int64(len(b)) {
		t.Errorf("%s: %d bytes became %d", path, len(b), size)
	}
	if _, _, again := Strip(bytes.NewReader(out), size); again {
		t.Errorf("%s: a stripped file can be stripped again", path)
	}
	if err := os.WriteFile(path, out, 0o755); err != nil {
		t.Fatal(err)
	}
	return out
}

func run(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command(path).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", path, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestStrippedFilesLinkAndRun(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "lib.c", library)
	write(t, dir, "main.c", program)
	ar := devtest.Tool(t, "ar")

	t.Run("object files", func(t *testing.T) {
		for _, flags := range [][]string{nil, {"-gz"}, {"-ffunction-sections", "-fdata-sections"}} {
			lib := compile(t, dir, "lib.o", append(flags, "-c", "lib.c")...)
			main := compile(t, dir, "main.o", append(flags, "-c", "main.c")...)
			strip(t, lib)
			strip(t, main)
			if got := run(t, compile(t, dir, "program", lib, main)); got != "beta" {
				t.Errorf("%v: the program prints %q", flags, got)
			}
		}
	})
	t.Run("archive", func(t *testing.T) {
		lib := compile(t, dir, "lib_with_a_long_name_of_a_member.o", "-c", "lib.c")
		other := compile(t, dir, "x.o", "-c", "-Dword=other", "-Dshared_state=other_state", "lib.c")
		archive := filepath.Join(dir, "libwords.a")
		os.Remove(archive)
		if b, err := exec.Command(ar, "rcs", archive, other, lib).CombinedOutput(); err != nil {
			t.Fatalf("ar: %v\n%s", err, b)
		}
		members, _ := exec.Command(ar, "t", archive).Output()
		strip(t, archive)
		if after, err := exec.Command(ar, "t", archive).Output(); err != nil || string(after) != string(members) {
			t.Errorf("members %q became %q: %v", members, after, err)
		}
		if got := run(t, compile(t, dir, "program", "main.c", archive)); got != "beta" {
			t.Errorf("the program prints %q", got)
		}
	})
	t.Run("program and shared library", func(t *testing.T) {
		lib := compile(t, dir, "libwords.so", "-shared", "-fPIC", "lib.c")
		strip(t, lib)
		main := compile(t, dir, "program", "main.c", lib, "-Wl,-rpath,"+dir)
		strip(t, main)
		if got := run(t, main); got != "beta" {
			t.Errorf("the program prints %q", got)
		}
	})
}

// What binutils keeps is also kept here, with the same content.
func TestStripAgreesWithBinutils(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "lib.c", library)
	write(t, dir, "main.c", program)
	tool := devtest.Tool(t, "strip")
	for name, c := range map[string]struct{ build, strip []string }{
		"object":  {[]string{"-c", "main.c"}, []string{"--strip-debug"}},
		"program": {[]string{"main.c", "lib.c"}, []string{"--strip-all"}},
		"static":  {[]string{"-static-pie", "main.c", "lib.c"}, []string{"--strip-all"}},
		"shared":  {[]string{"-shared", "-fPIC", "lib.c"}, []string{"--strip-all"}},
	} {
		path := compile(t, dir, name, c.build...)
		theirs := path + ".theirs"
		if b, err := exec.Command(tool, append(c.strip, "-o", theirs, path)...).CombinedOutput(); err != nil {
			t.Fatalf("strip: %v\n%s", err, b)
		}
		ours := sectionsOf(t, bytes.NewReader(strip(t, path)))
		f, err := os.Open(theirs)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		compared := 0
		for name, data := range sectionsOf(t, f) {
			// The names and, in an object file, the numbers of sections are others.
			if slices.Contains([]string{".shstrtab", ".symtab", ".strtab"}, name) || strings.HasPrefix(name, ".rela") && c.strip[0] == "--strip-debug" {
				continue
			}
			if compared++; !bytes.Equal(ours[name], data) {
				t.Errorf("section %s differs from that of strip", name)
			}
		}
		for name, data := range ours {
			if strings.HasPrefix(name, ".debug_") && len(data) > 0 {
				t.Errorf("section %s is left", name)
			}
		}
		if compared < 5 {
			t.Errorf("%d sections compared", compared)
		}
	}
}

func sectionsOf(t testing.TB, r io.ReaderAt) map[string][]byte {
	t.Helper()
	f, err := elf.NewFile(r)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, s := range f.Sections {
		if s.Type == elf.SHT_NULL || s.Type == elf.SHT_NOBITS {
			continue
		}
		b, err := io.ReadAll(io.NewSectionReader(s.ReaderAt, 0, int64(s.FileSize)))
		if err != nil {
			t.Fatal(err)
		}
		out[s.Name] = b
	}
	return out
}

func TestUnchanged(t *testing.T) {
	for name, content := range map[string]string{
		"empty":               "",
		"text":                "#!/bin/sh\necho no ELF here\n",
		"header only":         elfMagic + "\x02\x01\x01" + strings.Repeat("\x00", 57),
		"archive of nothing":  arMagic,
		"archive of text":     arMagic + "a.txt/          0           0     0     100644  3         `\nabc\n",
		"truncated archive":   arMagic + "a.txt/          0           0     0     100644  300       `\nabc\n",
		"negative member":     arMagic + "a.txt/          0           0     0     100644  -3        `\nabc\n",
		"thin archive":        "!<thin>\n",
		"archive of BSD":      arMagic + "#1/20           0           0     0     100644  20        `\n" + strings.Repeat("x", 20),
		"archive's bad index": arMagic + "/               0           0     0     0       4         `\n\xff\xff\xff\xff",
	} {
		if _, _, ok := Strip(strings.NewReader(content), int64(len(content))); ok {
			t.Errorf("%s: stripped", name)
		}
	}
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte(elfMagic))
	f.Add([]byte(arMagic))
	seed := object()
	f.Add(seed)
	f.Add(archive(seed, seed))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, size, ok := Strip(bytes.NewReader(b), int64(len(b)))
		if !ok {
			return
		}
		out, err := io.ReadAll(r)
		if err != nil || int64(len(out)) != size || size >= int64(len(b)) {
			t.Fatalf("%d bytes became %d, announced %d: %v", len(b), len(out), size, err)
		}
	})
}

// object returns a relocatable ELF file with the sections .text and .debug_info.
func object() []byte {
	names := "\x00.text\x00.debug_info\x00.shstrtab\x00"
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: headerSize, Shentsize: sectionSize, Shnum: 4, Shstrndx: 3}
	copy(h.Ident[:], elfMagic+"\x02\x01\x01")
	content := []struct {
		name uint32
		kind elf.SectionType
		data string
	}{{1, elf.SHT_PROGBITS, "code"}, {7, elf.SHT_PROGBITS, strings.Repeat("debug", 40)}, {19, elf.SHT_STRTAB, names}}
	sections := make([]elf.Section64, 1)
	var body []byte
	for _, c := range content {
		sections = append(sections, elf.Section64{Name: c.name, Type: uint32(c.kind), Off: uint64(headerSize + len(body)), Size: uint64(len(c.data)), Addralign: 1})
		body = append(body, c.data...)
	}
	h.Shoff = uint64(headerSize + len(body))
	return slices.Concat(encode(h), body, encode(sections))
}

// archive returns an archive with an index of one symbol for each member.
func archive(members ...[]byte) []byte {
	header := func(name string, size int) string {
		return fmt.Sprintf("%-16s%-12d%-6d%-6d%-8o%-10d%s", name, 0, 0, 0, 0o644, size, arEnd)
	}
	index := binary.BigEndian.AppendUint32(nil, uint32(len(members)))
	at := len(arMagic) + arHeaderSize + 4 + 4*len(members) + 2*len(members)
	var body []byte
	for _, m := range members {
		index = binary.BigEndian.AppendUint32(index, uint32(at+len(body)))
		body = append(append(body, header("x.o/", len(m))...), m...)
		if len(m)%2 == 1 {
			body = append(body, '\n')
		}
	}
	for range members {
		index = append(index, "s\x00"...)
	}
	return slices.Concat([]byte(arMagic), []byte(header("/", len(index))), index, body)
}

func TestArchiveIndexFollowsMembers(t *testing.T) {
	in := archive(object(), object())
	r, size, ok := Strip(bytes.NewReader(in), int64(len(in)))
	if !ok {
		t.Fatal("nothing stripped")
	}
	out, err := io.ReadAll(r)
	if err != nil || int64(len(out)) != size {
		t.Fatal(len(out), size, err)
	}
	index := out[len(arMagic)+arHeaderSize:]
	for i := range 2 {
		at := binary.BigEndian.Uint32(index[4+4*i:])
		if got := string(out[at : at+4]); got != "x.o/" {
			t.Errorf("symbol %d is said to be defined at %d, where %q is", i, at, got)
		}
	}
}
