// Package flashcache keeps what was last written to each board, so that the next
// flash can send patches instead of sectors. One file for each MAC address holds
// a line of JSON and then the bytes of the parts. It only ever saves time: a
// flasher uses it as far as digests of the chip agree with it. It belongs to a
// project, not to the store, which may be shared: firmware can contain passwords.
package flashcache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"espalier.dev/espalier/esp/loader"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/order"
)

// Cache is a directory of files, one for each board. The zero value remembers
// nothing.
type Cache struct {
	Dir string
}

// maxBoards is how many boards are kept; those used last stay.
const maxBoards = 32

// maxFile bounds a file: the largest flash, and the header.
const maxFile = 16<<20 + 64<<10

type header struct {
	Version int    `json:"version"`
	Parts   []part `json:"parts"`
}

type part struct {
	Name   string `json:"name"`
	Offset uint32 `json:"offset"`
	Size   int    `json:"size"`
}

// path returns the file of a board; "" when the board or the cache has none.
func (c Cache) path(id loader.Identity) string {
	if c.Dir == "" || id.MAC == ([6]byte{}) {
		return ""
	}
	return filepath.Join(c.Dir, fmt.Sprintf("%x", id.MAC))
}

// Recall returns what was last written to a board, nothing when that is not known.
// A file that cannot be read or is damaged counts as none.
func (c Cache) Recall(id loader.Identity) []loader.Part {
	path := c.path(id)
	if path == "" {
		return nil
	}
	if st, err := os.Stat(path); err != nil || st.Size() > maxFile {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	parts, err := decode(b)
	if err != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // remove drops the file that was unused for longest
	return parts
}

func decode(b []byte) ([]loader.Part, error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	var h header
	if err := json.Unmarshal(line, &h); err != nil || !ok || h.Version != 1 {
		return nil, errors.New("not a file of the flash cache")
	}
	var parts []loader.Part
	for _, p := range h.Parts {
		if p.Size < 0 || p.Size > len(rest) {
			return nil, errors.New("the file is cut short")
		}
		parts = append(parts, loader.Part{Name: p.Name, Offset: p.Offset, Bytes: rest[:p.Size:p.Size]})
		rest = rest[p.Size:]
	}
	return parts, nil
}

// Record notes what has been written to a board. Earlier parts that the new ones
// do not touch stay. An error means that the next flash is slower, no more.
func (c Cache) Record(id loader.Identity, written []loader.Part) error {
	path := c.path(id)
	if path == "" {
		return nil
	}
	parts := slices.Clone(written)
	for _, old := range c.Recall(id) {
		if !slices.ContainsFunc(written, func(p loader.Part) bool { return overlap(p, old) }) {
			parts = append(parts, old)
		}
	}
	h := header{Version: 1}
	var body []byte
	for _, p := range parts {
		h.Parts = append(h.Parts, part{p.Name, p.Offset, len(p.Bytes)})
		body = append(body, p.Bytes...)
	}
	line, err := json.Marshal(h)
	if err != nil || len(line)+len(body) >= maxFile {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return err
	}
	if err := atomicfile.WriteChanged(path, append(append(line, '\n'), body...), 0o600); err != nil {
		return err
	}
	return c.remove()
}

func overlap(a, b loader.Part) bool {
	return uint64(a.Offset) < uint64(b.Offset)+uint64(len(b.Bytes)) && uint64(b.Offset) < uint64(a.Offset)+uint64(len(a.Bytes))
}

// remove keeps the maxBoards files that were used last.
func (c Cache) remove() error {
	list, err := os.ReadDir(c.Dir)
	if err != nil || len(list) <= maxBoards {
		return err
	}
	type file struct {
		name string
		used time.Time
	}
	var files []file
	for _, e := range list {
		if i, err := e.Info(); err == nil {
			files = append(files, file{e.Name(), i.ModTime()})
		}
	}
	order.Sort(files, func(x, y file) int { return y.used.Compare(x.used) })
	for _, f := range files[min(maxBoards, len(files)):] {
		err = errors.Join(err, os.Remove(filepath.Join(c.Dir, f.name)))
	}
	return err
}
