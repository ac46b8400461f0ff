package project

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"strings"
)

// isArchive reports whether a file is an archive that espalier has written: a tar
// that begins with the files of an OCI image layout in espalier's order. What
// decides is content, so that a copy of a project on another machine has the same
// input tree.
func isArchive(name string, info fs.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() < 8<<10 { // a manifest, an index and a lock need more
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false // reading it as an input says why
	}
	defer f.Close()
	var magic [5]byte
	if _, err := f.ReadAt(magic[:], 257); err != nil || string(magic[:]) != "ustar" {
		return false
	}
	r := tar.NewReader(io.LimitReader(f, 1<<20))
	for _, want := range []string{"oci-layout", "index.json", "README.md"} {
		h, err := r.Next()
		if err != nil || h.Name != want {
			return false
		}
		if want == "README.md" {
			head := make([]byte, 4<<10)
			n, _ := io.ReadFull(r, head)
			if !strings.Contains(string(head[:n]), "espalier") {
				return false
			}
		}
	}
	return true
}
