package cli

import (
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
)

// showLock shows a lock: what it pins, in names and bytes. With --json it is
// the whole file, under the names of its TOML keys.
func (a *app) showLock(name string, f *lock.File) error {
	if a.ui.JSON() {
		b, err := lock.Encode(f)
		if err != nil {
			return err
		}
		var all map[string]any
		if err := toml.Unmarshal(b, &all); err != nil {
			return err
		}
		a.ui.Event("lock-file", struct {
			File string         `json:"file"`
			Lock map[string]any `json:"lock"`
		}{name, all})
		return nil
	}
	epoch := ""
	if f.Project.SourceDateEpoch > 0 {
		epoch = time.Unix(f.Project.SourceDateEpoch, 0).UTC().Format(time.RFC3339)
	}
	a.ui.Fields([][2]string{
		{"file", name},
		{"kind", fmt.Sprintf("lock, version %d, written by %s", f.Version, f.Tool)},
		{"source date", epoch},
		{"crates", crateCount(f)},
		{"git crates", gitCount(f)},
		{"golden image", golden(f)},
	}...)
	tools := ui.Table{Head: []string{"toolchain for", "rustc", "supplier", "packages", "size"}, Right: []int{3, 4}}
	for _, tc := range f.Toolchains {
		var bytes int64
		for _, p := range tc.Packages {
			bytes += max(p.Digest.Size, 0)
		}
		tools.Rows = append(tools.Rows, []string{tc.Host, tc.Rustc, tc.Supplier, itoa(len(tc.Packages)), ui.Size(bytes)})
	}
	a.section(tools)
	blobs := ui.Table{Head: []string{"blob", "sha256", "size", "from"}, Right: []int{2}}
	for _, b := range f.Blobs {
		blobs.Rows = append(blobs.Rows, []string{b.Name, shortDigest(b.Digest), ui.Size(b.Digest.Size), b.From})
	}
	a.section(blobs)
	gits := ui.Table{Head: []string{"git", "reference", "commit", "crates"}, Right: []int{3}}
	for _, g := range f.Git {
		gits.Rows = append(gits.Rows, []string{g.URL, g.Ref, g.Commit, itoa(len(g.Crates))})
	}
	a.section(gits)
	return nil
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
		return itoa(len(f.Crates))
	}
	return fmt.Sprintf("%d, %d of them for the standard library", len(f.Crates), std)
}

func gitCount(f *lock.File) string {
	if len(f.Git) == 0 {
		return ""
	}
	return itoa(len(f.Git))
}

func golden(f *lock.File) string {
	if f.Golden == nil {
		return ""
	}
	return f.Golden.Image.Hash
}

// shortDigest is the beginning of a digest, enough to compare by eye.
func shortDigest(d store.Digest) string { return d.Hash[:min(16, len(d.Hash))] }
