package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
)

var errTODO = errors.New("not yet")

// Sentinels for errors.Is.
var (
	ErrMissing = errors.New("not in the store")
	ErrCorrupt = errors.New("damaged in the store")
	ErrPresent = errors.New("already in the store")
)

// Store is an open store.
type Store struct{ dir string }

// Open opens or creates the store in dir.
func Open(ctx context.Context, dir string) (*Store, error) { return nil, errTODO }

// Close releases the store.
func (s *Store) Close() error { return errTODO }

// Dir returns the store's folder.
func (s *Store) Dir() string { return s.dir }

// ReadOnly reports whether the store can only be read.
func (s *Store) ReadOnly() bool { return false }

// Has reports whether the blob is there (by name and size, not by content).
func (s *Store) Has(d Digest) bool { return false }

// Put stores what r holds.
func (s *Store) Put(ctx context.Context, r io.Reader) (Digest, error) { return Digest{}, errTODO }

// PutBytes stores b.
func (s *Store) PutBytes(ctx context.Context, b []byte) (Digest, error) { return Digest{}, errTODO }

// PutFile stores the file at a host path.
func (s *Store) PutFile(ctx context.Context, path string) (Digest, error) { return Digest{}, errTODO }

// PutExpected stores what r holds if it is want.
func (s *Store) PutExpected(ctx context.Context, r io.Reader, want Digest) (Digest, error) {
	return Digest{}, errTODO
}

// Partial opens a resumable download of want.
func (s *Store) Partial(ctx context.Context, want Digest) (*Partial, error) { return nil, errTODO }

// Partial is a download in progress.
type Partial struct{}

// Offset is how many bytes are there.
func (p *Partial) Offset() int64 { return 0 }

// Write appends.
func (p *Partial) Write(b []byte) (int, error) { return 0, errTODO }

// Reset forgets what was written.
func (p *Partial) Reset() error { return errTODO }

// Commit verifies and moves it to the blobs.
func (p *Partial) Commit() (Digest, error) { return Digest{}, errTODO }

// Close keeps what was written for the next time.
func (p *Partial) Close() error { return errTODO }

// Get opens a blob.
func (s *Store) Get(ctx context.Context, d Digest) (*Reader, error) { return nil, errTODO }

// ReadBlob returns a small blob.
func (s *Store) ReadBlob(ctx context.Context, d Digest, limit int64) ([]byte, error) {
	return nil, errTODO
}

// OpenVerified hashes a blob, then opens it for random access.
func (s *Store) OpenVerified(ctx context.Context, d Digest) (*os.File, error) { return nil, errTODO }

// Reader verifies while it reads.
type Reader struct{}

// Size is the blob's size.
func (r *Reader) Size() int64 { return 0 }

func (r *Reader) Read(b []byte) (int, error) { return 0, errTODO }

// Close verifies the rest.
func (r *Reader) Close() error { return errTODO }

// EntryType is what a tree entry is.
type EntryType int

// Types of tree entries.
const (
	TypeDir EntryType = iota
	TypeFile
	TypeSymlink
)

// Entry is one node of a tree.
type Entry struct {
	Path       string // slash-separated, "" for the root
	Type       EntryType
	Digest     Digest // of the content or of the Directory message
	Executable bool
	Target     string // of a symlink
}

// TreeBuilder makes a tree.
type TreeBuilder struct{}

// NewTree starts a tree.
func (s *Store) NewTree() (*TreeBuilder, error) { return nil, errTODO }

// Source is a view of the builder whose entries bear a name in errors.
func (b *TreeBuilder) Source(name string) TreeSource { return TreeSource{} }

// TreeSource adds entries to a builder.
type TreeSource struct{}

// File adds a file.
func (t TreeSource) File(ctx context.Context, path string, executable bool, r io.Reader) (Digest, error) {
	return Digest{}, errTODO
}

// Symlink adds a symbolic link.
func (t TreeSource) Symlink(path, target string) error { return errTODO }

// Dir adds a directory and its parents.
func (t TreeSource) Dir(path string) error { return errTODO }

// Commit makes the tree permanent.
func (b *TreeBuilder) Commit(ctx context.Context) (Digest, error) { return Digest{}, errTODO }

// Close discards an uncommitted tree.
func (b *TreeBuilder) Close() error { return errTODO }

// ImportOptions are for ImportDir.
type ImportOptions struct {
	Filter func(path string, info fs.FileInfo) bool // nil: everything; false for a directory leaves out what is below it
	Move   bool                                     // take the files instead of copying them
}

// ImportDir makes a tree of a host folder.
func (s *Store) ImportDir(ctx context.Context, hostDir string, o ImportOptions) (Digest, error) {
	return Digest{}, errTODO
}

// Compose makes a tree whose entries are trees.
func (s *Store) Compose(ctx context.Context, trees map[string]Digest) (Digest, error) {
	return Digest{}, errTODO
}

// TreePath returns the folder of a tree after checking its seal.
func (s *Store) TreePath(ctx context.Context, root Digest) (string, error) { return "", errTODO }

// VerifyTree hashes everything.
func (s *Store) VerifyTree(ctx context.Context, root Digest) error { return errTODO }

// Walk visits a tree, parents first, names in byte order.
func (s *Store) Walk(ctx context.Context, root Digest, fn func(Entry) error) error { return errTODO }

// Lookup finds one entry.
func (s *Store) Lookup(ctx context.Context, root Digest, path string) (Entry, error) {
	return Entry{}, errTODO
}

// Open opens the content of a file entry.
func (s *Store) Open(ctx context.Context, e Entry) (*Reader, error) { return nil, errTODO }

// MaterialiseOptions are for Materialise.
type MaterialiseOptions struct {
	MTime time.Time // zero: epoch second 1
}

// Materialise writes a plain copy of a tree.
func (s *Store) Materialise(ctx context.Context, root Digest, dir string, o MaterialiseOptions) error {
	return errTODO
}

// PutResult stores the result of an action.
func (s *Store) PutResult(ctx context.Context, action Digest, r *repb.ActionResult, hermetic bool) error {
	return errTODO
}

// Result returns the stored result of an action.
func (s *Store) Result(ctx context.Context, action Digest, hermetic bool) (*repb.ActionResult, error) {
	return nil, errTODO
}

// PinKind is what a pin names.
type PinKind string

// Kinds of pins.
const (
	PinBlob   PinKind = "blob"
	PinTree   PinKind = "tree"
	PinResult PinKind = "result"
)

// Pin is one digest that gc must keep, with everything below it.
type Pin struct {
	Kind   PinKind
	Digest Digest
}

// Root is a named set of pins.
type Root struct {
	Name   string // e.g. the absolute path of a lock
	Origin string // host path whose disappearance lets the root age; may be empty
	Pins   []Pin
}

// SetRoot writes or replaces a root.
func (s *Store) SetRoot(ctx context.Context, r Root) error { return errTODO }

// Policy says what gc may remove.
type Policy struct {
	MaxAge time.Duration // unpinned things used within it stay; 0 removes all that is not pinned
	DryRun bool
}

// Report is what gc did.
type Report struct {
	Freed                                                            int64 // bytes
	Blobs, Trees, Results, Partials, Quarantined, Temporaries, Roots int
	Kept                                                             int64 // bytes of blobs and trees that stay
}

// GC removes what nothing needs.
func GC(ctx context.Context, dir string, p Policy) (Report, error) { return Report{}, errTODO }
