package board

import (
	"errors"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
)

func TestRevision(t *testing.T) {
	for text, want := range map[string]uint16{"v0.3": 3, "0.4": 4, "1.1": 101} {
		if got, err := ParseRevision(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
		b, err := parse("revision = \"" + text + "\"\n")
		if err != nil || b.ChipRevision() != want {
			t.Errorf("revision = %q: %v, %v", text, b, err)
		}
	}
	var none *Board
	if none.ChipRevision() != DefaultRevision || (&Board{}).ChipRevision() != DefaultRevision {
		t.Error("a board without a revision does not have the default")
	}
	_, err := parse("name = \"x\"\nrevision = \"2.0\"\n")
	if err == nil || !strings.Contains(err.Error(), `espalier.toml:2:12: chip revision "2.0" is not emulated; there are v0.3, v0.4, v1.1`) {
		t.Errorf("error %v", err)
	}
	// They are those of the emulated chip.
	_, err = c3.New(emu.Config{ROM: make([]byte, 384<<10), Revision: 2})
	var unknown *emu.RevisionError
	if !errors.As(err, &unknown) || len(unknown.Known) != len(revisions) {
		t.Fatalf("error %v", err)
	}
	for i, r := range unknown.Known {
		if r != revisions[i] {
			t.Errorf("the chip has revisions %v, a board %v", unknown.Known, revisions)
		}
	}
}
