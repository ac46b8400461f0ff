package image

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/elftest"
)

// FuzzParse: no input may panic or reach outside itself, and an image that has
// no problems is one.
func FuzzParse(f *testing.F) {
	f.Add(elftest.Bootloader(5))
	f.Add(tinyImage())
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
	// The table is in the second sector: mutations of a whole flash would
	// mostly meet padding.
	b := append(tinyImage(), bytes.Repeat([]byte{0xff}, partition.SectorSize)...)[:partition.SectorSize]
	f.Add(append(b, partition.Default(0).Binary()...))
	f.Add(append(b, partition.Default(0).Binary()[:160]...))
	f.Add(append(directMagic(), 1, 2, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, b []byte) {
		Identify(b)
		if c, err := ParseFlash(b); err == nil && c.end() < 0 {
			t.Fatal("negative end")
		}
		if f, err := FromDirect(b, Inputs{}); err == nil && (len(f.Merged()) != int(f.Size) || len(b) <= int(f.Size) && !bytes.HasPrefix(f.Merged(), b)) {
			t.Fatal("FromDirect changed what it was given")
		}
		if full, err := FullFlash(b); err == nil && !bytes.HasPrefix(full, b) {
			t.Fatal("FullFlash changed what it was given")
		}
	})
}

// FuzzELF: whatever is accepted gives an image that reads back.
func FuzzELF(f *testing.F) {
	f.Add(small().Bytes())
	boot := elftest.Bootloader(5)
	f.Fuzz(func(t *testing.T, b []byte) {
		flash, err := FromELF(b, Inputs{Bootloader: boot})
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

// tinyImage is a valid image of two segments, a descriptor and a word of RAM.
func tinyImage() []byte {
	var header [headerSize]byte
	copy(header[:], elftest.Bootloader(5))
	w := &appWriter{buf: header[:], sum: checksumSeed}
	w.segment(0x3c00_0020, elftest.Descriptor("tiny", "1"))
	w.segment(0x3fc8_0000, []byte{1, 2, 3, 4})
	w.buf[1] = 2
	w.buf = append(w.buf, make([]byte, 15-len(w.buf)%16)...)
	w.buf = append(w.buf, w.sum)
	digest := sha256.Sum256(w.buf)
	return append(w.buf, digest[:]...)
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
