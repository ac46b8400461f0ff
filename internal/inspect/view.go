// Package inspect describes what is in a file or on a board: an ELF, an image of
// an application or of a whole flash, a partition table, an espalier.lock, the
// chip at a port. Bytes or a loader come in, a View comes out. It opens nothing
// and prints nothing.
package inspect

import (
	"fmt"
	"path/filepath"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/ui"
)

// View is a description twice: as the fields of a JSON event and as text.
type View struct {
	Event Event
	Parts []Part
	Notes []string // what is unusual and no error
}

// Event is a value whose JSON is the fields of an event.
type Event interface {
	EventName() string
}

// Part is one block of the text of a view. Each of its members may be empty.
type Part struct {
	Title  string
	Fields [][2]string // names and values; a pair without a value is not shown
	Table  ui.Table
}

// Show writes a view to stdout, parts separated by empty lines, or its event
// with --json. The zero View writes nothing.
func (v View) Show(out *ui.UI) {
	if v.Event == nil {
		return
	}
	out.Event(v.Event.EventName(), v.Event)
	for i, p := range v.Parts {
		if p.Title != "" {
			out.Printf("\n%s", p.Title)
		}
		out.Fields(p.Fields...)
		if len(p.Table.Rows) == 0 {
			continue
		}
		if len(p.Fields) > 0 || i > 0 && p.Title == "" {
			out.Printf("")
		}
		out.Table(p.Table)
	}
	for _, n := range v.Notes {
		out.Note("%s", n)
	}
}

// File describes the content b of a file. What the file is follows from the
// content; name is shown, and tells a lock that is damaged from other text. Of a
// file that the ESP32-C3 could not use there is a view and an error.
func File(name string, b []byte) (View, error) {
	switch image.Identify(b) {
	case image.ELF:
		return ofELF(name, b)
	case image.Single:
		return ofImage(name, b)
	case image.WholeFlash:
		return ofFlash(name, b)
	case image.Direct:
		return ofDirect(name, b)
	case image.TableBinary, image.TableCSV:
		t, err := partition.Parse(b)
		if err != nil {
			return View{}, err
		}
		return ofTable(name, t), nil
	}
	if filepath.Base(name) == lock.FileName || looksLikeLock(b) {
		f, err := lock.Decode(name, b)
		if err != nil {
			return View{}, err
		}
		return Lock(name, f)
	}
	if len(b) == 0 {
		return View{}, fault.New(fault.Usage, "the file is empty")
	}
	return View{}, fault.New(fault.Usage, "neither an ELF, nor an image, nor a partition table, nor a lock",
		fmt.Sprintf("it starts with % x", b[:min(len(b), 16)]))
}

func address(v uint32) string { return fmt.Sprintf("0x%08x", v) }

// revision formats a chip or block revision: major*100 + minor.
func revision(r uint16) string { return fmt.Sprintf("v%d.%d", r/100, r%100) }

// revisions formats a range of revisions whose end may be open.
func revisions(least, most uint16) string {
	if most == 0 || most == 0xffff {
		return revision(least) + " or later"
	}
	return revision(least) + " to " + revision(most)
}
