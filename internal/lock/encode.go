package lock

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/store"
)

// header is the file's only comment.
const header = "# What this project is built from. Commit this file; `espalier lock` and `espalier update` write it.\n"

// sort puts the file into its canonical order.
func (f *File) sort() {
	order.Sort(f.Toolchains, func(a, b Toolchain) int { return cmp.Compare(a.Host, b.Host) })
	slices.Sort(f.Project.Env)
	for i := range f.Toolchains {
		t := &f.Toolchains[i]
		order.Sort(t.Index, func(a, b Evidence) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Digest.Hash, b.Digest.Hash))
		})
		order.Sort(t.Packages, func(a, b Package) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Arch, b.Arch))
		})
	}
	order.Sort(f.Crates, func(a, b Crate) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Source, b.Source))
	})
	for i := range f.Crates {
		slices.Sort(f.Crates[i].For)
	}
	order.Sort(f.Git, func(a, b Git) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Commit, b.Commit))
	})
	for i := range f.Git {
		slices.Sort(f.Git[i].Crates)
	}
	order.Sort(f.Blobs, func(a, b Blob) int { return cmp.Compare(a.Name, b.Name) })
	order.Sort(f.Golden, func(a, b Golden) int {
		return cmp.Or(cmp.Compare(a.Firmware, b.Firmware), cmp.Compare(a.Profile, b.Profile))
	})
}

// Encode writes the canonical form: sorted, one item per line group, no
// position-dependent alignment, so that one changed pin is one changed group
// in a diff. It sorts f's slices and sets f.Version. A File that Decode would
// refuse is an error.
func Encode(f *File) ([]byte, error) {
	f.Version = Version
	f.sort()
	w := &writer{}
	w.WriteString(header)
	w.integer("version", int64(f.Version))
	w.text("tool", f.Tool)
	w.table("[project]")
	w.integer("source-date-epoch", f.Project.SourceDateEpoch)
	w.integer("layout", int64(f.Project.Layout))
	w.digest("cargo-lock", f.Project.CargoLock)
	w.list("env", f.Project.Env)
	for _, t := range f.Toolchains {
		w.table("[[toolchain]]")
		w.text("host", t.Host)
		w.text("supplier", t.Supplier)
		w.text("channel", t.Channel)
		if t.Accept != "" {
			w.text("accept", t.Accept)
		}
		w.text("rustc", t.Rustc)
		w.integer("prune", int64(t.Prune))
		w.digest("rootfs", t.Rootfs)
		for _, e := range t.Index {
			w.table("[[toolchain.index]]")
			w.text("file", e.File)
			w.digest("digest", e.Digest)
			w.text("signer", e.Signer)
			w.text("date", e.Date)
			fmt.Fprintf(w, "verified = %t\n", e.Verified)
		}
		for _, p := range t.Packages {
			w.table("[[toolchain.package]]")
			w.text("name", p.Name)
			w.text("version", p.Version)
			w.text("arch", p.Arch)
			w.digest("digest", p.Digest)
			w.text("path", p.Path)
			if p.Format != "" {
				w.text("format", p.Format)
			}
		}
	}
	if !f.Std.Lock.IsZero() {
		w.table("[std]")
		w.digest("lock", f.Std.Lock)
	}
	for _, c := range f.Crates {
		w.table("[[crate]]")
		w.text("name", c.Name)
		w.text("version", c.Version)
		w.text("source", c.Source)
		w.digest("digest", c.Digest)
		w.list("for", c.For)
	}
	for _, g := range f.Git {
		w.table("[[git]]")
		w.text("url", g.URL)
		w.text("ref", g.Ref)
		w.text("commit", g.Commit)
		w.digest("tree", g.Tree)
		w.list("crates", g.Crates)
	}
	for _, b := range f.Blobs {
		w.table("[[blob]]")
		w.text("name", b.Name)
		w.digest("digest", b.Digest)
		w.text("from", b.From)
		w.digest("crate", b.Crate)
	}
	for _, g := range f.Golden {
		w.table("[[golden]]")
		w.text("firmware", g.Firmware)
		w.text("profile", g.Profile)
		w.digest("action", g.Action)
		w.digest("elf", g.ELF)
		w.digest("image", g.Image)
	}
	if _, err := Decode(FileName, w.Bytes()); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", FileName, err)
	}
	return w.Bytes(), nil
}

// writer writes TOML lines; empty optional values are left out.
type writer struct{ bytes.Buffer }

func (w *writer) table(head string) { w.WriteString("\n" + head + "\n") }

func (w *writer) integer(key string, n int64) { fmt.Fprintf(w, "%s = %d\n", key, n) }

func (w *writer) text(key, s string) {
	if s != "" {
		fmt.Fprintf(w, "%s = %s\n", key, quote(s))
	}
}

func (w *writer) digest(key string, d store.Digest) {
	if !d.IsZero() {
		w.text(key, d.String())
	}
}

func (w *writer) list(key string, list []string) {
	if len(list) == 0 {
		return
	}
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = quote(s)
	}
	if len(list) <= 3 {
		fmt.Fprintf(w, "%s = [%s]\n", key, strings.Join(q, ", "))
		return
	}
	fmt.Fprintf(w, "%s = [\n  %s,\n]\n", key, strings.Join(q, ",\n  "))
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Write encodes f and replaces path with it in one step. A lock that would not
// change is left alone, with its times.
func Write(path string, f *File) error {
	b, err := Encode(f)
	if err != nil {
		return fault.Wrap(fault.Bug, err, "")
	}
	return fault.Wrap(fault.Usage, atomicfile.WriteChanged(path, b, 0o644), "writing "+filepath.Base(path))
}

// size is a number of bytes for people: "229.4 MB".
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB"}
	f, u := float64(n), 0
	for f >= 999.5 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	if u == 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + units[u]
}
