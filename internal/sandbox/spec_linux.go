package sandbox

// spec is what the launcher tells the runner: everything that it needs to set
// one sandbox up. Host paths are absolute in the launcher's view.
type spec struct {
	Argv     []string
	Env      []string
	Dir      string
	Hostname string
	UID      int // user and group id of the command
	CPUs     int // 0: all
	Limits   Limits

	UserNS    bool // the runner is in a user namespace of its own
	SetGroups bool // supplementary groups can be dropped
	Network   bool // the runner is in the host's network namespace
	Overlay   bool // mount with overlay; false: binds, writable trees are copies already
	Terminal  bool // give the command a terminal and send its master end back
	ProbeOnly bool // report each stage, run nothing
	CoverProc bool // mount /proc as on a kernel before 5.8; for tests

	Scratch string // host folder of this run; the runner uses its subfolder "m"
	Rootfs  string // host folder
	Files   []skeletonFile
	Mounts  []treeMount
}

// skeletonFile is a small file laid over the rootfs.
type skeletonFile struct {
	Path string // relative to the root inside
	Data []byte
}

// treeMount is one folder inside the sandbox.
//
//	Lower  Upper
//	set    ""     read-only tree
//	set    set    overlay: what is written goes to Upper
//	""     set    a plain writable folder
type treeMount struct {
	At    string // relative to the root inside
	Lower string // host folder
	Upper string // host folder
	Work  string // host folder, the overlay's own, on the file system of Upper

	// Memory puts the upper layer into the runner's own tmpfs, where making
	// and removing it waits for no disk. Lower is set, Upper and Work are not.
	Memory bool

	// Reversed mounts a copy of Lower in memory whose folders list their entries
	// in the opposite order.
	Reversed bool
}

// message is what the runner reports, one JSON value per line.
type message struct {
	Stage   string `json:",omitempty"` // stage that was passed, or that failed when Errno or Text is set
	Errno   int    `json:",omitempty"`
	Text    string `json:",omitempty"`
	Started bool   `json:",omitempty"`
	Master  bool   `json:",omitempty"` // the terminal's master end comes with this message
	Ended   bool   `json:",omitempty"`
	Code    int    `json:",omitempty"` // exit code, 128+n for signal n
}

// Stages of setting a sandbox up, in order. They are the names of Probe's
// checks and the keys of the remedies.
const (
	stageExec      = "re-executing espalier"
	stageClone     = "user namespace"
	stageFolders   = "input folders"
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

// runnerName is argv[0] of the runner.
const runnerName = "espalier-runner"
