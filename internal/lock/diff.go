package lock

// Change kinds.
const (
	Added   = "added"
	Removed = "removed"
	Moved   = "moved" // same name, other content or version
)

// Change is one line of a Diff.
type Change struct {
	Kind      string `json:"kind"`
	Area      string `json:"area"` // "toolchain", "package", "crate", "std crate", "git", "blob", "project", "golden"
	Host      string `json:"host,omitempty"`
	Name      string `json:"name"`
	From      string `json:"from,omitempty"` // version, commit or value
	To        string `json:"to,omitempty"`
	FromBytes int64  `json:"from-bytes,omitempty"` // sizes where known
	ToBytes   int64  `json:"to-bytes,omitempty"`
}

// Diff is what changed between two locks, for people.
type Diff struct {
	First   bool     `json:"first"` // there was no lock before
	Changes []Change `json:"changes"`
	Summary Summary  `json:"summary"`
}

// Summary counts the new lock.
type Summary struct {
	Toolchain    string `json:"toolchain"` // "rustc 1.96.0 from debian:bookworm+bookworm-security"
	Packages     int    `json:"packages"`
	PackageBytes int64  `json:"package-bytes"`
	Crates       int    `json:"crates"`
	CrateBytes   int64  `json:"crate-bytes"` // of those whose size is known
	Git          int    `json:"git"`
	Blobs        int    `json:"blobs"`
}

// Line is one rendered line: Kind is "", Added, Removed or Moved.
type Line struct {
	Kind string
	Text string
}

// Compare says what to does differently from from; a nil from is the first
// lock.
func Compare(from, to *File) Diff { return compare(from, to) }

// Empty reports whether nothing changed.
func (d Diff) Empty() bool { return !d.First && len(d.Changes) == 0 }

// Lines renders the diff for a terminal: short for the first lock, grouped and
// aligned for an update.
func (d Diff) Lines() []Line { return d.lines() }
