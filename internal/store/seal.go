package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/atomicfile"
)

// A seal is the metadata of an unpacked tree, from stat(2), at a time when its
// content was known to be correct. As long as the metadata of every file,
// directory and symlink is the same, the tree has not been written through the
// file system: a write changes mtime and ctime, a new or removed name changes
// those of its directory, and no program can set a ctime. VerifyTree and every
// verifying Reader detect what a seal cannot, a bit that flips on the disk.
type seal struct {
	root    Digest
	boot    string // boot in which it was written; "" after the tree has been hashed in a later one
	entries []sealEntry
}

type sealEntry struct {
	path string // slash-separated; "" is the root directory
	meta
}

// meta is the part of stat(2) that a seal compares. Sizes of directories are
// not included: some file systems change them by themselves.
type meta struct {
	mode         uint32 // as in fs.FileMode
	size         int64
	mtime, ctime int64 // ns
	inode        uint64
}

const (
	sealMagic   = "espalier-seal 1"
	maxSeal     = 256 << 20
	sealEndWord = "end "
)

// record makes the seal of a directory.
func record(folder string, root Digest, boot string) (*seal, error) {
	s := &seal{root: root, boot: boot}
	err := filepath.WalkDir(folder, func(host string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		m, err := lstat(host)
		if err != nil {
			return err
		}
		rel := ""
		if host != folder {
			rel = filepath.ToSlash(host[len(folder)+1:])
		}
		s.entries = append(s.entries, sealEntry{rel, m})
		return nil
	})
	return s, err
}

// compare compares a directory with its seal: one lstat per entry and no
// listing, because a directory's times show new names. It returns the indices
// of the files that differ in nothing but the ctime; ok is false when there is
// another difference. The entries are divided among the processors: a tree of
// vendored crates has 30,000.
func (s *seal) compare(folder string) (differ []int, ok bool) {
	prefix := folder + string(filepath.Separator)
	share := max(1000, (len(s.entries)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var work errgroup.Group
	parts := make([][]int, (len(s.entries)+share-1)/share)
	for n := range parts {
		start := n * share
		work.Go(func() error {
			for i, e := range s.entries[start:min(start+share, len(s.entries))] {
				host := folder
				if e.path != "" {
					host = prefix + filepath.FromSlash(e.path)
				}
				m, err := lstat(host)
				switch {
				case err != nil:
					return errSeal
				case m == e.meta:
				case m.isFile() && m.sameBut(e.meta):
					parts[n] = append(parts[n], start+i)
				default:
					return errSeal
				}
			}
			return nil
		})
	}
	if work.Wait() != nil || len(s.entries) == 0 {
		return nil, false
	}
	return slices.Concat(parts...), true
}

// sameBut reports whether m and o differ at most in the ctime.
func (m meta) sameBut(o meta) bool {
	m.ctime = o.ctime
	return m == o
}

// has reports whether one of the entries is one of the files, by inode.
func (s *seal) has(inodes map[uint64]bool) bool {
	return slices.ContainsFunc(s.entries, func(e sealEntry) bool { return inodes[e.inode] })
}

// encode returns the seal as text that ends with its own hash.
func (s *seal) encode() []byte {
	boot := s.boot
	if boot == "" {
		boot = "-"
	}
	b := fmt.Appendf(nil, "%s\nroot %s\nboot %s\n", sealMagic, s.root, boot)
	for _, e := range s.entries {
		b = strconv.AppendUint(b, uint64(e.mode), 8)
		for _, v := range [...]int64{e.size, e.mtime, e.ctime} {
			b = append(b, ' ')
			b = strconv.AppendInt(b, v, 10)
		}
		b = append(b, ' ')
		b = strconv.AppendUint(b, e.inode, 10)
		b = append(b, ' ')
		if needsQuote(e.path) {
			b = strconv.AppendQuote(b, e.path)
		} else {
			b = append(b, e.path...)
		}
		b = append(b, '\n')
	}
	return fmt.Appendf(b, "%s%s\n", sealEndWord, DigestOf(b).Hash)
}

func needsQuote(path string) bool {
	return strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == '"' || r == 0x7f })
}

var errSeal = errors.New("bad seal record")

// decodeSeal accepts only the output of encode.
func decodeSeal(b []byte) (*seal, error) {
	body, ok := bytes.CutSuffix(b, []byte("\n"))
	if !ok {
		return nil, errSeal
	}
	end := bytes.LastIndexByte(body, '\n') + 1
	if string(body[end:]) != sealEndWord+DigestOf(b[:end]).Hash {
		return nil, errSeal
	}
	lines := strings.Split(string(b[:end]), "\n")
	if len(lines) < 4 || lines[0] != sealMagic {
		return nil, errSeal
	}
	rootText, ok1 := strings.CutPrefix(lines[1], "root ")
	boot, ok2 := strings.CutPrefix(lines[2], "boot ")
	root, err := ParseDigest(rootText)
	if !ok1 || !ok2 || boot == "" || err != nil {
		return nil, errSeal
	}
	s := &seal{root: root, boot: boot}
	if boot == "-" {
		s.boot = ""
	}
	lines = lines[3 : len(lines)-1]
	s.entries = make([]sealEntry, len(lines))
	for i, line := range lines {
		if err := s.entries[i].parse(line); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (e *sealEntry) parse(line string) error {
	var fields [5]string
	for i := range fields {
		var ok bool
		if fields[i], line, ok = strings.Cut(line, " "); !ok {
			return errSeal
		}
	}
	mode, err1 := strconv.ParseUint(fields[0], 8, 32)
	size, err2 := strconv.ParseInt(fields[1], 10, 64)
	mtime, err3 := strconv.ParseInt(fields[2], 10, 64)
	ctime, err4 := strconv.ParseInt(fields[3], 10, 64)
	inode, err5 := strconv.ParseUint(fields[4], 10, 64)
	if strings.HasPrefix(line, `"`) {
		var err error
		if line, err = strconv.Unquote(line); err != nil {
			return errSeal
		}
	}
	if line != "" {
		if _, err := splitPath(line); err != nil {
			return errSeal
		}
	}
	*e = sealEntry{line, meta{uint32(mode), size, mtime, ctime, inode}}
	return errors.Join(err1, err2, err3, err4, err5)
}

func (s *Store) readSeal(root Digest) (*seal, error) {
	path := s.path(sealDir, root.Hash)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSeal {
		return nil, errSeal
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sl, err := decodeSeal(b)
	if err != nil {
		return nil, err
	}
	if sl.root.Hash != root.Hash {
		return nil, errSeal
	}
	s.used(path, info)
	return sl, nil
}

// writeSeal does not sync: a lost seal only means that the tree is hashed
// again.
func (s *Store) writeSeal(sl *seal) error {
	f, err := atomicfile.Create(s.path(tempDir))
	if err != nil {
		return s.writing("a seal", err)
	}
	defer f.Discard()
	_, err = f.Write(sl.encode())
	if err == nil {
		err = atomicfile.Publish(f.File, s.path(sealDir, sl.root.Hash), 0o644, false)
	}
	return s.writing("a seal", err)
}
