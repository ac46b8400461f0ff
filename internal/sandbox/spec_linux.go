package sandbox

import "espalier.dev/espalier/internal/action"

// spec is the specification that the launcher sends to the runner: everything
// that is needed to set up one sandbox. Host paths are absolute in the
// launcher's view.
type spec struct {
	Argv     []string
	Env      []string
	Dir      string
	Hostname string
	UID      int // user and group id of the command
	CPUs     int // 0: all
	Limits   Limits

	Umask     int  // 0: 0o022
	OldKernel bool // uname says 2.6.x

	UserNS    bool // the runner is in a separate user namespace
	SetGroups bool // supplementary groups can be dropped
	Network   bool // the runner is in the host's network namespace
	Overlay   bool // mount overlays; false: bind mounts, writable trees are copies
	Terminal  bool // give the command a terminal and send back its master end
	ProbeOnly bool // report each stage, run no command
	Observe   bool // report the files that the command's child processes use
	CoverProc bool // mount /proc as on a kernel before 5.8; for tests

	Scratch string // host directory of this run; the runner uses its subdirectory "m"
	Rootfs  string // host directory
	Files   []skeletonFile
	Mounts  []treeMount
}

// skeletonFile is a small file that is mounted over the rootfs.
type skeletonFile struct {
	Path string // relative to the root inside
	Data []byte
}

// treeMount is one directory inside the sandbox.
//
//	Lower  Upper
//	set    ""     read-only tree
//	set    set    overlay: writes go to Upper
//	""     set    a plain writable directory
type treeMount struct {
	At    string // relative to the root inside
	Lower string // host directory
	Upper string // host directory
	Work  string // host directory, the overlay's work directory, on the file system of Upper

	// Memory puts the upper layer into the runner's own tmpfs, so that making
	// and removing it does not wait for a disk. Lower is set, Upper and Work
	// are not.
	Memory bool

	// Reversed mounts a copy of Lower in memory whose directories list their
	// entries in the opposite order.
	Reversed bool
}

// message is a report of the runner, one JSON value per line.
type message struct {
	Stage   string `json:",omitempty"` // stage that has succeeded, or that has failed when Errno or Text is set
	Errno   int    `json:",omitempty"`
	Text    string `json:",omitempty"`
	Started bool   `json:",omitempty"`
	Master  bool   `json:",omitempty"` // the message carries the terminal's master end
	Ended   bool   `json:",omitempty"`

	Observed []action.Access `json:",omitempty"` // with Ended
	Blind    string          `json:",omitempty"` // why there is no complete observation

	Code int `json:",omitempty"` // exit code, 128+n for signal n
}

// Stages of setting up a sandbox, in order. They are the names of Probe's
// checks and the keys of the remedies.
const (
	stageExec      = "re-executing espalier"
	stageClone     = "user namespace"
	stageFolders   = "input directories"
	stagePrivate   = "private mounts"
	stageTmpfs     = "tmpfs mount"
	stageRootfs    = "root file system"
	stageOverlay   = "overlay mount"
	stageBind      = "bind mount"
	stageDevices   = "device files"
	stageProc      = "proc mount"
	stageTrees     = "input trees"
	stageTerminal  = "terminal"
	stageHostname  = "host name"
	stageLoopback  = "loopback network"
	stagePivot     = "pivot root"
	stageLimits    = "process limits"
	stagePrivilege = "dropping privileges"
	stageSeccomp   = "system call filter"
	stageCommand   = "command"
)

// Descriptors of the runner besides 0, 1 and 2 (null, null, diagnostics).
const (
	fdControl = 3 + iota
	fdStdin
	fdStdout
	fdStderr
)

// selfProgram is this program inside the sandbox: the link of /proc leads to the
// executable although no path inside does.
const selfProgram = "/proc/self/exe"

// shellName is argv[0] of the shell.
const shellName = "espalier-shell"

// runnerName is argv[0] of the runner.
const runnerName = "espalier-runner"
