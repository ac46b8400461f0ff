package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"espalier.dev/espalier/internal/reapi"
)

const (
	resultMagic = "espalier-result 1"
	maxResult   = 16 << 20
)

// PutResult stores the result of an action. Results of a weakened sandbox are
// stored in a separate area, which is never shared and only read on request. A
// failed command has no result, and everything that a result names must be in
// the store.
func (s *Store) PutResult(ctx context.Context, action Digest, r *reapi.ActionResult, hermetic bool) error {
	if err := checkHash(action.Hash); err != nil {
		return err
	}
	if r.ExitCode != 0 {
		return fmt.Errorf("store: result of action %s with exit code %d must not be stored", action, r.ExitCode)
	}
	if err := s.complete(ctx, r); err != nil {
		return fmt.Errorf("result of action %s: %w", action, err)
	}
	b, err := reapi.Marshal(r)
	if err != nil {
		return err
	}
	if err := s.mayWrite("a result"); err != nil {
		return err
	}
	return s.writing("a result", s.writeFile(resultName(action, hermetic), encodeResult(action, b)))
}

// Result returns the result of an action. If hermetic, it must be of a complete
// sandbox; if not, such a result is preferred, and the second return value
// tells which it is. The error is ErrMissing when there is no result, when it
// is damaged, and when content that it names is missing: the action has to run.
func (s *Store) Result(ctx context.Context, action Digest, hermetic bool) (*reapi.ActionResult, bool, error) {
	r, err := s.result(ctx, action, true)
	if err == nil || hermetic || !errors.Is(err, ErrMissing) {
		return r, true, err
	}
	r, err = s.result(ctx, action, false)
	return r, false, err
}

func (s *Store) result(ctx context.Context, action Digest, hermetic bool) (*reapi.ActionResult, error) {
	if err := checkHash(action.Hash); err != nil {
		return nil, err
	}
	r, err := s.readResult(action.Hash, hermetic)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) {
		return nil, missing("result of action", action)
	}
	if err != nil {
		return nil, err
	}
	if err := s.complete(ctx, r); err != nil {
		if errors.Is(err, ErrMissing) || errors.Is(err, ErrCorrupt) {
			return nil, missing("result of action", action)
		}
		return nil, err
	}
	return r, nil
}

func (s *Store) readResult(hash string, hermetic bool) (*reapi.ActionResult, error) {
	action := Digest{hash, -1}
	path := s.path(resultName(action, hermetic))
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxResult {
		s.quarantine(path)
		return nil, corrupt("result of action", action, "it is too large")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := decodeResult(action, b)
	if err != nil {
		s.quarantine(path)
		return nil, corrupt("result of action", action, err.Error())
	}
	s.used(path, info)
	return r, nil
}

func resultName(action Digest, hermetic bool) string {
	if hermetic {
		return resultDir + "/" + action.Hash
	}
	return privateDir + "/" + action.Hash
}

// encodeResult adds a line with the action and the message's digest before the
// message, so that a flipped bit and a renamed file are detected.
func encodeResult(action Digest, message []byte) []byte {
	return append(fmt.Appendf(nil, "%s %s %s\n", resultMagic, action.Hash, DigestOf(message)), message...)
}

func decodeResult(action Digest, b []byte) (*reapi.ActionResult, error) {
	head, message, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(head) != fmt.Sprintf("%s %s %s", resultMagic, action.Hash, DigestOf(message)) {
		return nil, errors.New("its content does not match the digest in its first line")
	}
	r := &reapi.ActionResult{}
	if err := reapi.Unmarshal(message, r); err != nil {
		return nil, err
	}
	return r, nil
}

// complete checks that everything that a result names is in the store.
func (s *Store) complete(ctx context.Context, r *reapi.ActionResult) error {
	blobs, trees, err := outputs(r)
	if err != nil {
		return err
	}
	for _, d := range blobs {
		if !s.Has(d) {
			return missing("output", d)
		}
	}
	for _, d := range trees {
		if err := s.HasContent(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// outputs lists the content that a result names: blobs, and trees by their root
// Directory if the result has it.
func outputs(r *reapi.ActionResult) (blobs, trees []Digest, err error) {
	add := func(to *[]Digest, p *reapi.Digest) {
		if p.GetHash() == "" {
			return
		}
		d, digestErr := DigestFromProto(p)
		err = errors.Join(err, digestErr)
		*to = append(*to, d)
	}
	for _, f := range r.OutputFiles {
		add(&blobs, f.Digest)
	}
	for _, d := range r.OutputDirectories {
		add(&blobs, d.TreeDigest)
		add(&trees, d.RootDirectoryDigest)
	}
	add(&blobs, r.StdoutDigest)
	add(&blobs, r.StderrDigest)
	return blobs, trees, err
}

// HasContent returns nil when the directory of a tree exists or can be
// unpacked: every Directory message and every file is in the store.
func (s *Store) HasContent(ctx context.Context, root Digest) error {
	if err := checkHash(root.Hash); err != nil {
		return err
	}
	if _, err := os.Lstat(s.treePath(root)); err == nil {
		return nil // TreePath verifies it, and removes it when it is damaged
	}
	return s.Walk(ctx, root, func(e Entry) error {
		if e.Type != TypeFile || s.Has(e.Digest) {
			return nil
		}
		if e.tree != nil {
			if _, err := os.Lstat(s.path(treeDir, e.tree.Hash, e.rel)); err == nil {
				return nil
			}
		}
		return missing("file "+e.Path, e.Digest)
	})
}
