package pin

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

func TestCheck(t *testing.T) {
	const host = "linux/amd64"
	flip := func(t *testing.T, path string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		os.Remove(path)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		damage           func(t *testing.T, dir string, f *lock.File)
		damaged, missing []string
		text             string
	}{
		"as it was": {func(*testing.T, string, *lock.File) {}, nil, nil, ""},
		"a crate": {func(t *testing.T, dir string, f *lock.File) {
			flip(t, filepath.Join(dir, "blobs/sha256", f.Crates[0].Digest.Hash))
		}, []string{"crate a 1.0.0"}, nil, "crate a 1.0.0 is damaged"},
		"a package that is unpacked": {func(t *testing.T, dir string, f *lock.File) {
			os.Remove(filepath.Join(dir, "blobs/sha256", f.Toolchains[0].Packages[0].Digest.Hash))
		}, nil, nil, ""},
		"a file of the toolchain": {func(t *testing.T, dir string, f *lock.File) {
			flip(t, filepath.Join(dir, "trees", f.Toolchains[0].Rootfs.Hash, "usr/bin/rustc"))
		}, []string{"the toolchain 1.96.0"}, nil, "the toolchain 1.96.0 is damaged"},
		"several": {func(t *testing.T, dir string, f *lock.File) {
			flip(t, filepath.Join(dir, "blobs/sha256", f.Crates[0].Digest.Hash))
			flip(t, filepath.Join(dir, "blobs/sha256", f.Blobs[0].Digest.Hash))
			os.Remove(filepath.Join(dir, "blobs/sha256", f.Crates[1].Digest.Hash))
		}, []string{"bootloader", "crate a 1.0.0"}, []string{"crate b 2.0.0"}, "2 of 4 files are damaged, 1 missing"},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := store.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			put := func(text string) store.Digest {
				d, err := st.PutBytes(t.Context(), []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
			rootfs, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
				_, err := b.Source("").File(context.Background(), "usr/bin/rustc", true, strings.NewReader("compiler"))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			crate := func(name, version string) lock.Crate {
				d := put(name)
				d.Size = -1 // Cargo.lock has no sizes
				return lock.Crate{Name: name, Version: version, Digest: d}
			}
			f := &lock.File{
				Toolchains: []lock.Toolchain{{Host: host, Rustc: "1.96.0", Rootfs: rootfs, Packages: []lock.Package{{Name: "rustc", Version: "1", Digest: put("package")}}}},
				Crates:     []lock.Crate{crate("a", "1.0.0"), crate("b", "2.0.0")},
				Blobs:      []lock.Blob{{Name: "bootloader", Digest: put("bootloader")}},
			}
			tc.damage(t, st.Dir(), f)
			again, err := store.Open(t.Context(), st.Dir()) // as another process
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			c, err := Check(t.Context(), again, f, host, progress.Discard)
			if tc.text == "" {
				if err != nil || len(c.Damaged)+len(c.Missing) > 0 {
					t.Errorf("%+v, %v", c, err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != fault.Pins || err.Error() != tc.text || !slices.Equal(fault.Hints(err), []string{"espalier fetch   # downloads it again"}) {
				t.Errorf("error %v, hints %q, want %q", err, fault.Hints(err), tc.text)
			}
			var damaged, missing []string
			for _, d := range c.Damaged {
				damaged = append(damaged, d.What)
			}
			for _, m := range c.Missing {
				missing = append(missing, m.What)
			}
			if !slices.Equal(damaged, tc.damaged) || !slices.Equal(missing, tc.missing) {
				t.Errorf("damaged %q, missing %q", damaged, missing)
			}
			// What was damaged counts as missing from then on, so fetch gets it.
			if len(tc.damaged) > 0 && Missing(t.Context(), again, f, host) == (Absent{}) {
				t.Error("fetch would do nothing")
			}
		})
	}
}
