package fwtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/elftest"
)

func words(w ...uint32) (b []byte) {
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// testELF is an ELF with two tests, in the form that embedded-test 0.7 gives
// them.
func testELF() elftest.File {
	const path, paths = 0x3c000120, "fw::tests::innerfw"
	return elftest.File{
		Entry: 0x42000020,
		Sections: []elftest.Section{
			{Name: ".rodata", Addr: path, Data: []byte(paths), Flags: elftest.Alloc},
			{Name: ".embedded_test", Data: words(0x42000100, path, 16, 1, 0x42000200, path+16, 2)},
		},
		Symbols: []elftest.Symbol{
			{Name: `{"disambiguator":1,"name":"adds","ignored":false,"should_panic":false,"timeout":2}`, Section: ".embedded_test", Size: 12},
			{Name: "EMBEDDED_TEST_VERSION", Section: ".embedded_test", Value: 12, Size: 4},
			{Name: `{"disambiguator":18446744073709551615,"name":"top","ignored":true,"should_panic":true}`, Section: ".embedded_test",
				Value: 16, Size: 12},
		},
	}
}

func TestList(t *testing.T) {
	got, err := list(testELF().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := []Test{
		{Name: "tests::inner::adds", Entry: 0x42000100, Timeout: 2 * time.Second},
		{Name: "top", Entry: 0x42000200, Timeout: defaultLimit, ShouldPanic: true, Ignored: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestListRefuses(t *testing.T) {
	newer := testELF()
	newer.Sections[1].Data[12] = 2
	if _, err := list(newer.Bytes()); err == nil {
		t.Error("a newer protocol is accepted")
	}
	plain := testELF()
	plain.Sections, plain.Symbols = plain.Sections[:1], nil
	if _, err := list(plain.Bytes()); !errors.Is(err, errNoTests) {
		t.Errorf("a program without tests: %v", err)
	}
	lost := testELF()
	binary.LittleEndian.PutUint32(lost.Sections[1].Data[4:], 0x1000)
	if _, err := list(lost.Bytes()); err == nil {
		t.Error("a module path outside of all sections is accepted")
	}
}

// What symbol names say is refused in one line when it is not a test, and no name
// reaches a terminal, a report or a folder as something else.
func TestListHostile(t *testing.T) {
	for name, symbol := range map[string]string{
		"not JSON":          `{"name":`,
		"not an object":     `[1,2]`,
		"another type":      `{"name":7}`,
		"no name":           `{"ignored":false}`,
		"control character": `{"name":"\u001b[31mred"}`,
		"line end":          `{"name":"a\nb"}`,
		"direction":         `{"name":"a\u202eb"}`,
		"long":              `{"name":"` + strings.Repeat("a", longestName) + `"}`,
		"deep":              strings.Repeat("[", 100_000),
	} {
		f := testELF()
		f.Symbols[0].Name = symbol
		_, err := list(f.Bytes())
		if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 4<<10 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	twice := testELF()
	twice.Symbols[2] = twice.Symbols[0]
	if _, err := list(twice.Bytes()); err == nil || !strings.Contains(err.Error(), "two tests have the name") {
		t.Error(err)
	}
	for _, name := range []string{"..", "../../etc", "a/b", `a\b`, ".hidden", "CON:", "", strings.Repeat("x", 5000)} {
		a := artifacts{"top", "program", "tests::" + name}
		if at := a.folder(); !strings.HasPrefix(at, filepath.Join("top", "program", "tests")+string(filepath.Separator)) || strings.Contains(at, "..") && name != ".." && name != "../../etc" || len(at) > 200 {
			t.Errorf("%.20q is kept in %s", name, at)
		}
	}
}

// An ELF with a million tests is refused in one line, in seconds.
func TestMillionTests(t *testing.T) {
	if testing.Short() {
		t.Skip("makes an ELF of 80 MB")
	}
	f := testELF()
	for i := range 1_000_000 {
		f.Symbols = append(f.Symbols, elftest.Symbol{Name: fmt.Sprintf(`{"name":"t%d"}`, i), Section: ".embedded_test", Size: 12})
	}
	_, err := list(f.Bytes())
	if want := fmt.Sprintf("reading tests: more than %d tests", maxTests); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func FuzzList(f *testing.F) {
	f.Add(testELF().Bytes())
	f.Add([]byte("\x7fELF\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, file []byte) { list(file) })
}
