package fwtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/emu/parts"
	"espalier.dev/espalier/internal/atomicfile"
)

// artifacts is where the files of one test are kept.
type artifacts struct{ dir, program, test string }

// folder returns the folder of the test. Names come from the ELF, which is not to
// be trusted: each of their elements becomes one harmless name.
func (a artifacts) folder() string {
	at := filepath.Join(a.dir, harmless(a.program))
	if a.test == a.program {
		return at
	}
	for _, part := range strings.Split(a.test, "::") {
		at = filepath.Join(at, harmless(part))
	}
	return at
}

// harmless returns a name that is a file's name on each system: other characters
// than letters, digits, "_", "-" and "." become "_", and the first is no dot.
func harmless(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r) {
			return r
		}
		return '_'
	}, name[:min(len(name), 100)])
	if name == "" || name[0] == '.' {
		name = "_" + name
	}
	return name
}

// write keeps a file of a test; without a folder it is dropped.
func (a artifacts) write(name string, content []byte) error {
	if a.dir == "" {
		return nil
	}
	file := filepath.Join(a.folder(), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(file, content, 0o666)
}

// writeVCD keeps the levels of the pins during the test.
func (a artifacts) writeVCD(levels *parts.Probe) error {
	if levels == nil {
		return nil
	}
	var b bytes.Buffer
	if err := levels.WriteVCD(&b); err != nil {
		return err
	}
	return a.write("pins.vcd", b.Bytes())
}
