package store

import (
	"bytes"
	"os"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"
)

// generated returns a digest as the message that protoc generates. These tests
// use the generated messages because they have fields that espalier's do not.
func generated(d Digest) *repb.Digest { return &repb.Digest{Hash: d.Hash, SizeBytes: d.Size} }

// Every accepted message must encode to the same bytes: one tree, one digest.
func FuzzDecodeDirectory(f *testing.F) {
	d := generated(DigestOf([]byte("x")))
	for _, dir := range []*repb.Directory{
		{},
		{Files: []*repb.FileNode{{Name: "a", Digest: d, IsExecutable: true}, {Name: "b", Digest: d}},
			Directories: []*repb.DirectoryNode{{Name: "c", Digest: d}},
			Symlinks:    []*repb.SymlinkNode{{Name: "d", Target: "../x"}}},
		{Files: []*repb.FileNode{{Name: "b", Digest: d}, {Name: "a", Digest: d}}},
		{Files: []*repb.FileNode{{Name: "a", Digest: d}}, Symlinks: []*repb.SymlinkNode{{Name: "a", Target: "x"}}},
		{Files: []*repb.FileNode{{Name: "../a", Digest: d}}},
		{Files: []*repb.FileNode{{Name: "a"}}},
		{NodeProperties: &repb.NodeProperties{}},
	} {
		b, err := proto.Marshal(dir)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir, err := decodeDirectory(b)
		if err != nil {
			return
		}
		again, err := encodeDirectory(dir)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x encodes to %x, %v", b, again, err)
		}
		entries, err := entriesOf(dir, Entry{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if checkName(e.Path) != nil || e.Type != TypeSymlink && checkHash(e.Digest.Hash) != nil {
				t.Errorf("bad entry %+v", e)
			}
		}
	})
}

// Messages that the strict decoder rejects, and the errors.
func TestDecodeDirectoryRefuses(t *testing.T) {
	d := generated(DigestOf([]byte("x")))
	file := func(name string) *repb.FileNode { return &repb.FileNode{Name: name, Digest: d} }
	for name, dir := range map[string]*repb.Directory{
		"unsorted":        {Files: []*repb.FileNode{file("b"), file("a")}},
		"twice":           {Files: []*repb.FileNode{file("a"), file("a")}},
		"file and link":   {Files: []*repb.FileNode{file("a")}, Symlinks: []*repb.SymlinkNode{{Name: "a", Target: "x"}}},
		"path":            {Files: []*repb.FileNode{file("a/b")}},
		"..":              {Directories: []*repb.DirectoryNode{{Name: "..", Digest: d}}},
		"empty name":      {Files: []*repb.FileNode{file("")}},
		"no digest":       {Files: []*repb.FileNode{{Name: "a"}}},
		"negative size":   {Files: []*repb.FileNode{{Name: "a", Digest: &repb.Digest{Hash: d.Hash, SizeBytes: -1}}}},
		"upper-case hash": {Files: []*repb.FileNode{{Name: "a", Digest: &repb.Digest{Hash: string(bytes.ToUpper([]byte(d.Hash)))}}}},
		"no target":       {Symlinks: []*repb.SymlinkNode{{Name: "a"}}},
		"properties":      {NodeProperties: &repb.NodeProperties{}},
		"file properties": {Files: []*repb.FileNode{{Name: "a", Digest: d, NodeProperties: &repb.NodeProperties{}}}},
	} {
		b, err := proto.Marshal(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeDirectory(b); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	ok, _ := proto.Marshal(&repb.Directory{Files: []*repb.FileNode{file("a")}})
	if _, err := decodeDirectory(ok); err != nil {
		t.Error(err)
	}
	if _, err := decodeDirectory(append(ok, 0x38, 0x01)); err == nil { // field 7, of a later version
		t.Error("unknown field passes")
	}
}

func FuzzDecodeSeal(f *testing.F) {
	s := open(f, f.TempDir())
	root := build(f, s, sample)
	b, err := os.ReadFile(s.path(sealDir, root.Hash))
	if err != nil {
		f.Fatal(err)
	}
	body := bytes.TrimSuffix(b, []byte("\n"))
	f.Add(body[:bytes.LastIndexByte(body, '\n')+1])
	f.Add([]byte("espalier-seal 1\nroot sha256:" + root.Hash + "\nboot -\n100644 1 2 3 4 a\n100755 1 2 3 4 \"a\\nb\"\n"))
	f.Add([]byte("espalier-seal 1\nroot sha256:" + root.Hash + "\nboot x\n100644 1 2 3 4 ../a\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// The hash at the end is corrected, because the decoder checks it
		// first.
		b := append(bytes.Clone(body), []byte(sealEndWord+DigestOf(body).Hash+"\n")...)
		sl, err := decodeSeal(b)
		if err != nil {
			return
		}
		for _, e := range sl.entries {
			if e.path == "" {
				continue
			}
			if _, err := splitPath(e.path); err != nil {
				t.Errorf("path %q leaves the folder", e.path)
			}
		}
		again, err := decodeSeal(sl.encode())
		if err != nil || len(again.entries) != len(sl.entries) {
			t.Errorf("encode, decode: %v", err)
		}
	})
}

func FuzzDecodeResult(f *testing.F) {
	action := DigestOf([]byte("action"))
	d := generated(DigestOf([]byte("x")))
	for _, r := range []*repb.ActionResult{{}, {ExitCode: 1, StdoutDigest: d, OutputFiles: []*repb.OutputFile{{Path: "out/x", Digest: d}},
		OutputDirectories: []*repb.OutputDirectory{{Path: "out/d", TreeDigest: d, RootDirectoryDigest: d}}}} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := decodeResult(action, encodeResult(action, message))
		if err != nil {
			return
		}
		blobs, trees, err := outputs(r)
		for _, d := range append(blobs, trees...) {
			if err == nil && checkHash(d.Hash) != nil {
				t.Errorf("bad digest %v", d)
			}
		}
		if _, err := decodeResult(action, message); err == nil {
			t.Error("a message without its first line passes")
		}
	})
}

func FuzzDecodeRoot(f *testing.F) {
	d := DigestOf([]byte("x"))
	for _, r := range []Root{{}, {Name: "a\n", Origin: "/b", Pins: []Pin{{PinBlob, d}, {PinTree, d}, {PinResult, Digest{d.Hash, -1}}}}} {
		b := bytes.TrimSuffix(encodeRoot(r), []byte("\n"))
		f.Add(b[:bytes.LastIndexByte(b, '\n')+1])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeRoot(append(bytes.Clone(body), []byte(sealEndWord+DigestOf(body).Hash+"\n")...))
		if err != nil {
			return
		}
		if _, err := decodeRoot(encodeRoot(r)); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	})
}
