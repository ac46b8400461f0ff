package loader

import (
	"bytes"
	"errors"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/emuport"
)

// Programming clears bits and leaves everything else as it is, with the mask ROM
// and with the stub.
func TestProgram(t *testing.T) {
	for _, name := range []string{"ROM", "stub"} {
		t.Run(name, func(t *testing.T) {
			flash := bytes.Repeat([]byte{0xff}, 4<<20)
			copy(flash[0x9000:], "some bytes that are there")
			p := board(t, emu.Config{Flash: bytes.Clone(flash), Strap: emu.StrapFlash}, emuport.Options{})
			o := Options{}
			if name == "stub" {
				o.Stub = stub(t)
			}
			l := connect(t, p, o)
			if name == "stub" {
				if err := l.persist(t.Context(), func() error { return l.startStub(t.Context()) }); err != nil {
					t.Fatal(err)
				}
			}
			for _, w := range []struct {
				at   uint32
				data []byte
			}{
				{0x9000, []byte{0xf0, 0xff, 0x0f, 0xff}},
				{0x9ffc, []byte("four")},
				{0xa100, bytes.Repeat([]byte("more than a block "), 120)},
			} {
				for i, c := range w.data {
					flash[int(w.at)+i] &= c
				}
				from := w.at &^ (sector - 1)
				if err := l.Program(t.Context(), from, flash[from:][:int(w.at-from)+len(w.data)]); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(contents(p), flash) {
				t.Error("the flash holds something else")
			}
			if ok, err := l.Holds(t.Context(), 0x9000, flash[0x9000:0xb000]); !ok || err != nil {
				t.Errorf("holds %t, %v", ok, err)
			}
			flash[0x9000] ^= 1
			if ok, err := l.Holds(t.Context(), 0x9000, flash[0x9000:0xb000]); ok || err != nil {
				t.Errorf("another content: holds %t, %v", ok, err)
			}
			var command *CommandError
			if err := l.Program(t.Context(), 0x9000, []byte{0xff, 0xff, 0xff, 0xff}); !errors.As(err, &command) {
				t.Errorf("setting bits: %v", err)
			}
			var refused *RefusedError
			if err := l.Program(t.Context(), 0x9004, []byte("four")); !errors.As(err, &refused) {
				t.Errorf("not a word: %v", err)
			}
			if err := l.Program(t.Context(), 4<<20-4096, make([]byte, 8192)); !errors.As(err, &refused) {
				t.Errorf("beyond the end: %v", err)
			}
		})
	}
}
