package inspect

import (
	"fmt"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// Flash is the event "flash".
type Flash struct {
	File        string      `json:"file"`
	Size        int         `json:"size"`
	FlashSize   uint32      `json:"flash-size"` // as the bootloader says; the least that holds it without one
	TableOffset uint32      `json:"partition-table-offset"`
	DirectBoot  bool        `json:"direct-boot,omitempty"` // no bootloader, no partition table
	Bootloader  *Image      `json:"bootloader,omitempty"`
	Partitions  []Partition `json:"partitions"`
	Apps        []Image     `json:"apps"`
}

// EventName implements Event.
func (Flash) EventName() string { return "flash" }

// ofDirect describes the content of a flash for direct boot.
func ofDirect(name string, b []byte) (View, error) {
	f, err := image.FromDirect(b, image.Inputs{})
	if err != nil {
		return View{}, err
	}
	return View{
		Event: Flash{File: name, Size: len(b), FlashSize: f.Size, DirectBoot: true, Partitions: []Partition{}, Apps: []Image{}},
		Parts: []Part{{Fields: [][2]string{
			{"file", name},
			{"kind", "flash image for direct boot, " + ui.Size(int64(len(b)))},
			{"program", ui.Size(int64(len(f.App()))) + ", which the mask ROM starts at byte 8; no bootloader, no partition table"},
		}}},
	}, nil
}

// ofFlash describes the image of a whole flash. The error is the first reason
// why the chip would not start from it.
func ofFlash(name string, b []byte) (View, error) {
	c, err := image.ParseFlash(b)
	if err != nil {
		return View{}, err
	}
	e := Flash{File: name, Size: c.Size, FlashSize: c.FlashSize, TableOffset: c.TableOffset, Partitions: partitionsOf(c.Table), Apps: []Image{}}
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
	v := View{Event: e, Parts: []Part{
		{Fields: [][2]string{{"file", name}, {"kind", "flash image, " + ui.Size(int64(e.Size))}}},
	}}
	if e.Bootloader != nil {
		v.Parts = append(v.Parts, Part{Title: "bootloader at 0x0", Fields: e.Bootloader.pairs(c.Bootloader)})
	}
	v.Parts = append(v.Parts, Part{Title: fmt.Sprintf("partition table at 0x%x", e.TableOffset), Table: tableOf(c.Table, content)})
	next := 0
	for _, slot := range c.Apps {
		if slot.Image == nil {
			continue
		}
		app := e.Apps[next]
		next++
		v.Parts = append(v.Parts, Part{
			Title:  fmt.Sprintf("app in partition %s at 0x%x", app.Partition, *app.Offset),
			Fields: app.pairs(slot.Image), Table: app.table(),
		})
	}
	return v, first
}
