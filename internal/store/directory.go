package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"espalier.dev/espalier/internal/reapi"
)

// maxDirectory bounds one encoded Directory: 64 MiB are about 600,000 entries.
const maxDirectory = 64 << 20

// emptyDir is the digest of the REAPI Directory without entries.
var emptyDir = DigestOf(nil)

// ToProto returns d as a Digest message.
func (d Digest) ToProto() *reapi.Digest { return &reapi.Digest{Hash: d.Hash, SizeBytes: d.Size} }

// DigestFromProto is the inverse of ToProto; the error is for anything but a
// SHA-256.
func DigestFromProto(p *reapi.Digest) (Digest, error) {
	if p == nil {
		return Digest{}, errors.New("a digest is missing")
	}
	d := Digest{p.Hash, p.SizeBytes}
	if err := checkHash(d.Hash); err != nil {
		return Digest{}, err
	}
	if d.Size < 0 {
		return Digest{}, fmt.Errorf("digest %q: bad size %d", d.Hash, d.Size)
	}
	return d, nil
}

// encodeDirectory returns the canonical encoding of a directory: entries sorted
// by the bytes of their names, no node properties, fields in tag order (REAPI,
// comments on Directory and Digest). It sorts d in place.
func encodeDirectory(d *reapi.Directory) ([]byte, error) {
	slices.SortFunc(d.Files, func(a, b *reapi.FileNode) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Directories, func(a, b *reapi.DirectoryNode) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Symlinks, func(a, b *reapi.SymlinkNode) int { return cmp.Compare(a.Name, b.Name) })
	return reapi.Marshal(d)
}

// decodeDirectory decodes a Directory and accepts only the output of
// encodeDirectory for valid entries: anything else, including unknown fields
// and node properties, would be a second digest for the same tree.
func decodeDirectory(b []byte) (*reapi.Directory, error) {
	var in reapi.Directory
	if err := reapi.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("decoding Directory: %w", err)
	}
	names := map[string]bool{}
	check := func(name string) error {
		if err := checkName(name); err != nil {
			return fmt.Errorf("decoding Directory: %w", err)
		}
		if names[name] {
			return fmt.Errorf("decoding Directory: two entries %q", name)
		}
		names[name] = true
		return nil
	}
	out := &reapi.Directory{}
	for _, f := range in.Files {
		d, err := DigestFromProto(f.Digest)
		if err := cmp.Or(err, check(f.Name)); err != nil {
			return nil, err
		}
		out.Files = append(out.Files, &reapi.FileNode{Name: f.Name, Digest: d.ToProto(), IsExecutable: f.IsExecutable})
	}
	for _, sub := range in.Directories {
		d, err := DigestFromProto(sub.Digest)
		if err := cmp.Or(err, check(sub.Name)); err != nil {
			return nil, err
		}
		out.Directories = append(out.Directories, &reapi.DirectoryNode{Name: sub.Name, Digest: d.ToProto()})
	}
	for _, l := range in.Symlinks {
		if err := cmp.Or(check(l.Name), checkTarget(l.Target)); err != nil {
			return nil, err
		}
		out.Symlinks = append(out.Symlinks, &reapi.SymlinkNode{Name: l.Name, Target: l.Target})
	}
	again, err := encodeDirectory(out)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("decoding Directory: not in the canonical form")
	}
	return out, nil
}

// directory reads one Directory message from the blobs.
func (s *Store) directory(ctx context.Context, d Digest) (*reapi.Directory, error) {
	if d.Hash == emptyDir.Hash {
		return &reapi.Directory{}, nil // REAPI: the empty blob always exists
	}
	b, err := s.ReadBlob(ctx, d, maxDirectory)
	if err != nil {
		return nil, err
	}
	dir, err := decodeDirectory(b)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", d, err)
	}
	return dir, nil
}

// checkName returns an error for invalid names in a Merkle tree.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("bad name %q", name)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("bad name %q", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("name %q is not UTF-8, which REAPI trees require", name)
	}
	return nil
}

func checkTarget(target string) error {
	if target == "" || strings.ContainsRune(target, 0) || !utf8.ValidString(target) {
		return fmt.Errorf("bad symlink target %q", target)
	}
	return nil
}

// splitPath checks a tree path and splits it into names.
func splitPath(path string) ([]string, error) {
	if path == "" {
		return nil, fmt.Errorf("bad path %q", path)
	}
	names := strings.Split(path, "/")
	for _, n := range names {
		if err := checkName(n); err != nil {
			return nil, fmt.Errorf("path %q: %w", path, err)
		}
	}
	return names, nil
}
