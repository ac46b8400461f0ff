package inspect

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// Image is the event "image", and an image inside the event "flash".
type Image struct {
	File       string      `json:"file,omitempty"`
	Kind       string      `json:"kind"`
	Offset     *uint32     `json:"offset,omitempty"`    // in the flash
	Partition  string      `json:"partition,omitempty"` // that holds it
	Size       int         `json:"size"`
	Chip       string      `json:"chip"`
	Entry      string      `json:"entry"`
	FlashMode  string      `json:"flash-mode"`
	FlashFreq  string      `json:"flash-freq"`
	FlashSize  uint32      `json:"flash-size"`
	MinRev     string      `json:"min-chip-revision"`
	MaxRev     string      `json:"max-chip-revision"`
	Checksum   string      `json:"checksum"`
	ChecksumOK bool        `json:"checksum-ok"`
	SHA256     string      `json:"sha256,omitempty"`
	SHA256OK   bool        `json:"sha256-ok"`
	Descriptor *Descriptor `json:"descriptor,omitempty"`
	Segments   []Segment   `json:"segments"`
	Problems   []string    `json:"problems,omitempty"`
}

// EventName implements Event.
func (Image) EventName() string { return "image" }

// Segment is a piece of an image that is loaded or mapped at one address.
type Segment struct {
	Offset  int    `json:"offset"` // of the data in the image
	Address string `json:"address"`
	Size    int    `json:"size"`
	Memory  string `json:"memory"`
}

// Descriptor is the app descriptor of ESP-IDF.
type Descriptor struct {
	Project          string `json:"project"`
	Version          string `json:"version"`
	Date             string `json:"date"`
	Time             string `json:"time"`
	IDFVersion       string `json:"idf-version"`
	ELFSHA256        string `json:"elf-sha256,omitempty"`
	SecureVersion    uint32 `json:"secure-version"`
	MinBlockRevision uint16 `json:"min-efuse-block-revision"`
	MaxBlockRevision uint16 `json:"max-efuse-block-revision"`
	PageSize         uint32 `json:"page-size,omitempty"`
}

func (d *Descriptor) pairs() [][2]string {
	if d == nil {
		return nil
	}
	return [][2]string{
		{"project", d.Project + " " + d.Version},
		{"built", d.Date + " " + d.Time},
		{"esp-idf version", d.IDFVersion},
		{"sha256 of the ELF", d.ELFSHA256},
		{"eFuse block", revisions(d.MinBlockRevision, d.MaxBlockRevision)},
	}
}

func describeImage(img *image.Image) Image {
	h := img.Header
	e := Image{
		Kind: img.Kind(), Size: img.Size, Chip: h.ChipName(), Entry: address(h.Entry),
		FlashMode: h.Mode.String(), FlashFreq: h.Freq.String(), FlashSize: h.Size,
		MinRev: revision(h.MinRev), MaxRev: revision(h.MaxRev),
		Checksum: fmt.Sprintf("0x%02x", img.Checksum), ChecksumOK: img.ChecksumOK,
		SHA256: hex.EncodeToString(img.Digest), SHA256OK: img.DigestOK,
		Problems: img.Problems(),
	}
	if d := img.Descriptor; d != nil {
		e.Descriptor = &Descriptor{Project: d.Project, Version: d.Version, Date: d.Date, Time: d.Time, IDFVersion: d.IDFVersion,
			SecureVersion: d.SecureVersion, MinBlockRevision: d.MinBlockRev, MaxBlockRevision: d.MaxBlockRev, PageSize: d.PageSize}
		if d.ELFSHA256 != [32]byte{} {
			e.Descriptor.ELFSHA256 = hex.EncodeToString(d.ELFSHA256[:])
		}
	}
	c := chip.ESP32C3()
	for _, s := range img.Segments {
		name, _, ok := c.Region(s.Addr)
		switch {
		case s.Addr == 0:
			name = "padding"
		case !ok || h.ChipID != c.ID:
			name = ""
		}
		e.Segments = append(e.Segments, Segment{s.Offset, address(s.Addr), len(s.Data), name})
	}
	return e
}

func ofImage(name string, b []byte) (View, error) {
	img, err := image.Parse(b)
	if err != nil {
		return View{}, err
	}
	e := describeImage(img)
	e.File = name
	v := View{Event: e, Parts: []Part{{Fields: append([][2]string{{"file", name}}, e.pairs(img)...), Table: e.table()}}}
	if extra := len(b) - img.Size; extra > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%s: %d bytes after the image", name, extra))
	}
	return v, problems(e)
}

// problems makes the error of an image that the boot chain would refuse.
func problems(e Image) error {
	if len(e.Problems) == 0 {
		return nil
	}
	return fault.New(fault.Usage, "the ESP32-C3 would not start it: "+strings.Join(e.Problems, "; "))
}

func (e Image) pairs(img *image.Image) [][2]string {
	good := func(ok bool, s string) string {
		switch {
		case s == "":
			return "none"
		case ok:
			return s
		}
		return s + " (wrong)"
	}
	pairs := [][2]string{
		{"kind", e.Kind + ", " + ui.Size(int64(e.Size))},
		{"chip", e.Chip + " " + revisions(img.Header.MinRev, img.Header.MaxRev)},
		{"entry", e.Entry},
		{"flash", fmt.Sprintf("%s %s %s", e.FlashMode, e.FlashFreq, ui.Size(int64(e.FlashSize)))},
		{"checksum", good(e.ChecksumOK, e.Checksum)},
		{"sha256", good(e.SHA256OK, e.SHA256)},
	}
	return append(pairs, e.Descriptor.pairs()...)
}

func (e Image) table() ui.Table {
	t := ui.Table{Head: []string{"segment", "offset", "address", "size", "memory"}, Right: []int{0, 3}}
	for i, s := range e.Segments {
		t.Rows = append(t.Rows, []string{strconv.Itoa(i + 1), fmt.Sprintf("0x%06x", s.Offset), s.Address, strconv.Itoa(s.Size), s.Memory})
	}
	return t
}
