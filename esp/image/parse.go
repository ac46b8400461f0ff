package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"espalier.dev/espalier/esp/chip"
)

// Image is an parsed application or bootloader image. Its slices point
// into the bytes that it was parsed from.
type Image struct {
	Header     Header
	Segments   []Segment
	Descriptor *Descriptor // nil for a bootloader and for images without one
	Checksum   byte        // as written in the image
	ChecksumOK bool
	Digest     []byte // as written, 32 bytes; nil when the image has none
	DigestOK   bool   // false without a digest
	Size       int    // of the image in bytes, checksum and digest included

	checksumAt int
}

// Parse reads the image at the start of b; b may be longer. A wrong
// checksum or digest is reported in the Image, a structure that cannot be
// followed is a *FormatError.
func Parse(b []byte) (*Image, error) {
	h, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	if h.Segments == 0 || h.Segments > maxSegments {
		return nil, &FormatError{1, fmt.Sprintf("%d segments; an image has 1 to %d", h.Segments, maxSegments)}
	}
	img := &Image{Header: h}
	sum, pos := byte(checksumSeed), headerSize
	for n := range h.Segments {
		if len(b)-pos < segHeaderSize {
			return nil, &FormatError{pos, fmt.Sprintf("the image ends before segment %d of %d", n+1, h.Segments)}
		}
		addr := binary.LittleEndian.Uint32(b[pos:])
		size := binary.LittleEndian.Uint32(b[pos+4:])
		pos += segHeaderSize
		if uint64(size) > uint64(len(b)-pos) {
			return nil, &FormatError{pos, fmt.Sprintf("segment %d of %d says %d bytes, %d are there", n+1, h.Segments, size, len(b)-pos)}
		}
		if size%4 != 0 {
			return nil, &FormatError{pos - 4, fmt.Sprintf("segment %d has %d bytes, not a multiple of 4", n+1, size)}
		}
		s := Segment{Addr: addr, Data: b[pos : pos+int(size) : pos+int(size)], Offset: pos}
		for _, v := range s.Data {
			sum ^= v
		}
		img.Segments = append(img.Segments, s)
		pos += int(size)
	}
	img.checksumAt = pos | 15
	if img.checksumAt >= len(b) {
		return nil, &FormatError{pos, "the image ends before its checksum"}
	}
	img.Checksum = b[img.checksumAt]
	img.ChecksumOK = img.Checksum == sum
	img.Size = img.checksumAt + 1
	if h.HasDigest {
		if len(b)-img.Size < digestSize {
			return nil, &FormatError{img.Size, "the image ends before its sha256"}
		}
		img.Digest = b[img.Size : img.Size+digestSize : img.Size+digestSize]
		want := sha256.Sum256(b[:img.Size])
		img.DigestOK = bytes.Equal(want[:], img.Digest)
		img.Size += digestSize
	}
	if s := img.Segments[0]; s.Offset == descOffset {
		img.Descriptor = parseDescriptor(s.Data)
	}
	return img, nil
}

// Problems returns why the ESP32-C3's boot chain would refuse the image, one
// line each; nil when it would not. It cannot know the revision of the chip
// and of its eFuse block, which the boot chain checks too.
func (i *Image) Problems() []string {
	c := chip.ESP32C3()
	var out []string
	if i.Header.ChipID != c.ID {
		out = append(out, fmt.Sprintf("made for %s, not for %s", i.Header.ChipName(), c.Name))
		return out // addresses would be judged by the wrong map
	}
	if !i.ChecksumOK {
		out = append(out, fmt.Sprintf("checksum mismatch at byte 0x%x", i.checksumAt))
	}
	if i.Digest != nil && !i.DigestOK {
		out = append(out, fmt.Sprintf("sha256 mismatch at byte 0x%x", i.checksumAt+1))
	}
	for n, s := range i.Segments {
		if s.Addr == 0 {
			continue
		}
		name, r, ok := c.Region(s.Addr)
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("segment %d: no memory at 0x%08x", n+1, s.Addr))
		case !r.Holds(s.Addr, len(s.Data)):
			out = append(out, fmt.Sprintf("segment %d: %d bytes at 0x%08x leave %s", n+1, len(s.Data), s.Addr, name))
		case c.InFlash(s.Addr) && s.Addr%c.PageSize != uint32(s.Offset)%c.PageSize:
			out = append(out, fmt.Sprintf("segment %d: offset 0x%x and address 0x%08x differ within a 64 KiB page: it cannot be mapped", n+1, s.Offset, s.Addr))
		}
	}
	return append(out, i.mappingProblems()...)
}

// mappingProblems returns why the second stage would not map all of the image's
// flash segments as it says.
func (i *Image) mappingProblems() []string {
	c := chip.ESP32C3()
	var out []string
	count := map[string]int{}
	var mapped []placed
	for n, s := range i.Segments {
		name, _, _ := c.Region(s.Addr)
		if !c.InFlash(s.Addr) {
			continue
		}
		count[name]++
		mapped = append(mapped, placed{piece{s.Addr, s.Data, []section{{fmt.Sprintf("of segment %d", n+1), s.Addr, len(s.Data)}}}, s.Offset})
	}
	for _, name := range []string{"DROM", "IROM"} {
		if n := count[name]; n > 1 {
			out = append(out, fmt.Sprintf("%d segments for %s: the bootloader maps only the last, the others would read as something else", n, name))
		}
	}
	if out == nil {
		if err := checkMapping(mapped); err != nil {
			out = append(out, err.Error())
		}
	}
	return out
}

// Kind describes the image in words: "application image", "bootloader image".
func (i *Image) Kind() string { return i.describe() }
