package session

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/fault"
)

// Screenshot is a picture to write when the run ends.
type Screenshot struct{ Display, File string }

// ParseScreenshot reads FILE or DISPLAY=FILE for a board, which may be nil.
func ParseScreenshot(text string, on *board.Board) (Screenshot, error) {
	s := Screenshot{File: text}
	if name, file, ok := strings.Cut(text, "="); ok {
		s = Screenshot{name, file}
	}
	displays := on.Displays()
	fail := func(format string, args ...any) (Screenshot, error) {
		return s, fault.New(fault.Usage, fmt.Sprintf("--screenshot %s: ", text)+fmt.Sprintf(format, args...))
	}
	switch {
	case len(displays) == 0:
		return s, fault.New(fault.Usage, "--screenshot "+text+": the board has no display",
			"connect one in [[board.part]] of espalier.toml (docs/board.md), or in a scenario")
	case s.Display == "" && len(displays) > 1:
		return fail("the board has %d displays; want NAME=FILE with one of %s", len(displays), strings.Join(displays, ", "))
	case s.Display == "":
		s.Display = displays[0]
	}
	if !slices.Contains(displays, s.Display) {
		return fail("no display has the name %q; there are %s", s.Display, strings.Join(displays, ", "))
	}
	if !strings.HasSuffix(s.File, ".png") {
		return fail("want a file that ends in .png")
	}
	return s, CheckCreate(s.File)
}

// writePicture writes what a display shows at the end of the run.
func (b *Emulated) writePicture() error {
	if b.screenshot.File == "" {
		return nil
	}
	img, ok := b.parts.Picture(b.screenshot.Display)
	if !ok {
		return fault.New(fault.Usage, "no display has the name "+b.screenshot.Display)
	}
	var p bytes.Buffer
	if err := png.Encode(&p, img); err != nil {
		return err
	}
	return savePicture(b.screenshot.File, p.Bytes())
}

// savePicture writes a screenshot; the folder is made.
func savePicture(file string, png []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return fault.Wrap(fault.Usage, err, "screenshot")
	}
	return fault.Wrap(fault.Usage, atomicfile.Write(file, png, 0o666), "screenshot")
}
