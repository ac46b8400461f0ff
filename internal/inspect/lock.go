package inspect

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// LockFile is the event "lock-file": the whole lock, under the names of its keys.
type LockFile struct {
	File string         `json:"file"`
	Lock map[string]any `json:"lock"`
}

// EventName implements Event.
func (LockFile) EventName() string { return "lock-file" }

// Lock describes a lock: what it pins, in names and bytes.
func Lock(name string, f *lock.File) (View, error) {
	b, err := lock.Encode(f)
	if err != nil {
		return View{}, err
	}
	e := LockFile{File: name}
	if err := toml.Unmarshal(b, &e.Lock); err != nil {
		return View{}, err
	}
	epoch := ""
	if f.Project.SourceDateEpoch > 0 {
		epoch = time.Unix(f.Project.SourceDateEpoch, 0).UTC().Format(time.RFC3339)
	}
	fields := [][2]string{
		{"file", name},
		{"kind", fmt.Sprintf("lock, version %d, written by %s", f.Version, f.Tool)},
		{"source date", epoch},
		{"crates", crateCount(f)},
		{"git crates", gitCount(f)},
		{"golden image", golden(f)},
	}
	tools := ui.Table{Head: []string{"toolchain for", "rustc", "supplier", "packages", "size"}, Right: []int{3, 4}}
	for _, tc := range f.Toolchains {
		var size int64
		for _, p := range tc.Packages {
			size += max(p.Digest.Size, 0)
		}
		tools.Rows = append(tools.Rows, []string{tc.Host, tc.Rustc, tc.Supplier, strconv.Itoa(len(tc.Packages)), ui.Size(size)})
	}
	blobs := ui.Table{Head: []string{"blob", "sha256", "size", "from"}, Right: []int{2}}
	for _, b := range f.Blobs {
		blobs.Rows = append(blobs.Rows, []string{b.Name, shortDigest(b.Digest), ui.Size(b.Digest.Size), b.From})
	}
	gits := ui.Table{Head: []string{"git", "reference", "commit", "crates"}, Right: []int{3}}
	for _, g := range f.Git {
		gits.Rows = append(gits.Rows, []string{g.URL, g.Ref, g.Commit, strconv.Itoa(len(g.Crates))})
	}
	return View{Event: e, Parts: []Part{{Fields: fields}, {Table: tools}, {Table: blobs}, {Table: gits}}}, nil
}

func crateCount(f *lock.File) string {
	std := 0
	for _, c := range f.Crates {
		for _, by := range c.For {
			if by == "std" {
				std++
			}
		}
	}
	if std == 0 {
		return strconv.Itoa(len(f.Crates))
	}
	return fmt.Sprintf("%d, %d of them for the standard library", len(f.Crates), std)
}

func gitCount(f *lock.File) string {
	if len(f.Git) == 0 {
		return ""
	}
	return strconv.Itoa(len(f.Git))
}

func golden(f *lock.File) string {
	var list []string
	for _, g := range f.Golden {
		list = append(list, strings.TrimSpace(g.Firmware+" "+g.Image.Hash))
	}
	return strings.Join(list, ", ")
}

// shortDigest is the beginning of a digest, enough to compare by eye.
func shortDigest(d store.Digest) string { return d.Hash[:min(16, len(d.Hash))] }

// looksLikeLock reports whether b could be an espalier.lock under another
// name.
func looksLikeLock(b []byte) bool {
	return bytes.Contains(b, []byte("[project]")) && bytes.Contains(b, []byte("[[toolchain]]"))
}
