package rustdist_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
)

func gz(raw string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(raw))
	w.Close()
	return b.Bytes()
}

// fixChecksums writes the header checksums of a tar anew, so that a change of
// a name is met by the unpacker and not by the tar reader.
func fixChecksums(raw string) string {
	b := []byte(raw)
	for at := 0; at+512 <= len(b); {
		h := b[at : at+512]
		if h[0] == 0 {
			break
		}
		copy(h[148:156], "        ")
		n := 0
		for _, c := range h {
			n += int(c)
		}
		copy(h[148:156], fmt.Sprintf("%06o\x00 ", n))
		var size int
		fmt.Sscanf(string(h[124:135]), "%o", &size)
		at += 512 + (size+511)/512*512
	}
	return string(b)
}

// linkArchive is a component with one symlink.
func linkArchive(name, part, at, target string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(path, text string) {
		w.WriteHeader(&tar.Header{Name: name + "/" + path, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o644})
		w.Write([]byte(text))
	}
	put("components", part+"\n")
	put("rust-installer-version", "3\n")
	put(part+"/manifest.in", "file:"+at+"\n")
	w.WriteHeader(&tar.Header{Name: name + "/" + part + "/" + at, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777})
	w.Close()
	return b.String()
}
