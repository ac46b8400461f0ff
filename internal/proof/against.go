package proof

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"math"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
)

// Comparison is a firmware compared with a file of others: the payload, below
// signature, header and padding.
type Comparison struct {
	Kind        string // what the file is: "elf", "image", "flash"
	Same        bool   // the payload
	Identical   bool
	Differences []Difference
	Notes       []string // what was not compared, and what differs outside of the payload
}

// ErrEncrypted is in the chain of the error for a flash that was read encrypted.
var ErrEncrypted = errors.New("the content looks encrypted (flash encryption): only the chip can read it")

// Against compares a firmware, as ELF and flash image, with a file: an ELF, an
// application image or the content of a flash, also signed (Secure Boot 2) or padded.
func Against(elfBytes []byte, flash *image.Flash, other []byte) (Comparison, error) {
	switch image.Identify(other) {
	case image.ELF:
		c := Comparison{Kind: "elf", Identical: bytes.Equal(elfBytes, other)}
		if c.Identical {
			c.Same = true
			return c, nil
		}
		return c, c.elf(elfBytes, other)
	case image.Single:
		c := Comparison{Kind: "image", Identical: bytes.Equal(flash.App(), other)}
		i, err := image.Parse(other)
		if err != nil {
			return c, err
		}
		return c, c.app(elfBytes, flash.App(), i, other)
	case image.WholeFlash:
		return againstFlash(elfBytes, flash, other)
	}
	if looksEncrypted(other) {
		return Comparison{}, ErrEncrypted
	}
	return Comparison{}, errors.New("this is neither an ELF nor an image of an application or a flash")
}

// elf compares two ELFs: sections that are not loaded, such as debug information, are
// no part of the payload.
func (c *Comparison) elf(own, other []byte) error {
	list, err := CompareELF(bytes.NewReader(own), bytes.NewReader(other))
	if err != nil {
		return err
	}
	loaded := map[string]bool{}
	for _, b := range [][]byte{own, other} {
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			return err
		}
		for _, s := range f.Sections {
			loaded[s.Name] = loaded[s.Name] || s.Flags&elf.SHF_ALLOC != 0
		}
	}
	var rest []string
	for _, d := range list {
		if in, known := loaded[d.Section]; known && !in {
			rest = append(rest, d.Section)
		} else {
			c.Differences = append(c.Differences, d)
		}
	}
	if len(rest) > 0 {
		c.Notes = append(c.Notes, "not loaded and different: "+strings.Join(rest, ", "))
	}
	c.Same = len(c.Differences) == 0
	return nil
}

// app compares an application image with the one in another file, whose bytes from
// the image's first on are rest.
func (c *Comparison) app(elfBytes, app []byte, other *image.Image, rest []byte) error {
	own, err := image.Parse(app)
	if err != nil {
		return err
	}
	c.Notes = append(c.Notes, headerNotes(own.Header, other.Header)...)
	c.Notes = append(c.Notes, tail(rest[other.Size:])...)
	f, err := elf.NewFile(bytes.NewReader(elfBytes))
	if err != nil {
		return err
	}
	c.Differences = append(c.Differences, segments(f, own, other)...)
	explain(c.Differences)
	c.Same = len(c.Differences) == 0
	return nil
}

// headerNotes are the fields of a header that do not change what the firmware does:
// they say how the flash chip is read, and on which chips the image starts.
func headerNotes(a, b image.Header) (notes []string) {
	differ := func(what string, x, y any) {
		if x != y {
			notes = append(notes, fmt.Sprintf("header: %s %v, here %v", what, y, x))
		}
	}
	differ("flash mode", a.Mode, b.Mode)
	differ("flash frequency", a.Freq, b.Freq)
	differ("flash size", a.Size, b.Size)
	differ("lowest chip revision", a.MinRev, b.MinRev)
	differ("highest chip revision", a.MaxRev, b.MaxRev)
	differ("has a digest", a.HasDigest, b.HasDigest)
	return notes
}

// signatureSize is the size of a signature sector of Secure Boot 2, which begins at
// the next sector after the image (ESP-IDF, Secure Boot v2, Signature Block Format).
const signatureSize = 4096

// tail says what is in the bytes after an image.
func tail(b []byte) []string {
	for at := 0; at+4 <= len(b); at++ {
		if b[at] == 0xe7 && b[at+1] == 0x02 && b[at+2] == 0 && b[at+3] == 0 {
			n := 0
			for k := at; k+1216 <= min(len(b), at+signatureSize) && b[k] == 0xe7; k += 1216 {
				n++
			}
			return []string{fmt.Sprintf("signed for Secure Boot 2; signatures are not compared (there are %d)", max(n, 1))}
		}
		if b[at] != 0xff && b[at] != 0 {
			return []string{fmt.Sprintf("%d bytes after the image are not compared", len(b))}
		}
	}
	return nil
}

// segments compares the segments of two images by their addresses.
func segments(f *elf.File, a, b *image.Image) (out []Difference) {
	find := func(i *image.Image, addr uint32) *image.Segment {
		for k := range i.Segments {
			if s := &i.Segments[k]; s.Addr == addr && s.Addr != 0 {
				return s
			}
		}
		return nil
	}
	for k := range a.Segments {
		s := &a.Segments[k]
		if s.Addr == 0 {
			continue // padding
		}
		t := find(b, s.Addr)
		name := sectionAt(f, uint64(s.Addr))
		if t == nil {
			out = append(out, Difference{Section: name, SizeA: int64(len(s.Data)), SizeB: -1, Cause: "the other firmware has nothing at this address"})
			continue
		}
		out = append(out, bySection(f, s, t)...)
	}
	for k := range b.Segments {
		if s := &b.Segments[k]; s.Addr != 0 && find(a, s.Addr) == nil {
			out = append(out, Difference{Section: fmt.Sprintf("segment at 0x%08x", s.Addr), SizeA: -1, SizeB: int64(len(s.Data)), Cause: "only the other firmware has something at this address"})
		}
	}
	return out
}

// bySection compares two segments, section by section of the own ELF. The digest of
// the ELF in the application descriptor follows from the ELF and is no difference.
func bySection(f *elf.File, a, b *image.Segment) (out []Difference) {
	other := b.Data
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS || s.Size == 0 || s.Addr < uint64(a.Addr) || s.Addr >= uint64(a.Addr)+uint64(len(a.Data)) {
			continue
		}
		from := int(s.Addr - uint64(a.Addr))
		to := min(from+int(s.Size), len(a.Data))
		own := a.Data[from:to]
		theirs := other[min(from, len(other)):min(to, len(other))]
		d := Difference{Section: s.Name, SizeA: int64(len(own)), SizeB: int64(len(theirs)), Offset: -1}
		for i := range min(len(own), len(theirs)) {
			if own[i] == theirs[i] || inELFDigest(own, i) {
				continue
			}
			d.Bytes++
			if d.Offset < 0 {
				d.Offset = int64(i)
				d.TextA, d.TextB = textAround(own, int64(i)), textAround(theirs, int64(i))
				d.Symbol = symbolAt(f, s.Addr+uint64(i))
			}
		}
		if d.Offset < 0 && len(own) == len(theirs) {
			continue
		}
		if d.Offset < 0 {
			d.Offset = int64(min(len(own), len(theirs)))
		}
		out = append(out, d)
	}
	if len(out) == 0 && len(a.Data) != len(other) {
		out = append(out, Difference{Section: sectionAt(f, uint64(a.Addr)), SizeA: int64(len(a.Data)), SizeB: int64(len(other)), Offset: int64(min(len(a.Data), len(other)))})
	}
	return out
}

// inELFDigest reports whether a byte of a section is in the descriptor's digest of the
// ELF, which the tool that makes the image fills in.
func inELFDigest(section []byte, i int) bool {
	const magic, at, size = "\x32\x54\xcd\xab", 0x90, 32
	return bytes.HasPrefix(section, []byte(magic)) && i >= at && i < at+size
}

func sectionAt(f *elf.File, addr uint64) string {
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS && s.Addr <= addr && addr < s.Addr+s.Size {
			return s.Name
		}
	}
	return fmt.Sprintf("segment at 0x%08x", addr)
}

// againstFlash compares with the content of a flash: bootloader, partition table and
// the application in any slot.
func againstFlash(elfBytes []byte, flash *image.Flash, other []byte) (Comparison, error) {
	c := Comparison{Kind: "flash"}
	trimmed := flash.Trimmed()
	c.Identical = len(other) >= len(trimmed) && bytes.Equal(trimmed, other[:len(trimmed)]) && len(bytes.TrimLeft(other[len(trimmed):], "\xff")) == 0
	contents, err := image.ParseFlash(other)
	if err != nil {
		return c, err
	}
	var parts []Difference
	for _, p := range flash.Parts {
		switch p.Name {
		case "bootloader":
			d, notes := bootloader(p.Bytes, contents)
			parts, c.Notes = append(parts, d...), append(c.Notes, notes...)
		case "partition-table":
			if d, differs := tables(flash.Table, contents.Table); differs {
				parts = append(parts, d)
			}
		}
	}
	var best *Comparison
	used := 0
	for _, slot := range contents.Apps {
		if slot.Blank {
			continue
		}
		used++
		if slot.Image == nil {
			c.Notes = append(c.Notes, fmt.Sprintf("partition %s: %v", slot.Partition.Name, slot.Err))
			if data := other[slot.Partition.Offset:min(slot.Partition.End(), uint64(len(other)))]; looksEncrypted(data) {
				return c, fmt.Errorf("partition %s: %w", slot.Partition.Name, ErrEncrypted)
			}
			continue
		}
		one := Comparison{}
		rest := other[slot.Partition.Offset:min(slot.Partition.End(), uint64(len(other)))]
		if err := one.app(elfBytes, flash.App(), slot.Image, rest); err != nil {
			return c, err
		}
		one.Notes = append(one.Notes, "compared with the application in the partition "+slot.Partition.Name)
		if best == nil || one.Same && !best.Same {
			best = &one
		}
	}
	if best == nil {
		return c, errors.New("the flash has no application")
	}
	if used > 1 {
		best.Notes = append(best.Notes, fmt.Sprintf("%d partitions have an application", used))
	}
	c.Notes, c.Differences = append(c.Notes, best.Notes...), append(parts, best.Differences...)
	c.Same = len(c.Differences) == 0
	return c, nil
}

func bootloader(own []byte, contents *image.Contents) ([]Difference, []string) {
	a, err := image.Parse(own)
	if err != nil || contents.Bootloader == nil {
		return nil, []string{"the bootloader is not compared: there is none, or it is not readable"}
	}
	b := contents.Bootloader
	var out []Difference
	for k := range max(len(a.Segments), len(b.Segments)) {
		if k >= len(a.Segments) || k >= len(b.Segments) || a.Segments[k].Addr != b.Segments[k].Addr || !bytes.Equal(a.Segments[k].Data, b.Segments[k].Data) {
			out = []Difference{{Section: "bootloader", SizeA: int64(a.Size), SizeB: int64(b.Size), Offset: -1, Cause: "another bootloader: of another release of ESP-IDF, or with other settings"}}
			break
		}
	}
	var notes []string
	for _, n := range headerNotes(a.Header, b.Header) {
		notes = append(notes, "bootloader "+n)
	}
	return out, notes
}

func tables(a, b partition.Table) (Difference, bool) {
	x, y := string(a.CSV()), string(b.CSV())
	if x == y {
		return Difference{}, false
	}
	return Difference{Section: "partition table", SizeA: int64(len(a.Entries)), SizeB: int64(len(b.Entries)), Cause: "another partition table: partition-table in [image] of espalier.toml, or --partition-table"}, true
}

// looksEncrypted reports whether content could be encrypted: nearly eight bits of
// entropy for each byte, which neither code nor blank flash has.
func looksEncrypted(b []byte) bool {
	b = b[:min(len(b), 64<<10)]
	if len(b) < 4096 {
		return false
	}
	var n [256]float64
	for _, v := range b {
		n[v]++
	}
	entropy := 0.0
	for _, c := range n {
		if c > 0 {
			p := c / float64(len(b))
			entropy -= p * math.Log2(p)
		}
	}
	return entropy > 7.9
}
