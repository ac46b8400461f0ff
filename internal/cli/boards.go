package cli

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
)

// What was last written to a board is remembered in target/espalier/boards of
// the project, one file for each MAC address: a line of JSON, then the bytes of
// the parts. It only ever saves time: a flasher believes it as far as the chip's
// own digests agree. It is not in the store, which others may share: firmware
// can have passwords in it.

// boardsKept is how many boards are remembered.
const boardsKept = 32

// largestMemory bounds a file: no flash chip of this chip is larger.
const largestMemory = 16<<20 + 64<<10

type boardHeader struct {
	Version int         `json:"version"`
	Parts   []boardPart `json:"parts"`
}

type boardPart struct {
	Name   string `json:"name"`
	Offset uint32 `json:"offset"`
	Size   int    `json:"size"`
}

func (a *app) boardFile(id loader.Identity) (string, error) {
	if id.MAC == ([6]byte{}) {
		return "", errors.New("the chip has no MAC address")
	}
	port, err := a.savedPortPath()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(port), "boards", fmt.Sprintf("%x", id.MAC)), nil
}

// recallBoard returns what was last written to a board; nothing when that is
// not known.
func (a *app) recallBoard(id loader.Identity) []loader.Part {
	path, err := a.boardFile(id)
	if err != nil {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	parts, err := parseBoard(b)
	if err != nil {
		a.ui.Debugf("%s: %v", path, err)
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // of several, the ones in use are kept
	return parts
}

func parseBoard(b []byte) ([]loader.Part, error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	var h boardHeader
	if err := json.Unmarshal(line, &h); err != nil || !ok || h.Version != 1 {
		return nil, errors.New("not what espalier remembers of a board")
	}
	var parts []loader.Part
	for _, p := range h.Parts {
		if p.Size < 0 || p.Size > len(rest) {
			return nil, errors.New("cut off")
		}
		parts = append(parts, loader.Part{Name: p.Name, Offset: p.Offset, Bytes: rest[:p.Size:p.Size]})
		rest = rest[p.Size:]
	}
	return parts, nil
}

// rememberBoard keeps what has been written, and of what was known before what
// that did not touch.
func (a *app) rememberBoard(id loader.Identity, written []loader.Part) {
	path, err := a.boardFile(id)
	if err != nil {
		return
	}
	parts := slices.Clone(written)
	for _, old := range a.recallBoard(id) {
		if !slices.ContainsFunc(written, func(p loader.Part) bool {
			return uint64(p.Offset) < uint64(old.Offset)+uint64(len(old.Bytes)) && uint64(old.Offset) < uint64(p.Offset)+uint64(len(p.Bytes))
		}) {
			parts = append(parts, old)
		}
	}
	var h boardHeader
	var body []byte
	h.Version = 1
	for _, p := range parts {
		h.Parts = append(h.Parts, boardPart{p.Name, p.Offset, len(p.Bytes)})
		body = append(body, p.Bytes...)
	}
	if len(body) > largestMemory {
		return
	}
	line, err := json.Marshal(h)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err == nil {
		err = writeChanged(path, append(append(line, '\n'), body...))
	}
	if err == nil {
		err = forgetBoards(filepath.Dir(path))
	}
	if err != nil {
		a.ui.Debugf("remembering the board: %v", err)
	}
}

// forgetBoards removes all but the newest.
func forgetBoards(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil || len(list) <= boardsKept {
		return err
	}
	type file struct {
		name string
		at   time.Time
	}
	var files []file
	for _, e := range list {
		if i, err := e.Info(); err == nil {
			files = append(files, file{e.Name(), i.ModTime()})
		}
	}
	slices.SortFunc(files, func(x, y file) int { return y.at.Compare(x.at) })
	for _, f := range files[min(boardsKept, len(files)):] {
		err = errors.Join(err, os.Remove(filepath.Join(dir, f.name)))
	}
	return err
}
