package emutest

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/firmware"
)

// lastLines is how many lines a failed test shows.
const lastLines = 20

// fail ends the test with everything that helps to find the cause.
func (b *Board) fail(what string, res emu.Result) {
	b.t.Helper()
	b.failed = true
	var s strings.Builder
	fmt.Fprintf(&s, "emutest: %s", what)
	switch {
	case res.Err != nil:
		fmt.Fprintf(&s, ": %v", res.Err)
	case stopped(res):
		fmt.Fprintf(&s, ": the board stopped (%v) after %v", res.Reason, b.Now())
	}
	lines := b.out.texts()
	if hidden := len(lines) - lastLines; hidden > 0 {
		fmt.Fprintf(&s, "\n… %d lines", hidden)
		lines = lines[hidden:]
	}
	for _, l := range lines {
		fmt.Fprintf(&s, "\n| %s", l)
	}
	if n := len(b.out.reports); n > b.out.crashes {
		fmt.Fprintf(&s, "\n%s", strings.TrimRight(b.out.reports[n-1].String(), "\n"))
	} else {
		fmt.Fprintf(&s, "\nthe CPU is at, after %v of guest time:", b.Now().Round(time.Microsecond))
		for _, f := range b.backtrace() {
			fmt.Fprintf(&s, "\n  %s", f)
		}
	}
	if list := b.bed.Board.Unmodelled(); len(list) > 0 {
		fmt.Fprintf(&s, "\nnot modelled by the emulated board, first: %s", list[0])
	}
	b.t.Fatal(s.String())
}

// backtrace describes where the CPU is, innermost call first.
func (b *Board) backtrace() []string {
	cpu := b.bed.Board.CPU()
	regs := firmware.Registers{PC: cpu.PC()}
	for n := 1; n < 32; n++ {
		regs.Set(n, cpu.Reg(n))
	}
	addrs := []uint32{cpu.PC()}
	if app := b.symbols.App(); app != nil && app.Executable(cpu.PC()) {
		if list := app.Unwind(firmware.Stack{Registers: regs, Exact: true, Memory: func(addr uint32) (uint32, bool) {
			var word [4]byte
			ok := cpu.Memory().Read(addr, word[:])
			return binary.LittleEndian.Uint32(word[:]), ok
		}}); len(list) > 0 {
			addrs = list
		}
	}
	var out []string
	for _, addr := range addrs {
		frames := b.symbols.Frames(addr)
		if len(frames) == 0 {
			out = append(out, fmt.Sprintf("0x%08x", addr))
		}
		for _, f := range frames {
			text := fmt.Sprintf("0x%08x %s", addr, f.Function)
			if f.File != "" {
				text += fmt.Sprintf(" at %s:%d", f.File, f.Line)
			}
			out = append(out, text)
		}
	}
	return out
}

// keeper holds what is kept of a run.
type keeper struct {
	on        bool
	joined    bool   // with other boards: no recording
	prefix    string // of file names
	dir       string // "" is t.ArtifactDir, for a failed test
	serial    bytes.Buffer
	capture   bytes.Buffer
	recording bytes.Buffer
	pictures  []artefact
}

// artefact is a file that is kept.
type artefact struct {
	name    string // slash-separated
	content []byte
}

// picture keeps a screenshot.
func (k *keeper) picture(name string, png []byte) error {
	if !fs.ValidPath(name) {
		return fmt.Errorf("%q: want the name of a file below the folder of artefacts", name)
	}
	if k.on {
		k.pictures = append(k.pictures, artefact{name, png})
	}
	return nil
}

func newKeeper(t testing.TB, dir string) keeper {
	return keeper{on: dir != "" || keepsArtifacts(), dir: dir}
}

// keepsArtifacts reports whether go test keeps t.ArtifactDir.
func keepsArtifacts() bool {
	f := flag.Lookup("test.artifacts")
	return f != nil && f.Value.String() == "true"
}

// close writes the artefacts and closes the board.
func (b *Board) close() {
	b.t.Helper()
	if b.player != nil && !b.t.Failed() {
		if err := b.player.Pending(); err != nil {
			b.t.Errorf("emutest: %v", err)
		}
	}
	_, err := b.bed.Finish(b.bed.Board)
	if e := b.bed.Close(); err == nil {
		err = e
	}
	if err != nil {
		b.t.Errorf("emutest: %v", err)
	}
	if b.keep.dir == "" && !b.t.Failed() {
		return
	}
	if !b.keep.on {
		b.t.Log("emutest: go test -artifacts keeps serial output, capture and recording of this test")
		return
	}
	dir := b.keep.dir
	if dir == "" {
		dir = b.t.ArtifactDir()
	} else if err := os.MkdirAll(dir, 0o777); err != nil {
		b.t.Errorf("emutest: %v", err)
		return
	}
	for _, f := range append(b.keep.pictures,
		artefact{"serial.log", b.keep.serial.Bytes()},
		artefact{"capture.pcapng", b.keep.capture.Bytes()},
		artefact{"run.recording", b.keep.recording.Bytes()},
	) {
		if len(f.content) == 0 || b.keep.joined && f.name == "run.recording" {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(path.Join(path.Dir(f.name), b.keep.prefix+path.Base(f.name))))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			b.t.Errorf("emutest: %v", err)
			continue
		}
		if err := os.WriteFile(name, f.content, 0o666); err != nil {
			b.t.Errorf("emutest: %v", err)
			continue
		}
		if b.t.Failed() {
			b.t.Logf("emutest: kept %s", name)
		}
	}
}

func quote(s string) string { return strconv.Quote(s) }
func itoa(n int) string     { return strconv.Itoa(n) }
