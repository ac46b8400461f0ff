package templates

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Names returns the names of all templates, sorted.
func Names() []string {
	entries, err := FS.ReadDir(".")
	if err != nil {
		panic(err) // embedded
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// Copy writes a template into dir as the package name. dir must not
// exist or be empty; after an error it is as it was.
func Copy(template, dir, name string) error {
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return fault.New(fault.Usage, fmt.Sprintf("new: %s is not empty", dir), "choose another directory: nothing is overwritten")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(fault.Usage, err, "new")
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	aside, err := os.MkdirTemp(parent, ".espalier-new-")
	if err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	defer os.RemoveAll(aside)
	tree := filepath.Join(aside, "p") // a directory with the umask's mode, unlike aside
	if err := writeTemplate(template, tree, name); err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	// An empty directory gives way; one that was filled meanwhile does not.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Usage, err, "new")
	}
	if err := os.Rename(tree, dir); err != nil {
		return fault.Wrap(fault.Usage, err, "new")
	}
	return nil
}

func writeTemplate(template, dir, name string) error {
	return fs.WalkDir(FS, template, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(p, template), "/")
		if rel == "target" {
			return fs.SkipDir
		}
		to := filepath.Join(dir, filepath.FromSlash(rel))
		if d.IsDir() {
			return os.Mkdir(to, 0o777)
		}
		b, err := FS.ReadFile(p)
		if err != nil {
			return err
		}
		switch path.Base(p) {
		case "Cargo.toml", "Cargo.lock":
			b = rename(b, template, name)
		}
		return os.WriteFile(to, b, 0o666)
	})
}

// rename changes the package's name in a manifest or lock: the lines
// name = "template", in [package], [[bin]] and [[package]].
func rename(b []byte, template, name string) []byte {
	line := regexp.MustCompile(`(?m)^(name\s*=\s*)"` + regexp.QuoteMeta(template) + `"`)
	return line.ReplaceAll(b, []byte("${1}\""+name+"\""))
}
