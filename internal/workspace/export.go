package workspace

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/archive"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/cargohome"
	"espalier.dev/espalier/internal/export"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/git"
)

// Exported is the event "export".
type Exported struct {
	Kind    string   `json:"kind"` // script, docker or nix
	Dir     string   `json:"dir"`
	Files   []string `json:"files"` // in Dir; the archive is the first
	Archive Archived `json:"archive"`
}

// Export builds the project and writes an archive of it to dir, with a recipe that
// makes the firmware of the archive without espalier.
func (w *Workspace) Export(ctx context.Context, kind, dir string) (Exported, error) {
	out := Exported{Kind: kind, Dir: dir}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return out, fault.Wrap(fault.Usage, err, "export")
	}
	if rel := relative(w.Project.Root, abs); filepath.IsLocal(rel) && strings.Split(rel, string(filepath.Separator))[0] != "target" {
		return out, fault.New(fault.Usage, fmt.Sprintf("export: %s is in the project, and its files would be part of the next build", dir),
			fmt.Sprintf("espalier export %s target/recipe", kind))
	}
	f, err := w.Firmware(ctx)
	if err != nil {
		return out, err
	}
	if !f.Hermetic || len(f.Plan.Secrets) > 0 {
		return out, fault.New(fault.Usage, "export: the build is not hermetic, so a recipe cannot make the same bytes",
			"build with the sandbox; put secrets into [nvs] and not into the program: docs/settings.md")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return out, fault.Writing(dir, err)
	}
	name := f.Name + ".oci"
	if out.Archive, err = w.Archive(ctx, filepath.Join(dir, name), ArchiveOptions{}); err != nil {
		return out, err
	}
	r, err := w.recipe(ctx, f, filepath.Join(dir, name))
	if err != nil {
		return out, err
	}
	out.Files = []string{name}
	texts := []struct{ kind, name, text string }{
		{"", "build.sh", export.Script(r)}, {"docker", "Containerfile", export.Containerfile(r)}, {"nix", "default.nix", export.Nix(r)},
	}
	for _, t := range texts {
		if t.kind != "" && t.kind != kind {
			continue
		}
		if err := atomicfile.Write(filepath.Join(dir, t.name), []byte(t.text), 0o666); err != nil {
			return out, fault.Writing(t.name, err)
		}
		out.Files = append(out.Files, t.name)
	}
	return out, nil
}

// recipe says what the build of a firmware in one step consists of, with the blobs
// of the archive at a path.
func (w *Workspace) recipe(ctx context.Context, f *Firmware, name string) (export.Recipe, error) {
	a, err := archive.Open(name)
	if err != nil {
		return export.Recipe{}, err
	}
	defer a.Close()
	titles := map[string]string{}
	for _, d := range a.Manifest.Layers {
		titles[d.Title()] = strings.TrimPrefix(d.Digest, "sha256:")
	}
	tc, err := f.Pins.ToolchainFor(lock.Host())
	if err != nil {
		return export.Recipe{}, err
	}
	step := f.Plan.Scratch()
	r := export.Recipe{
		Name: f.Name, Archive: filepath.Base(name), Env: step.Env, Dir: step.Dir, Out: path.Join(layout.Out, f.Plan.Output),
		Dirs: []string{"dev", "proc", "tmp", strings.TrimPrefix(layout.Out, "/"), strings.TrimPrefix(layout.Target, "/"), strings.TrimPrefix(layout.Home, "/")},
	}
	for i, arg := range step.Argv { // messages for people
		if arg != "--message-format" && (i == 0 || step.Argv[i-1] != "--message-format") {
			r.Argv = append(r.Argv, arg)
		}
	}
	for _, p := range tc.Packages {
		if p.Format != "" {
			return r, fault.New(fault.Usage, fmt.Sprintf("export: %s is a component of the Rust distribution, and recipes unpack Debian packages only", p.Name),
				"espalier lock --toolchain=debian", "espalier archive FILE   # has everything, for espalier")
		}
		r.Packages = append(r.Packages, p.Digest.Hash)
	}
	if r.Links, r.Files, err = w.fixtures(ctx, tc.Rootfs); err != nil {
		return r, err
	}
	for _, c := range f.Pins.Crates {
		r.Crates = append(r.Crates, export.Crate{Hash: c.Digest.Hash, Folder: crates.Folder(c)})
	}
	r.Trees = append(r.Trees, export.Tree{Hash: titles["source.tar"], Dir: layout.Src})
	for _, g := range f.Pins.Git {
		r.Trees = append(r.Trees, export.Tree{Hash: titles["git/"+g.Commit+".tar"], Dir: path.Join(layout.Checkouts, git.CheckoutDir(g))})
	}
	r.Files = append(r.Files, export.File{Name: strings.TrimPrefix(layout.Config, "/"), Text: cargohome.Config(w.Project, f.Pins)})

	img := f.Flash.Trimmed()
	sources := [][]byte{f.ELF}
	for _, b := range f.Pins.Blobs {
		if !strings.HasPrefix(b.Name, "bootloader") {
			continue
		}
		data, err := w.Store.ReadBlob(ctx, b.Digest, 1<<20)
		if err != nil {
			return r, err
		}
		r.Parts = append(r.Parts, b.Digest.Hash)
		sources = append(sources, data)
	}
	r.Pieces = export.Pieces(img, sources...)
	r.ELF, r.Image = f.Digest.Hash, store.DigestOf(img).Hash
	return r, nil
}

// fixtures are what the root directory has besides the files of packages: links at
// the top and among the programs, and the accounts of /etc. Those that a package has,
// too, are not made again.
func (w *Workspace) fixtures(ctx context.Context, rootfs store.Digest) (links []export.Link, files []export.File, err error) {
	err = w.Store.Walk(ctx, rootfs, func(e store.Entry) error {
		dir := path.Dir(e.Path)
		switch {
		case e.Type == store.TypeSymlink && (dir == "." || dir == "usr/bin"):
			links = append(links, export.Link{Name: e.Path, Target: e.Target})
		case e.Type == store.TypeFile && slices.Contains([]string{"etc/passwd", "etc/group", "etc/hosts", "etc/nsswitch.conf"}, e.Path):
			r, err := w.Store.Open(ctx, e)
			if err != nil {
				return err
			}
			defer r.Close()
			text, err := io.ReadAll(io.LimitReader(r, 1<<20))
			if err != nil {
				return err
			}
			files = append(files, export.File{Name: e.Path, Text: string(text)})
		}
		return nil
	})
	return links, files, err
}
