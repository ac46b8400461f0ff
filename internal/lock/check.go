package lock

import "espalier.dev/espalier/internal/project"

// Stale is one thing that a lock no longer matches.
type Stale struct {
	What string         // "Cargo.lock", "crate smoltcp 0.12.0", "target"
	Want string         // what the project says now
	Have string         // what the lock says
	At   project.Origin // zero when there is no better place than the file
}

// Facts are what the running espalier would write today besides the pins.
type Facts struct {
	Layout int      // action.Layout
	Host   string   // "linux/amd64": the platform that is about to build; "" checks none
	Blobs  []string // names of blobs the build needs
	Prune  int      // of the supplier's unpacking rule; 0 is not compared
}

// Check lists what in f no longer matches the project, in a fixed order.
func Check(p *project.Project, f *File, now Facts) []Stale { return check(p, f, now) }

// Fault makes of the list a fault of kind Pins with the command to type; nil
// for an empty list.
func Fault(s []Stale) error { return staleFault(s) }

// Load reads and checks the lock beside the project's Cargo.lock: a fault of
// kind Pins when it is missing, does not parse, is newer, or is stale.
func Load(p *project.Project, now Facts) (*File, error) { return load(p, now) }
