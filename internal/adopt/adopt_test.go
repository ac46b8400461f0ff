package adopt

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/tomldoc"
)

var update = flag.Bool("update", false, "rewrite what the projects in testdata are expected to give")

// TestProjects: each project in testdata has the findings and the patch that its
// archive lists; git applies the patch, and nothing is found in the result that
// can be deleted.
func TestProjects(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	tested := map[string]bool{}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want := map[string]string{}
			for _, f := range archive.Files {
				if f.Name == "want" || f.Name == "patch" {
					want[f.Name] = string(f.Data)
					continue
				}
				put(t, filepath.Join(dir, f.Name), f.Data)
			}
			p, found := find(t, dir)
			list := ""
			for _, f := range found {
				tested[f.Rule] = true
				verb := "delete"
				if f.Keep != "" {
					verb = "keep"
				}
				list += verb + " " + f.String() + " (" + f.Rule + ")\n"
			}
			edits, err := Edits(p, found)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{"want": list, "patch": Patch(edits)}
			if *update {
				for i, f := range archive.Files {
					if text, ok := got[f.Name]; ok {
						archive.Files[i].Data = []byte(text)
					}
				}
				if err := os.WriteFile(name, txtar.Format(archive), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			for what, text := range got {
				if text != want[what] {
					t.Errorf("%s:\n%s\nwant\n%s", what, text, want[what])
				}
			}
			applyWithGit(t, dir, got["patch"], edits)
			if err := Write(p, edits); err != nil {
				t.Fatal(err)
			}
			p, found = find(t, dir)
			if edits, err := Edits(p, found); err != nil || len(edits) > 0 {
				t.Errorf("still to delete: %v %v", found, err)
			}
		})
	}
	for _, r := range rules {
		if !tested[r.name] && !*update {
			t.Errorf("no project has a finding of the rule %s", r.name)
		}
	}
}

func find(t *testing.T, dir string) (*project.Project, []Finding) {
	t.Helper()
	p, err := project.Open(dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := Find(p)
	if err != nil {
		t.Fatal(err)
	}
	return p, found
}

// applyWithGit applies the patch to a copy of the files and compares.
func applyWithGit(t *testing.T, from, patch string, edits []Edit) {
	dir := t.TempDir()
	for _, e := range edits {
		put(t, filepath.Join(dir, e.Name), []byte(e.Old))
	}
	cmd := exec.Command(devtest.Tool(t, "git"), "apply", "-")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader("what is before a patch is not part of it\n"+patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git apply: %v\n%s\n%s", err, out, patch)
	}
	for _, e := range edits {
		if b, err := os.ReadFile(filepath.Join(dir, e.Name)); err != nil || string(b) != e.New {
			t.Errorf("git apply makes of %s\n%s\nwant\n%s", e.Name, b, e.New)
		}
	}
}

// TestPage: docs/with-cargo.md has a line for each rule.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/with-cargo.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !strings.Contains(string(b), "\n| `"+r.name+"` | ") {
			t.Errorf("no line for %s", r.name)
		}
	}
}

// TestStdCrates: the list has every crate that the library of a locked compiler
// adds to a firmware.
func TestStdCrates(t *testing.T) {
	f, err := lock.Read("../../examples/product/" + lock.FileName)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range f.Crates {
		if slices.Equal(c.For, []string{"std"}) && !strings.HasPrefix(c.Name, "windows_") {
			n++
			if !slices.Contains(stdCrates, c.Name) {
				t.Errorf("%s is not in the list", c.Name)
			}
		}
	}
	if n < 20 {
		t.Errorf("the lock has %d crates of the library", n)
	}
}

func TestOldAtomics(t *testing.T) {
	for channel, want := range map[string]bool{
		"": false, "stable": false, "nightly": false, "beta": false, "1.81": true, "1.81.0": true, "1.82": false, "1.97.1": false,
		"nightly-2023-06-25": true, "nightly-2024-08-08": true, "nightly-2024-08-09": false, "nightly-2026-01-01": false,
	} {
		if OldAtomics(channel) != want {
			t.Errorf("%q: %v", channel, !want)
		}
	}
}

// FuzzEdit: of any manifest, an edit deletes entries of its tables or is refused;
// nothing else changes.
func FuzzEdit(f *testing.F) {
	for _, name := range []string{"obstacle-12-http-client", "rules"} {
		a, err := txtar.ParseFile("testdata/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".toml") {
				f.Add(file.Data)
			}
		}
	}
	f.Add([]byte("dev-dependencies = { libc = \"1\", memchr = \"\"\"\n=2\"\"\" }\n"))
	f.Add([]byte("[dev-dependencies]\n\"libc\" = '1'\ncc.version = \"1\"\ncc.optional = true\n"))
	f.Add([]byte("\ufeff[dev-dependencies]\r\nlibc = \"1\" # x\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := tomldoc.Parse("Cargo.toml", b)
		if err != nil {
			return
		}
		d := document{"Cargo.toml", string(b), root}
		v := &view{project: &project.Project{}, order: []string{d.name}, manifests: []document{d}}
		edits, err := v.edits(v.find()) // compares the values of both texts
		if err == nil && len(edits) > 0 && len(edits[0].New) >= len(edits[0].Old) {
			t.Errorf("%q became %q", edits[0].Old, edits[0].New)
		}
	})
}

func put(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
}
