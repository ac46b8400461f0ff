// Package blockrig runs the tests of testdata/firmware on emulated boards: one
// program, in which each function tests a block of the chip or a part on the
// board. A board boots once up to the choice of a test; each test starts from that
// state.
//
// A test has parts, wires, values in the program's memory and inputs; its result
// is what the function wrote and how it ended. Unlike a runner of
// embedded tests alone, a rig lets a test reset the chip and go on after the boot.
package blockrig

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/store"
)

// Config describes the board of a rig. ROM and Flash of Board are set by New.
type Config struct {
	Board emu.Config
	Parts []emu.Part
	Join  [][2]int
}

// Rig is a board that has booted to the choice of a test.
type Rig struct {
	Board *emu.Board
	Host  *semihost.Host

	t      testing.TB
	files  *files
	snap   *emu.Snapshot
	text   strings.Builder
	serial bytes.Buffer
	line   *string
	params []uint32
	name   string
	begin  time.Duration // of the test
}

// Result is how a test ended.
type Result struct {
	Name    string
	Passed  bool
	Why     string        // it did not pass
	Text    string        // by semihosting
	Serial  string        // UART0
	Elapsed time.Duration // guest time
	Resets  []emu.Reset
}

// Test is one run of a test function.
type Test struct {
	Name string
	// Params are written to PARAMS of the program after each boot.
	Params []uint32
	// Inert makes blocks plain memory.
	Inert []string
	// Before is called before the test starts, Wrote after each text that it
	// writes, with all of it.
	Before func(*emu.Board)
	Wrote  func(b *emu.Board, text string)
	// Limit of guest time; 0 is the test's own.
	Limit time.Duration
}

// files are the program and what a board needs, read once.
type files struct {
	rom, flash []byte
	tests      map[string]function
	params     uint32
}

// load reads the program that scripts/firmware has built.
func load(t testing.TB) *files {
	t.Helper()
	dir := devtest.Store(t)
	path := filepath.Join(dir, "firmware", "blocks.elf")
	if own := os.Getenv("ESPALIER_BLOCKS_ELF"); own != "" {
		path = own
	}
	elfFile, err := os.ReadFile(path)
	if err != nil {
		devtest.Missing(t, "blocks.elf (scripts/firmware)")
	}
	f := &files{}
	if err := f.read(t, dir, elfFile); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *files) read(t testing.TB, dir string, program []byte) error {
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		return err
	}
	defer st.Close()
	if f.rom, err = chipfiles.Own().ROM(t.Context(), st, chipfiles.EmulatedRevision); err != nil {
		return err
	}
	boot, err := chipfiles.Own().Bootloader(t.Context(), st, image.DIO)
	if err != nil {
		return err
	}
	img, err := image.FromELF(program, image.Inputs{Bootloader: boot})
	if err != nil {
		return err
	}
	f.flash = img.Merged()
	return f.symbols(program)
}

// symbols finds PARAMS and the test functions: each is a symbol of 12 bytes in
// .embedded_test whose name is a JSON object and whose content is the entry, and
// address and length of the module path (embedded-test 0.7).
func (f *files) symbols(program []byte) error {
	e, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	symbols, err := e.Symbols()
	section := e.Section(".embedded_test")
	if err != nil || section == nil {
		return fmt.Errorf("the program has no tests: %v", err)
	}
	data, err := section.Data()
	if err != nil {
		return err
	}
	f.tests = map[string]function{}
	for _, s := range symbols {
		switch {
		case s.Name == "PARAMS":
			f.params = uint32(s.Value)
		case int(s.Section) < len(e.Sections) && e.Sections[s.Section] == section && s.Size == 12:
			var meta struct {
				Name    string `json:"name"`
				Timeout int    `json:"timeout"`
			}
			if err := json.Unmarshal([]byte(s.Name), &meta); err != nil {
				return err
			}
			record := data[s.Value-section.Addr:]
			path, err := text(e, binary.LittleEndian.Uint32(record[4:]), binary.LittleEndian.Uint32(record[8:]))
			if err != nil {
				return err
			}
			_, module, _ := strings.Cut(path, "::")
			f.tests[module+"::"+meta.Name] = function{binary.LittleEndian.Uint32(record), time.Duration(meta.Timeout) * time.Second}
		}
	}
	if f.params == 0 || len(f.tests) == 0 {
		return fmt.Errorf("the program has %d tests, and PARAMS at 0x%x", len(f.tests), f.params)
	}
	return nil
}

// text reads a string from the section that holds its address.
func text(e *elf.File, addr, n uint32) (string, error) {
	for _, s := range e.Sections {
		if s.Type == elf.SHT_PROGBITS && s.Addr != 0 && uint64(addr) >= s.Addr && uint64(addr)+uint64(n) <= s.Addr+s.Size {
			b := make([]byte, n)
			_, err := s.ReadAt(b, int64(uint64(addr)-s.Addr))
			return string(b), err
		}
	}
	return "", fmt.Errorf("no section holds address 0x%08x", addr)
}

// function is a test of the program.
type function struct {
	entry   uint32
	timeout time.Duration
}

// New boots a board. The test is skipped when the program or the chip's files are
// missing.
func New(t testing.TB, cfg Config) *Rig {
	t.Helper()
	r := &Rig{t: t, files: load(t)}
	cfg.Board.ROM, cfg.Board.Flash = r.files.rom, r.files.flash
	output := cfg.Board.Output
	cfg.Board.Output = func(o emu.Output) {
		if o.Stream == emu.UART0 {
			r.serial.Write(o.Data)
		}
		if output != nil {
			output(o)
		}
	}
	var err error
	if r.Board, err = c3.New(cfg.Board); err != nil {
		t.Fatal(err)
	}
	for _, p := range cfg.Parts {
		if err := p.Attach(r.Board); err != nil {
			t.Fatal(err)
		}
	}
	for _, j := range cfg.Join {
		r.Board.Join(j[0], j[1])
	}
	write := func(p []byte) { r.text.Write(p) }
	r.Host = &semihost.Host{StopAtCommandLine: true, Stdout: write, Stderr: write}
	r.Host.Attach(r.Board.CPU())
	if res := r.Board.Run(t.Context(), emu.Limit(5*time.Second)); !r.Host.AtCommandLine {
		t.Fatalf("the program did not ask for a test: %v after %v\n%s%s", res.Reason, res.Now, r.serial.String(), r.text.String())
	}
	r.snap = r.Board.Snapshot()
	return r
}

// Start makes a test ready to run: the next Step runs it.
func (r *Rig) Start(test Test) {
	r.t.Helper()
	entry, ok := r.files.tests[test.Name]
	if !ok {
		r.t.Fatalf("the program has no test %q", test.Name)
	}
	r.Host.Reset()
	r.Host.CommandLine = nil
	if err := r.Board.Restore(r.snap); err != nil {
		r.t.Fatal(err)
	}
	r.text.Reset()
	r.serial.Reset()
	write := func(p []byte) {
		r.text.Write(p)
		if test.Wrote != nil {
			test.Wrote(r.Board, r.text.String())
		}
	}
	r.Host.Stdout, r.Host.Stderr = write, write
	line := "run_addr " + strconv.FormatUint(uint64(entry.entry), 10)
	r.line, r.params = &line, test.Params
	if len(test.Inert) > 0 {
		if err := r.Board.Inert(test.Inert...); err != nil {
			r.t.Fatal(err)
		}
	}
	if test.Before != nil {
		test.Before(r.Board)
	}
	r.name, r.begin = test.Name, r.Board.Now()
	r.choose()
}

// choose answers the program's question for a test.
func (r *Rig) choose() {
	var words []byte
	for _, v := range r.params {
		words = binary.LittleEndian.AppendUint32(words, v)
	}
	if len(words) > 0 {
		r.Board.CPU().Memory().Write(r.files.params, words)
	}
	r.Host.CommandLine, r.Host.AtCommandLine = r.line, false
}

// Step lets at most d of guest time pass, and reports whether the test has ended.
func (r *Rig) Step(d time.Duration) (res emu.Result, ended bool) {
	end := r.Board.Now() + d
	for r.Board.Now() < end {
		part := r.Board.Run(r.t.Context(), emu.Limit(end-r.Board.Now()))
		res.Resets = append(res.Resets, part.Resets...)
		res.Reason, res.Err, res.Now = part.Reason, part.Err, part.Now
		if r.Host.Exited != nil {
			return res, true
		}
		switch {
		case part.Reason == emu.StopEbreak && r.Host.AtCommandLine:
			r.choose() // booted again
			continue
		case part.Reason == emu.StopLimit:
			// After a reset the program asks again.
			r.Host.CommandLine = r.line
			continue
		}
		return res, true
	}
	return res, false
}

// Run runs a test.
func (r *Rig) Run(test Test) Result {
	r.t.Helper()
	r.Start(test)
	limit := test.Limit
	if limit == 0 {
		limit = r.files.tests[test.Name].timeout
	}
	res, _ := r.Step(limit)
	out := r.Result()
	out.Resets = res.Resets
	if out.Why == notEnded && res.Reason != emu.StopLimit {
		out.Why = fmt.Sprintf("stopped by %v, %v", res.Reason, res.Err)
	}
	return out
}

const notEnded = "did not end"

// Result returns how the test that was started stands, without its resets.
func (r *Rig) Result() Result {
	out := Result{Name: r.name, Text: r.text.String(), Serial: r.serial.String(), Elapsed: r.Board.Now() - r.begin}
	switch {
	case r.Host.Exited == nil:
		out.Why = notEnded
	case !r.Host.Exited.Success():
		out.Why = "failed: " + out.Text
	default:
		out.Passed = true
	}
	return out
}

// Pass runs a test that must pass.
func (r *Rig) Pass(test Test) Result {
	r.t.Helper()
	res := r.Run(test)
	if !res.Passed {
		r.t.Fatalf("%s: %s\n%s\nresets %v, after %v\n%s", test.Name, res.Why, res.Text, res.Resets, res.Elapsed, tail(res.Serial))
	}
	return res
}

// Value returns the first number of a line `NAME VALUE` that the test wrote.
func (r Result) Value(t testing.TB, name string) int {
	t.Helper()
	for line := range strings.Lines(r.Text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			v, err := strconv.ParseInt(f[1], 0, 64)
			if err != nil {
				t.Fatalf("%s: %v", r.Name, err)
			}
			return int(v)
		}
	}
	t.Fatalf("%s: no line %q in:\n%s", r.Name, name, r.Text)
	return 0
}

func tail(s string) string {
	if len(s) > 1000 {
		return "…" + s[len(s)-1000:]
	}
	return s
}
