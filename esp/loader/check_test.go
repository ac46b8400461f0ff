package loader

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/elftest"
)

// healthy is a chip of revision 0.4 with 4 MB of flash and no security.
func healthy() State {
	return State{Identity: Identity{Revision: 4, Block: 103}, Flash: FlashID{Size: 4 << 20}, Security: Security{ChipID: 5}}
}

func TestRefusals(t *testing.T) {
	f, err := image.FromELF(elftest.Hello().Bytes(), image.Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		t.Fatal(err)
	}
	whole := parts(f)
	app := func(change func(b []byte)) []Part {
		b := append([]byte(nil), f.App()...)
		change(b)
		return []Part{{Name: "app", Offset: 0x10000, Bytes: b}}
	}
	state := func(change func(*State)) State {
		s := healthy()
		change(&s)
		return s
	}
	// The first word twice, then the program (esp32c3-direct-boot).
	direct := []Part{{"app", 0, append(bytes.Repeat([]byte{0x1d, 0x04, 0xdb, 0xae}, 2), make([]byte, 0x100)...)}}
	for _, tc := range []struct {
		name  string
		state State
		parts []Part
		want  string // in the first refusal
		would string
		final bool
	}{
		{"nothing", healthy(), whole, "", "", false},
		{"secure download", state(func(s *State) { s.Security.Flags = flagSecureDownload }), whole, "Secure Download", "nothing could be read back", true},
		{"flash encryption", state(func(s *State) { s.Security.CryptCount = 1 }), whole, "flash encryption is on", "decrypt", false},
		{"flash encryption switched off again", state(func(s *State) { s.Security.CryptCount = 3 }), whole, "", "", false},
		{"secure boot", state(func(s *State) { s.Security.Flags = flagSecureBoot }), whole, "bootloader is not signed", "ROM would refuse", false},
		{"small flash", state(func(s *State) { s.Flash.Size = 2 << 20 }), whole, "bootloader is set to 4 MB", "read as its beginning", false},
		{"beyond the end", healthy(), []Part{{"x", 4<<20 - 0x1000, make([]byte, 0x1001)}}, "ends at 0x400001", "bootloader would be overwritten", true},
		{"within a sector", healthy(), []Part{{"x", 0x9100, []byte{1}}}, "within a sector", "erased", true},
		{"overlap", healthy(), []Part{{"x", 0x9000, make([]byte, 0x1800)}, {"y", 0xa000, []byte{1}}}, "overlap", "destroy", true},
		{"empty", healthy(), []Part{{"x", 0x9000, nil}}, "is empty", "", true},
		{"no bootloader", healthy(), []Part{{"bootloader", 0, []byte("#!/bin/sh and more than an image header")}}, "is not a bootloader", "invalid header", false},
		{"direct boot", healthy(), direct, "", "", false},
		{"direct boot with secure boot", state(func(s *State) { s.Security.Flags = flagSecureBoot }), direct, "for direct boot", "ROM would refuse", false},
		{"direct boot elsewhere", healthy(), []Part{{"app", 0x10000, f.App()}, {"bootloader", 0, direct[0].Bytes[1:]}}, "is not a bootloader", "invalid header", false},
		{"cut app", healthy(), []Part{{"app", 0x10000, f.App()[:0x800]}}, "not a complete image", "bootloader would refuse", false},
		{"spoilt app", healthy(), app(func(b []byte) { b[0x300] ^= 1 }), "checksum", "bootloader would refuse", false},
		{"app of another chip", healthy(), app(func(b []byte) { b[12] = 13 }), "esp32c6", "bootloader would refuse", false},
		{"app for a newer chip", healthy(), app(func(b []byte) { binary.LittleEndian.PutUint16(b[15:], 101) }), "sha256", "", false},
		{"old chip", state(func(s *State) { s.Identity.Revision = 2 }), app(func([]byte) {}), "", "", false},
		{"table beyond the end", state(func(s *State) { s.Flash.Size = 1 << 20 }), []Part{{"table", 0x8000, partition.Default(4 << 20).Binary()}}, "factory ends at 0x400000", "land on the bootloader", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Check(tc.state, tc.parts)
			if tc.want == "" {
				if len(got) > 0 {
					t.Fatalf("refused: %+v", got)
				}
				return
			}
			if len(got) == 0 {
				t.Fatal("not refused")
			}
			if r := got[0]; !strings.Contains(r.Reason, tc.want) || !strings.Contains(r.Would, tc.would) || r.Final != tc.final {
				t.Errorf("refused with %+v", r)
			}
			for _, r := range got {
				if r.Would == "" {
					t.Errorf("%q does not say what would have happened", r.Reason)
				}
			}
		})
	}
}

func TestRevisionRefusals(t *testing.T) {
	refused := func(rev uint16, h image.Header) string {
		var out []string
		s := healthy()
		s.Identity.Revision = rev
		checkRevision(s, "app", h, "the check", func(r Refusal) { out = append(out, r.Reason) })
		return strings.Join(out, "; ")
	}
	for _, tc := range []struct {
		rev  uint16
		h    image.Header
		want string
	}{
		{3, image.Header{MinRev: 3, MaxRev: 199}, ""},
		{2, image.Header{MinRev: 3, MaxRev: 199}, "v0.3 and later, this is v0.2"},
		{101, image.Header{MinRev: 3, MaxRev: 99}, "up to v0.99, this is v1.1"}, // esp-idf#17610
		{101, image.Header{MaxRev: 0xffff}, ""},
		{101, image.Header{}, ""},
	} {
		if got := refused(tc.rev, tc.h); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("revision %d with %d-%d: %q", tc.rev, tc.h.MinRev, tc.h.MaxRev, got)
		}
	}
}

// espflash#927 and others: a descriptor in the wrong place asks for an absurd
// block revision, which only the bootloader would notice.
func TestBlockRevision(t *testing.T) {
	r := blockRefusal("app", "at least", 20728, 103)
	if !strings.Contains(r.Reason, "at least v207.28, the chip has v1.3") || !strings.Contains(r.Hint, "descriptor") {
		t.Errorf("%+v", r)
	}
}

func TestParseStub(t *testing.T) {
	good := "# comment\nentry = 1_077_411_840\ntext = \"AQIDBA==\"\ntext_start = 1_077_411_840\ndata = \"\"\ndata_start = 0x3fc80000\n"
	s, err := ParseStub([]byte(good))
	if err != nil || s.Entry != 0x40380000 || len(s.Text.Bytes) != 4 || s.Data.Addr != 0x3fc80000 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "entry", strings.Replace(good, "AQIDBA==", "?", 1), strings.Replace(good, "entry = 1_077_411_840", "entry = 1", 1)} {
		if _, err := ParseStub([]byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func FuzzParseStub(f *testing.F) {
	f.Add([]byte("entry = 1\ntext = \"AQ==\"\ntext_start = 1\ndata = \"\"\ndata_start = 2"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStub(b); err == nil && len(s.Text.Bytes) == 0 {
			t.Error("no code")
		}
	})
}
