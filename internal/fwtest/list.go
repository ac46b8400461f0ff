package fwtest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Names in an ELF of embedded-test. With protocol version 1 each test is a symbol
// of 12 bytes in testSection whose name is a JSON object and whose content is the
// entry address and the module path, as address and length. With version 0 (up to
// embedded-test 0.6) the firmware lists its tests when it is asked.
const (
	testSection   = ".embedded_test"
	versionSymbol = "EMBEDDED_TEST_VERSION"
	versionByName = 0
	versionByAddr = 1
	recordSize    = 12
	defaultLimit  = 60 * time.Second
	maxTests      = 1 << 16
)

// errNoTests says that an ELF was not built with embedded-test.
var errNoTests = errors.New("no embedded tests (no section " + testSection + ")")

// errAsk says that the firmware has to be asked for its tests.
var errAsk = errors.New("protocol version 0")

// Test is one test function, or a program without a list of tests.
type Test struct {
	Name        string // module path without the crate's name, and function
	Entry       uint32 // protocol version 1
	ShouldPanic bool
	Ignored     bool
	Timeout     time.Duration // guest time
}

// list returns the tests of an ELF in the order of its symbol table. The error
// is errNoTests, errAsk, or says what is wrong with the file.
func list(file []byte) ([]Test, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	section := f.Section(testSection)
	symbols, err := f.Symbols()
	if section == nil || errors.Is(err, elf.ErrNoSymbols) {
		return nil, errNoTests
	}
	if err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	data, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("reading tests: section %s: %w", testSection, err)
	}
	r := reader{file: f, data: data, base: uint32(section.Addr)}
	var tests []Test
	known := false
	for _, s := range symbols {
		if int(s.Section) >= len(f.Sections) || f.Sections[s.Section] != section || elf.ST_TYPE(s.Info) != elf.STT_OBJECT {
			continue
		}
		if s.Name == versionSymbol {
			known = true
			switch v, ok := r.word(uint32(s.Value)); {
			case ok && v == versionByName:
				return nil, errAsk
			case !ok || v != versionByAddr:
				return nil, fmt.Errorf("reading tests: protocol version %d of embedded-test is not supported, want %d or %d",
					v, versionByName, versionByAddr)
			}
			continue
		}
		if s.Size != recordSize || elf.ST_BIND(s.Info) != elf.STB_GLOBAL {
			continue
		}
		t, err := r.test(s)
		if err != nil {
			return nil, fmt.Errorf("reading tests: symbol %.200q: %w", s.Name, err)
		}
		if len(tests) == maxTests {
			return nil, fmt.Errorf("reading tests: more than %d tests", maxTests)
		}
		tests = append(tests, t)
	}
	if !known {
		return nil, errNoTests
	}
	return checkNames(tests)
}

// checkNames refuses two tests of a name: a filter could not tell them apart.
func checkNames(tests []Test) ([]Test, error) {
	seen := make(map[string]bool, len(tests))
	for _, t := range tests {
		if seen[t.Name] {
			return nil, fmt.Errorf("reading tests: two tests have the name %q", t.Name)
		}
		seen[t.Name] = true
	}
	return tests, nil
}

// longestName bounds the name of a test, in bytes.
const longestName = 1 << 10

// checkName refuses names that a terminal or a report would not show as they are:
// the symbol names of a file are not to be trusted.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a test has no name")
	case len(name) > longestName:
		return fmt.Errorf("a test's name has %d bytes", len(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return fmt.Errorf("a test's name is not printable: %q", name)
	}
	return nil
}

type reader struct {
	file *elf.File
	data []byte
	base uint32
}

func (r *reader) word(addr uint32) (uint32, bool) {
	off := addr - r.base
	if uint64(off)+4 > uint64(len(r.data)) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(r.data[off:]), true
}

func (r *reader) test(s elf.Symbol) (Test, error) {
	var meta metadata
	if err := json.Unmarshal([]byte(s.Name), &meta); err != nil {
		return Test{}, err
	}
	if err := checkName(meta.Name); err != nil {
		return Test{}, err
	}
	at := uint32(s.Value)
	entry, ok := r.word(at)
	path, ok2 := r.word(at + 4)
	n, ok3 := r.word(at + 8)
	if !ok || !ok2 || !ok3 {
		return Test{}, errors.New("its record is outside of the section")
	}
	if n > longestName {
		return Test{}, fmt.Errorf("a module path of %d bytes", n)
	}
	module, err := r.text(path, n)
	if err != nil {
		return Test{}, err
	}
	if _, inCrate, found := strings.Cut(module, "::"); found {
		meta.Name = inCrate + "::" + meta.Name
	}
	t, err := meta.test()
	t.Entry = entry
	return t, err
}

// metadata describes a test in both versions of the protocol.
type metadata struct {
	Name        string `json:"name"`
	Ignored     bool   `json:"ignored"`
	ShouldPanic bool   `json:"should_panic"`
	Timeout     *int64 `json:"timeout"` // seconds
}

func (m metadata) test() (Test, error) {
	t := Test{Name: m.Name, ShouldPanic: m.ShouldPanic, Ignored: m.Ignored, Timeout: defaultLimit}
	if m.Timeout != nil && *m.Timeout > 0 && *m.Timeout < 1<<20 {
		t.Timeout = time.Duration(*m.Timeout) * time.Second
	}
	return t, checkName(t.Name)
}

// listed reads the reply of firmware that was asked for its tests.
func listed(reply []byte) ([]Test, error) {
	var all struct {
		Version *uint32    `json:"version"`
		Tests   []metadata `json:"tests"`
	}
	if err := json.Unmarshal(reply, &all); err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	if all.Version == nil || *all.Version != 1 {
		return nil, errors.New("reading tests: the list of tests has an unknown version")
	}
	if len(all.Tests) > maxTests {
		return nil, fmt.Errorf("reading tests: more than %d tests", maxTests)
	}
	var tests []Test
	for _, m := range all.Tests {
		t, err := m.test()
		if err != nil {
			return nil, fmt.Errorf("reading tests: %w", err)
		}
		if strings.ContainsAny(t.Name, " \t") {
			return nil, fmt.Errorf("reading tests: the name %q has a space", t.Name) // it is a word of the command
		}
		tests = append(tests, t)
	}
	return checkNames(tests)
}

// text reads a string from whichever section holds its address.
func (r *reader) text(addr, n uint32) (string, error) {
	for _, s := range r.file.Sections {
		if s.Type != elf.SHT_PROGBITS || uint64(addr) < s.Addr || uint64(addr)+uint64(n) > s.Addr+s.Size || s.Addr == 0 && s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		b := make([]byte, n)
		if _, err := s.ReadAt(b, int64(uint64(addr)-s.Addr)); err != nil {
			return "", err
		}
		return string(b), nil
	}
	return "", fmt.Errorf("no section holds the module path at 0x%08x", addr)
}
