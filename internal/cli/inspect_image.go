package cli

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"espalier.dev/espalier/esp/chip"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// imageEvent is the event "image", and an image inside the event "flash".
type imageEvent struct {
	File       string           `json:"file,omitempty"`
	Kind       string           `json:"kind"`
	Offset     *uint32          `json:"offset,omitempty"`    // in the flash
	Partition  string           `json:"partition,omitempty"` // that holds it
	Size       int              `json:"size"`
	Chip       string           `json:"chip"`
	Entry      string           `json:"entry"`
	FlashMode  string           `json:"flash-mode"`
	FlashFreq  string           `json:"flash-freq"`
	FlashSize  uint32           `json:"flash-size"`
	MinRev     string           `json:"min-chip-revision"`
	MaxRev     string           `json:"max-chip-revision"`
	Checksum   string           `json:"checksum"`
	ChecksumOK bool             `json:"checksum-ok"`
	SHA256     string           `json:"sha256,omitempty"`
	SHA256OK   bool             `json:"sha256-ok"`
	Descriptor *descriptorEvent `json:"descriptor,omitempty"`
	Segments   []segmentEvent   `json:"segments"`
	Problems   []string         `json:"problems,omitempty"`
}

type segmentEvent struct {
	Offset  int    `json:"offset"` // of the data in the image
	Address string `json:"address"`
	Size    int    `json:"size"`
	Memory  string `json:"memory"`
}

type descriptorEvent struct {
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

func (d *descriptorEvent) pairs() [][2]string {
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

func describeImage(img *image.Image) imageEvent {
	h := img.Header
	e := imageEvent{
		Kind: img.Kind(), Size: img.Size, Chip: h.ChipName(), Entry: address(h.Entry),
		FlashMode: h.Mode.String(), FlashFreq: h.Freq.String(), FlashSize: h.Size,
		MinRev: revision(h.MinRev), MaxRev: revision(h.MaxRev),
		Checksum: fmt.Sprintf("0x%02x", img.Checksum), ChecksumOK: img.ChecksumOK,
		SHA256: hex.EncodeToString(img.Digest), SHA256OK: img.DigestOK,
		Problems: img.Problems(),
	}
	if d := img.Descriptor; d != nil {
		e.Descriptor = &descriptorEvent{Project: d.Project, Version: d.Version, Date: d.Date, Time: d.Time, IDFVersion: d.IDFVersion,
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
		e.Segments = append(e.Segments, segmentEvent{s.Offset, address(s.Addr), len(s.Data), name})
	}
	return e
}

// revision formats a chip or block revision: major*100 + minor.
func revision(r uint16) string { return fmt.Sprintf("v%d.%d", r/100, r%100) }

// revisions formats a range of revisions whose end may be open.
func revisions(least, most uint16) string {
	if most == 0 || most == 0xffff {
		return revision(least) + " or later"
	}
	return revision(least) + " to " + revision(most)
}

func (a *app) inspectImage(name string, b []byte) error {
	img, err := image.Parse(b)
	if err != nil {
		return err
	}
	e := describeImage(img)
	e.File = name
	a.ui.Event("image", e)
	a.ui.Fields(append([][2]string{{"file", name}}, e.pairs(img)...)...)
	a.section(e.table())
	if extra := len(b) - img.Size; extra > 0 {
		a.ui.Note("%s: %d bytes after the image", name, extra)
	}
	return problems(e)
}

// problems makes the error of an image that the boot chain would refuse.
func problems(e imageEvent) error {
	if len(e.Problems) == 0 {
		return nil
	}
	return fault.New(fault.Usage, "the ESP32-C3 would not start it: "+strings.Join(e.Problems, "; "))
}

func (e imageEvent) pairs(img *image.Image) [][2]string {
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

func (e imageEvent) table() ui.Table {
	t := ui.Table{Head: []string{"segment", "offset", "address", "size", "memory"}, Right: []int{0, 3}}
	for i, s := range e.Segments {
		t.Rows = append(t.Rows, []string{itoa(i + 1), fmt.Sprintf("0x%06x", s.Offset), s.Address, itoa(s.Size), s.Memory})
	}
	return t
}

// flashEvent is the event "flash".
type flashEvent struct {
	File        string           `json:"file"`
	Size        int              `json:"size"`
	FlashSize   uint32           `json:"flash-size"` // as the bootloader says
	TableOffset uint32           `json:"partition-table-offset"`
	Bootloader  *imageEvent      `json:"bootloader,omitempty"`
	Partitions  []partitionEvent `json:"partitions"`
	Apps        []imageEvent     `json:"apps"`
}

func (a *app) inspectFlash(name string, b []byte) error {
	c, err := image.ParseFlash(b)
	if err != nil {
		return err
	}
	e := flashEvent{File: name, Size: c.Size, FlashSize: c.FlashSize, TableOffset: c.TableOffset, Partitions: partitionEvents(c.Table), Apps: []imageEvent{}}
	var first error
	remember := func(what string, err error) {
		if err != nil && first == nil {
			first = fault.Wrap(fault.Usage, err, what)
		}
	}
	if c.Bootloader != nil {
		boot := describeImage(c.Bootloader)
		boot.Offset = new(uint32)
		e.Bootloader = &boot
		remember("bootloader", problems(boot))
	} else {
		remember("bootloader", c.BootloaderErr)
	}
	content := map[string]string{}
	for _, slot := range c.Apps {
		switch {
		case slot.Blank:
			content[slot.Partition.Name] = "blank"
		case slot.Err != nil:
			content[slot.Partition.Name] = "no image"
			remember("partition "+slot.Partition.Name, slot.Err)
		default:
			app := describeImage(slot.Image)
			app.Offset, app.Partition = &slot.Partition.Offset, slot.Partition.Name
			e.Apps = append(e.Apps, app)
			content[slot.Partition.Name] = fmt.Sprintf("%s (%.0f%%)", ui.Size(int64(slot.Image.Size)), 100*float64(slot.Image.Size)/float64(slot.Partition.Size))
			remember("partition "+slot.Partition.Name, problems(app))
		}
	}
	if _, err := image.FullFlash(b); err != nil {
		remember("", err)
	}
	a.ui.Event("flash", e)
	a.ui.Fields([2]string{"file", name}, [2]string{"kind", "flash image, " + ui.Size(int64(e.Size))})
	if e.Bootloader != nil {
		a.ui.Printf("\nbootloader at 0x0")
		a.ui.Fields(e.Bootloader.pairs(c.Bootloader)...)
	}
	a.ui.Printf("\npartition table at 0x%x", e.TableOffset)
	a.ui.Table(tableOf(c.Table, content))
	for i, slot := 0, 0; slot < len(c.Apps); slot++ {
		if c.Apps[slot].Image == nil {
			continue
		}
		a.ui.Printf("\napp in partition %s at 0x%x", e.Apps[i].Partition, *e.Apps[i].Offset)
		a.ui.Fields(e.Apps[i].pairs(c.Apps[slot].Image)...)
		a.section(e.Apps[i].table())
		i++
	}
	return first
}

// partitionEvent is a partition in the events "flash" and "partition-table".
type partitionEvent struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Subtype string `json:"subtype"`
	Offset  uint32 `json:"offset"`
	Size    uint32 `json:"size"`
	Flags   string `json:"flags,omitempty"`
}

func partitionEvents(t partition.Table) []partitionEvent {
	out := []partitionEvent{}
	for _, p := range t.Entries {
		out = append(out, partitionEvent{p.Name, p.Type.String(), partition.SubtypeName(p.Type, p.Subtype), p.Offset, p.Size, p.Flags.String()})
	}
	return out
}

// tableOf makes the table of partitions; content may say what is in them.
func tableOf(t partition.Table, content map[string]string) ui.Table {
	out := ui.Table{Head: []string{"name", "type", "subtype", "offset", "size", "", "flags"}, Right: []int{5}}
	if content != nil {
		out.Head = append(out.Head, "content")
	}
	for _, p := range partitionEvents(t) {
		row := []string{p.Name, p.Type, p.Subtype, fmt.Sprintf("0x%06x", p.Offset), fmt.Sprintf("0x%06x", p.Size), ui.Size(int64(p.Size)), p.Flags}
		out.Rows = append(out.Rows, append(row, content[p.Name])[:len(out.Head)])
	}
	return out
}

func (a *app) showTable(name string, t partition.Table, content map[string]string) {
	a.ui.Event("partition-table", struct {
		File       string           `json:"file"`
		Partitions []partitionEvent `json:"partitions"`
		Warnings   []string         `json:"warnings,omitempty"`
	}{name, partitionEvents(t), t.Warnings()})
	a.ui.Table(tableOf(t, content))
	if !a.ui.JSON() {
		for _, w := range t.Warnings() {
			a.ui.Note("%s", w)
		}
	}
}

// looksLikeLock reports whether b could be an espalier.lock under another
// name.
func looksLikeLock(b []byte) bool {
	return bytes.Contains(b, []byte("[project]")) && bytes.Contains(b, []byte("[[toolchain]]"))
}
