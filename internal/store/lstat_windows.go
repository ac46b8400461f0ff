package store

import (
	"io/fs"
	"os"
)

func lstat(path string) (meta, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return meta{}, err
	}
	m := meta{mode: uint32(info.Mode()), size: info.Size(), mtime: info.ModTime().UnixNano()}
	if info.IsDir() {
		m.size = 0
	}
	return m, nil
}

func (m meta) isFile() bool { return fs.FileMode(m.mode).IsRegular() }

func bootID() string { return "" }
