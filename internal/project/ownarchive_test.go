package project

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the first files of a tar decide, and what they do not.
func TestIsArchive(t *testing.T) {
	readme := "# An espalier archive\n"
	write := func(names ...string) string {
		name := filepath.Join(t.TempDir(), "x.oci")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(f)
		for _, n := range names {
			text := "{}"
			if n == "README.md" {
				text = readme
			}
			text += strings.Repeat(" ", 4<<10)
			if err := w.WriteHeader(&tar.Header{Name: n, Size: int64(len(text)), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return name
	}
	is := func(name string) bool {
		info, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		return isArchive(name, info)
	}
	if !is(write("oci-layout", "index.json", "README.md", "blobs/sha256/x")) {
		t.Error("an archive is not recognised")
	}
	for _, names := range [][]string{{"oci-layout", "index.json", "blobs/sha256/x"}, {"index.json", "oci-layout", "README.md"}, {"README.md"}, nil} {
		if is(write(names...)) {
			t.Errorf("%q is taken for an archive", names)
		}
	}
	readme = "# Something else\n"
	if is(write("oci-layout", "index.json", "README.md")) {
		t.Error("another layout is taken for an archive")
	}
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, make([]byte, 64<<10), 0o666); err != nil {
		t.Fatal(err)
	}
	if is(data) {
		t.Error("zeros are taken for an archive")
	}
}
