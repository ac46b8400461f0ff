package image

import (
	"bytes"
	"testing"

	"espalier.dev/espalier/internal/elftest"
)

// FuzzParse: no input may panic or reach outside itself, and an image that has
// no problems is one.
func FuzzParse(f *testing.F) {
	flash, err := FromELF(small().Bytes(), Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(flash.App())
	f.Add(flash.Parts[0].Bytes)
	f.Add([]byte{magic, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := Parse(b)
		if err != nil {
			return
		}
		if img.Size > len(b) {
			t.Fatalf("size %d of %d bytes", img.Size, len(b))
		}
		img.Problems()
		again, err := Parse(b[:img.Size])
		if err != nil || again.Size != img.Size || len(again.Segments) != len(img.Segments) {
			t.Fatalf("the image alone reads differently: %v", err)
		}
	})
}

// FuzzParseFlash covers what finds bootloader, table and apps.
func FuzzParseFlash(f *testing.F) {
	flash, err := FromELF(small().Bytes(), Inputs{Bootloader: elftest.Bootloader(5)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(flash.Trimmed())
	f.Add(flash.Trimmed()[:0x8c00])
	f.Fuzz(func(t *testing.T, b []byte) {
		Identify(b)
		if c, err := ParseFlash(b); err == nil && c.end() < 0 {
			t.Fatal("negative end")
		}
		if full, err := FullFlash(b); err == nil && !bytes.HasPrefix(full, b) {
			t.Fatal("FullFlash changed what it was given")
		}
	})
}

// FuzzELF: whatever is accepted gives an image that reads back.
func FuzzELF(f *testing.F) {
	f.Add(small().Bytes())
	f.Add(elftest.Hello().Bytes())
	boot := elftest.Bootloader(5)
	f.Fuzz(func(t *testing.T, b []byte) {
		flash, err := FromELF(b, Inputs{Bootloader: boot, IgnoreDescriptor: true})
		if err != nil {
			return
		}
		img, err := Parse(flash.App())
		if err != nil {
			t.Fatal(err)
		}
		if p := img.Problems(); p != nil {
			t.Fatal(p)
		}
	})
}

// small is Hello with little in it, so that mutations meet structure.
func small() elftest.File {
	f := elftest.Hello()
	for i := range f.Sections {
		if s := &f.Sections[i]; s.Name != ".flash.appdesc" && len(s.Data) > 16 {
			s.Data = s.Data[:16]
		}
	}
	return f
}
