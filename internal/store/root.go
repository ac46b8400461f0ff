package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/internal/order"
)

// PinKind is the kind of content that a pin names.
type PinKind string

// Kinds of pins.
const (
	PinBlob   PinKind = "blob"
	PinTree   PinKind = "tree"   // with every Directory, file and unpacked directory below it
	PinResult PinKind = "result" // by action digest, with every output
)

// Pin is one digest that gc must keep, with everything below it.
type Pin struct {
	Kind   PinKind
	Digest Digest
}

// Root is a named set of pins, such as those of one espalier.lock. gc keeps the
// pins as long as Origin exists on this machine; if it does not exist or is
// empty, as long as the root is younger than the policy's age.
type Root struct {
	Name   string // identifies the root; setting it again replaces it
	Origin string // absolute host path, usually of the lock
	Pins   []Pin
}

const (
	rootMagic = "espalier-root 1"
	maxRoot   = 64 << 20
)

// SetRoot writes or replaces a root.
func (s *Store) SetRoot(ctx context.Context, r Root) error {
	if err := s.mayWrite("a root"); err != nil {
		return err
	}
	for _, p := range r.Pins {
		if err := p.check(); err != nil {
			return fmt.Errorf("root %s: %w", r.Name, err)
		}
	}
	return s.writing("a root", s.writeFile(rootDir+"/"+rootFile(r.Name), encodeRoot(r)))
}

// DropRoot removes a root; a missing one is not an error.
func (s *Store) DropRoot(name string) error {
	err := os.Remove(s.path(rootDir, rootFile(name)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return s.writing("a root", err)
}

// Roots returns all roots, sorted by name.
func (s *Store) Roots() ([]Root, error) {
	var out []Root
	err := s.eachRoot(func(r Root, _ time.Time) error {
		out = append(out, r)
		return nil
	})
	order.Sort(out, func(a, b Root) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

func (s *Store) eachRoot(fn func(Root, time.Time) error) error {
	files, err := os.ReadDir(s.path(rootDir))
	if err != nil {
		return err
	}
	for _, f := range files {
		path := s.path(rootDir, f.Name())
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() > maxRoot {
			return fmt.Errorf("reading %s: too large", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := decodeRoot(b)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		if err := fn(r, info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

func rootFile(name string) string { return DigestOf([]byte(name)).Hash }

func (p Pin) check() error {
	switch p.Kind {
	case PinBlob, PinTree, PinResult:
		return checkHash(p.Digest.Hash)
	}
	return fmt.Errorf("unknown kind of pin %q", p.Kind)
}

func encodeRoot(r Root) []byte {
	b := fmt.Appendf(nil, "%s\nname %q\norigin %q\n", rootMagic, r.Name, r.Origin)
	for _, p := range r.Pins {
		b = fmt.Appendf(b, "%s %s\n", p.Kind, p.Digest)
	}
	return fmt.Appendf(b, "%s%s\n", sealEndWord, DigestOf(b).Hash)
}

// decodeRoot accepts only roots that it fully understands: gc must not remove
// what a newer espalier has pinned.
func decodeRoot(b []byte) (Root, error) {
	bad := func(why string) (Root, error) { return Root{}, errors.New("bad root: " + why) }
	body, ok := bytes.CutSuffix(b, []byte("\n"))
	end := bytes.LastIndexByte(body, '\n') + 1
	if !ok || string(body[end:]) != sealEndWord+DigestOf(b[:end]).Hash {
		return bad("its last line does not fit the rest")
	}
	lines := strings.Split(string(b[:end]), "\n")
	if len(lines) < 4 || lines[0] != rootMagic {
		return bad("not of version 1")
	}
	name, ok1 := strings.CutPrefix(lines[1], "name ")
	origin, ok2 := strings.CutPrefix(lines[2], "origin ")
	var r Root
	var err1, err2 error
	r.Name, err1 = strconv.Unquote(name)
	r.Origin, err2 = strconv.Unquote(origin)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return bad("no name or origin")
	}
	for _, line := range lines[3 : len(lines)-1] {
		kind, text, _ := strings.Cut(line, " ")
		d, err := ParseDigest(text)
		p := Pin{PinKind(kind), d}
		if err == nil {
			err = p.check()
		}
		if err != nil {
			return bad(err.Error())
		}
		r.Pins = append(r.Pins, p)
	}
	return r, nil
}
