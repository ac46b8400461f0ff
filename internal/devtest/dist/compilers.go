package dist

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/supply/rustdist"
)

// FromRustup lists the components of a toolchain that rustup has installed
// (a directory of RUSTUP_HOME/toolchains), by the lists that it keeps of them,
// and the date of the channel. Documentation is left out.
func FromRustup(dir string) (components []Component, date string, err error) {
	lib := filepath.Join(dir, "lib", "rustlib")
	b, err := os.ReadFile(filepath.Join(lib, "multirust-channel-manifest.toml"))
	if err != nil {
		return nil, "", err
	}
	m, err := rustdist.ParseManifest(b)
	if err != nil {
		return nil, "", err
	}
	names, err := os.ReadFile(filepath.Join(lib, "components"))
	if err != nil {
		return nil, "", err
	}
	for _, full := range strings.Fields(string(names)) {
		c := Component{Triple: "*", Files: map[string]string{}}
		for name, p := range m.Packages {
			rest, ok := strings.CutPrefix(full, name)
			if _, known := p.Targets[strings.TrimPrefix(rest, "-")]; ok && (known || rest == "") && len(name) > len(c.Name) {
				c.Name, c.Version = name, p.Version
				if rest != "" {
					c.Triple = strings.TrimPrefix(rest, "-")
				}
			}
		}
		if c.Name == "" || c.Name == "rust-docs" {
			continue
		}
		if err := c.list(dir, filepath.Join(lib, "manifest-"+full)); err != nil {
			return nil, "", err
		}
		components = append(components, c)
	}
	slices.SortFunc(components, func(a, b Component) int { return strings.Compare(a.Name+a.Triple, b.Name+b.Triple) })
	return components, m.Date, nil
}

// list reads "file:PATH" and "dir:PATH" lines.
func (c *Component) list(dir, listing string) error {
	f, err := os.Open(listing)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		kind, p, _ := strings.Cut(in.Text(), ":")
		if kind == "file" {
			c.Files[p] = filepath.Join(dir, p)
			continue
		}
		err := filepath.WalkDir(filepath.Join(dir, p), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			c.Files[filepath.ToSlash(rel)] = path
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return in.Err()
}

// FromTree makes components of an unpacked toolchain of another supplier: all
// of full that host, the tree of the C compiler alone, lacks. version is that
// of rustc: "1.96.0 (ac68faa20 2026-05-25)".
func FromTree(full, host, triple, version string) ([]Component, error) {
	parts := map[string]*Component{}
	part := func(name, triple string) *Component {
		if parts[name] == nil {
			parts[name] = &Component{Name: name, Triple: triple, Version: version, Files: map[string]string{}}
		}
		return parts[name]
	}
	err := filepath.WalkDir(filepath.Join(full, "usr"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(full, path)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(host, rel)); err == nil {
			return nil
		}
		below := strings.TrimPrefix(filepath.ToSlash(rel), "usr/")
		c := part("rustc", triple)
		switch {
		case below == "bin/cargo":
			c = part("cargo", triple)
		case strings.HasPrefix(below, "src/"), strings.HasPrefix(below, "lib/rustlib/src/"):
			c = part("rust-src", "*")
		case strings.HasPrefix(below, "lib/rustlib/"+triple+"/lib/"):
			c = part("rust-std", triple)
		}
		c.Files[below] = path
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Component
	for _, name := range []string{"cargo", "rust-src", "rust-std", "rustc"} {
		if parts[name] == nil {
			return nil, fmt.Errorf("%s has nothing of the component %s", full, name)
		}
		out = append(out, *parts[name])
	}
	return out, nil
}
