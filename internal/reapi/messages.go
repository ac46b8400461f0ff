package reapi

import "google.golang.org/protobuf/encoding/protowire"

// Digest names a blob: lower-case hex of its SHA-256, and its size in bytes.
type Digest struct {
	Hash      string
	SizeBytes int64
	unknown
}

func (m *Digest) encode(e *encoder) {
	e.text(1, m.Hash)
	e.integer(2, m.SizeBytes)
}

func (m *Digest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Hash)
	case 2:
		return v.integer(&m.SizeBytes)
	}
	return false, nil
}

// Directory is one level of a Merkle tree. In the canonical form each list is
// sorted by name.
type Directory struct {
	Files       []*FileNode
	Directories []*DirectoryNode
	Symlinks    []*SymlinkNode
	unknown
}

func (m *Directory) encode(e *encoder) {
	list(e, 1, m.Files)
	list(e, 2, m.Directories)
	list(e, 3, m.Symlinks)
}

func (m *Directory) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return many(v, &m.Files)
	case 2:
		return many(v, &m.Directories)
	case 3:
		return many(v, &m.Symlinks)
	}
	return false, nil
}

// FileNode is a file of a Directory.
type FileNode struct {
	Name         string
	Digest       *Digest
	IsExecutable bool
	unknown
}

func (m *FileNode) encode(e *encoder) {
	e.text(1, m.Name)
	e.digest(2, m.Digest)
	e.boolean(4, m.IsExecutable)
}

func (m *FileNode) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	case 2:
		return one(v, &m.Digest)
	case 4:
		return v.boolean(&m.IsExecutable)
	}
	return false, nil
}

// DirectoryNode is a subdirectory: the digest is of its Directory message.
type DirectoryNode struct {
	Name   string
	Digest *Digest
	unknown
}

func (m *DirectoryNode) encode(e *encoder) {
	e.text(1, m.Name)
	e.digest(2, m.Digest)
}

func (m *DirectoryNode) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	case 2:
		return one(v, &m.Digest)
	}
	return false, nil
}

// SymlinkNode is a symbolic link of a Directory.
type SymlinkNode struct {
	Name   string
	Target string
	unknown
}

func (m *SymlinkNode) encode(e *encoder) {
	e.text(1, m.Name)
	e.text(2, m.Target)
}

func (m *SymlinkNode) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	case 2:
		return v.text(&m.Target)
	}
	return false, nil
}

// Tree is a Directory with all that are below it.
type Tree struct {
	Root     *Directory
	Children []*Directory
	unknown
}

func (m *Tree) encode(e *encoder) {
	if m.Root != nil {
		e.message(1, m.Root)
	}
	list(e, 2, m.Children)
}

func (m *Tree) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.Root)
	case 2:
		return many(v, &m.Children)
	}
	return false, nil
}

// Command is what an Action executes.
type Command struct {
	Arguments            []string
	EnvironmentVariables []*EnvironmentVariable
	OutputPaths          []string
	unknown
}

func (m *Command) encode(e *encoder) {
	e.texts(1, m.Arguments)
	list(e, 2, m.EnvironmentVariables)
	e.texts(7, m.OutputPaths)
}

func (m *Command) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.appendText(&m.Arguments)
	case 2:
		return many(v, &m.EnvironmentVariables)
	case 7:
		return v.appendText(&m.OutputPaths)
	}
	return false, nil
}

// EnvironmentVariable is one variable of a Command.
type EnvironmentVariable struct {
	Name  string
	Value string
	unknown
}

func (m *EnvironmentVariable) encode(e *encoder) {
	e.text(1, m.Name)
	e.text(2, m.Value)
}

func (m *EnvironmentVariable) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	case 2:
		return v.text(&m.Value)
	}
	return false, nil
}

// Action is a Command with its input root; its digest is the identity of a step.
type Action struct {
	CommandDigest   *Digest
	InputRootDigest *Digest
	DoNotCache      bool
	Platform        *Platform
	unknown
}

func (m *Action) encode(e *encoder) {
	e.digest(1, m.CommandDigest)
	e.digest(2, m.InputRootDigest)
	e.boolean(7, m.DoNotCache)
	if m.Platform != nil {
		e.message(10, m.Platform)
	}
}

func (m *Action) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.CommandDigest)
	case 2:
		return one(v, &m.InputRootDigest)
	case 7:
		return v.boolean(&m.DoNotCache)
	case 10:
		return one(v, &m.Platform)
	}
	return false, nil
}

// Platform lists properties, sorted by name and value.
type Platform struct {
	Properties []*Property
	unknown
}

func (m *Platform) encode(e *encoder) {
	list(e, 1, m.Properties)
}

func (m *Platform) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return many(v, &m.Properties)
	}
	return false, nil
}

// Property is one property of a Platform.
type Property struct {
	Name  string
	Value string
	unknown
}

func (m *Property) encode(e *encoder) {
	e.text(1, m.Name)
	e.text(2, m.Value)
}

func (m *Property) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	case 2:
		return v.text(&m.Value)
	}
	return false, nil
}

// ActionResult is what an Action left.
type ActionResult struct {
	OutputFiles       []*OutputFile
	OutputDirectories []*OutputDirectory
	ExitCode          int32
	StdoutDigest      *Digest
	StderrDigest      *Digest
	OutputSymlinks    []*OutputSymlink
	unknown
}

func (m *ActionResult) encode(e *encoder) {
	list(e, 2, m.OutputFiles)
	list(e, 3, m.OutputDirectories)
	e.integer(4, int64(m.ExitCode))
	e.digest(6, m.StdoutDigest)
	e.digest(8, m.StderrDigest)
	list(e, 12, m.OutputSymlinks)
}

func (m *ActionResult) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 2:
		return many(v, &m.OutputFiles)
	case 3:
		return many(v, &m.OutputDirectories)
	case 4:
		var code int64
		known, err := v.integer(&code)
		if known {
			m.ExitCode = int32(code)
		}
		return known, err
	case 6:
		return one(v, &m.StdoutDigest)
	case 8:
		return one(v, &m.StderrDigest)
	case 12:
		return many(v, &m.OutputSymlinks)
	}
	return false, nil
}

// OutputFile is a file among the outputs.
type OutputFile struct {
	Path         string
	Digest       *Digest
	IsExecutable bool
	unknown
}

func (m *OutputFile) encode(e *encoder) {
	e.text(1, m.Path)
	e.digest(2, m.Digest)
	e.boolean(4, m.IsExecutable)
}

func (m *OutputFile) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Path)
	case 2:
		return one(v, &m.Digest)
	case 4:
		return v.boolean(&m.IsExecutable)
	}
	return false, nil
}

// OutputDirectory is a directory among the outputs: the digests are of its Tree
// message and of its root's Directory message.
type OutputDirectory struct {
	Path                  string
	TreeDigest            *Digest
	IsTopologicallySorted bool
	RootDirectoryDigest   *Digest
	unknown
}

func (m *OutputDirectory) encode(e *encoder) {
	e.text(1, m.Path)
	e.digest(3, m.TreeDigest)
	e.boolean(4, m.IsTopologicallySorted)
	e.digest(5, m.RootDirectoryDigest)
}

func (m *OutputDirectory) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Path)
	case 3:
		return one(v, &m.TreeDigest)
	case 4:
		return v.boolean(&m.IsTopologicallySorted)
	case 5:
		return one(v, &m.RootDirectoryDigest)
	}
	return false, nil
}

// OutputSymlink is a symbolic link among the outputs.
type OutputSymlink struct {
	Path   string
	Target string
	unknown
}

func (m *OutputSymlink) encode(e *encoder) {
	e.text(1, m.Path)
	e.text(2, m.Target)
}

func (m *OutputSymlink) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Path)
	case 2:
		return v.text(&m.Target)
	}
	return false, nil
}
