// Package progress is how a package reports what it is doing without printing:
// phases and counts go to a Reporter, and internal/ui decides whether they
// become a bar, a plain line or a JSON event.
package progress

// Unit is what a task counts.
type Unit string

// Units of a task.
const (
	Bytes    Unit = "bytes"
	Packages Unit = "packages"
	Crates   Unit = "crates"
	Files    Unit = "files"
	Steps    Unit = "steps"
)

// Reporter receives what happens. Implementations are safe for concurrent use.
type Reporter interface {
	// Start opens a phase. total is 0 when unknown.
	Start(phase string, unit Unit, total int64) Task
	// Note is one line for the user that is neither an error nor progress,
	// such as "untracked file notes.txt is part of the build".
	Note(format string, args ...any)
}

// Task is one running phase. Its methods are safe for concurrent use.
type Task interface {
	Add(n int64)           // progress in the task's unit
	SetTotal(n int64)      // when it becomes known later
	Item(name string)      // what is being worked on now
	Done(err error)        // ends the phase; nil for success. Only the first call counts
	Detail(summary string) // one phrase for the closing line, e.g. "90 packages, 229 MB"
}

// Discard reports nothing.
var Discard Reporter = discard{}

type discard struct{}

func (discard) Start(string, Unit, int64) Task { return discard{} }
func (discard) Note(string, ...any)            {}
func (discard) Add(int64)                      {}
func (discard) SetTotal(int64)                 {}
func (discard) Item(string)                    {}
func (discard) Done(error)                     {}
func (discard) Detail(string)                  {}
