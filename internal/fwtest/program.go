package fwtest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/scenario"
	"espalier.dev/espalier/monitor"
)

// Program is one test program, ready to boot.
type Program struct {
	Name  string // of the cargo target or file
	ELF   []byte
	Flash []byte // content of the whole flash
	ROM   []byte // mask ROM, ELF
	// Expect are rules for the output of a program that is one test: it passes
	// when all have matched, also without an exit.
	Expect []monitor.Rule
	// Board has the parts of each board; nil: a bare chip. A Scenario has them, too,
	// and takes its place.
	Board *board.Board
	// Scenario, when not nil, is performed on each board, from the start of the
	// test: a test passes only after its last step. A program that is one test
	// passes then, also without an exit.
	Scenario *scenario.Scenario
	// Repeat returns the command that runs one test again; "" for all.
	Repeat func(test string) string

	// Tests is made by Load.
	Tests []Test

	kind    kind
	rom     []byte // ROM as a dump, shared by all boards
	symbols *firmware.Symbols
}

// kind is how the tests of a program are chosen.
type kind uint8

const (
	whole     kind = iota // the program is one test
	byAddress             // embedded-test, protocol version 1
	byName                // embedded-test, protocol version 0
)

// Shared reports whether the tests of p share its boot: each runs on a board that
// has booted to the point at which the firmware asks which test to run.
func (p *Program) Shared() bool { return p.kind != whole }

// IsTest reports whether a file is a program of embedded-test.
func IsTest(elf []byte) bool {
	_, err := list(elf)
	return err == nil || errors.Is(err, errAsk)
}

// open reads the ELF: tests that can be listed from it, and symbols.
func (p *Program) open() error {
	app, err := firmware.Open(bytes.NewReader(p.ELF), firmware.Options{})
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	var rom *firmware.ELF
	if bytes.HasPrefix(p.ROM, []byte("\x7fELF")) {
		if rom, err = firmware.Open(bytes.NewReader(p.ROM), firmware.Options{}); err != nil {
			return fmt.Errorf("mask ROM: %w", err)
		}
	}
	if p.rom, err = c3.FlatROM(p.ROM); err != nil {
		return err
	}
	p.symbols = firmware.NewSymbols(app, rom)
	p.Tests, err = list(p.ELF)
	switch {
	case err == nil:
		p.kind = byAddress
	case errors.Is(err, errAsk):
		p.kind = byName
	case errors.Is(err, errNoTests):
		p.Tests = []Test{{Name: p.Name, Timeout: defaultLimit}}
		if p.Scenario != nil { // its steps have limits of their own
			p.Tests[0].Timeout = max(defaultLimit, p.Scenario.Longest()+time.Second)
		}
	default:
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return nil
}

// ProgramName is the name of the program in a file, without cargo's hash.
func ProgramName(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), ".elf")
	if i := strings.LastIndexByte(base, '-'); i > 0 && len(base)-i == 17 {
		return base[:i]
	}
	return base
}
