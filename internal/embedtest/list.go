// Package embedtest runs tests that were built into firmware with the
// embedded-test crate (0.7): it lists them from the ELF and runs each from the
// state that the board has after booting to the test runner.
//
// In come an ELF and a function that makes a board with its flash image; out
// comes one Result for each test. Time is guest time, so verdicts do not depend
// on the host.
package embedtest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Names in an ELF of embedded-test. Each test is a symbol of 12 bytes in
// testSection whose name is a JSON object and whose content is the entry
// address and the module path, as address and length.
const (
	testSection   = ".embedded_test"
	versionSymbol = "EMBEDDED_TEST_VERSION"
	version       = 1
	recordSize    = 12
	defaultLimit  = 60 * time.Second
)

// ErrNoTests is returned for an ELF that was not built with embedded-test.
var ErrNoTests = errors.New("the program has no embedded tests (no section " + testSection + ")")

// Test is one test function.
type Test struct {
	Name        string // module path without the crate's name, and function
	Entry       uint32
	ShouldPanic bool
	Ignored     bool
	Timeout     time.Duration // guest time
}

// List returns the tests of an ELF in the order of its symbol table. The error
// is ErrNoTests or says what is wrong with the file.
func List(file []byte) ([]Test, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	section := f.Section(testSection)
	symbols, err := f.Symbols()
	if section == nil || errors.Is(err, elf.ErrNoSymbols) {
		return nil, ErrNoTests
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
			if v, ok := r.word(uint32(s.Value)); !ok || v != version {
				return nil, fmt.Errorf("reading tests: protocol version %d of embedded-test is not supported, want %d", v, version)
			}
			continue
		}
		if s.Size != recordSize || elf.ST_BIND(s.Info) != elf.STB_GLOBAL {
			continue
		}
		t, err := r.test(s)
		if err != nil {
			return nil, fmt.Errorf("reading tests: symbol %q: %w", s.Name, err)
		}
		tests = append(tests, t)
	}
	if !known {
		return nil, ErrNoTests
	}
	return tests, nil
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
	var meta struct {
		Name        string `json:"name"`
		Ignored     bool   `json:"ignored"`
		ShouldPanic bool   `json:"should_panic"`
		Timeout     *int64 `json:"timeout"`
	}
	if err := json.Unmarshal([]byte(s.Name), &meta); err != nil {
		return Test{}, err
	}
	at := uint32(s.Value)
	entry, ok := r.word(at)
	path, ok2 := r.word(at + 4)
	n, ok3 := r.word(at + 8)
	if !ok || !ok2 || !ok3 {
		return Test{}, errors.New("its record is outside of the section")
	}
	module, err := r.text(path, n)
	if err != nil {
		return Test{}, err
	}
	t := Test{Entry: entry, ShouldPanic: meta.ShouldPanic, Ignored: meta.Ignored, Timeout: defaultLimit, Name: meta.Name}
	if _, inCrate, found := strings.Cut(module, "::"); found {
		t.Name = inCrate + "::" + meta.Name
	}
	if meta.Timeout != nil && *meta.Timeout > 0 && *meta.Timeout < 1<<20 {
		t.Timeout = time.Duration(*meta.Timeout) * time.Second
	}
	return t, nil
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
