// Command meddler changes files in the sandbox so that a condition of the layout
// is violated, and then executes the program that follows "--". Tests run cargo
// through it.
//
//	times DIR SECOND   sets the times of everything below DIR
//	move FROM TO       copies a directory and sets the times of the copy to the current time
//	keep FROM TO       copies a directory with its times
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	args := os.Args[1:]
	for len(args) > 0 && args[0] != "--" {
		var err error
		switch args[0] {
		case "times":
			second, _ := strconv.ParseInt(args[2], 10, 64)
			err = each(args[1], func(name string, _ fs.DirEntry) error {
				at := syscall.NsecToTimespec(second * 1e9)
				return utimes(name, at)
			})
		case "move", "keep":
			err = copyTree(args[1], args[2], args[0] == "keep")
		default:
			err = errors.New("unknown: " + args[0])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "meddler:", err)
			os.Exit(99)
		}
		args = args[3:]
	}
	fmt.Fprintln(os.Stderr, "meddler:", syscall.Exec(args[1], args[1:], os.Environ()))
	os.Exit(98)
}

func each(dir string, fn func(string, fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return fn(name, d)
	})
}

// utimes leaves links alone: what they name has its own time.
func utimes(name string, at syscall.Timespec) error {
	if st, err := os.Lstat(name); err != nil || st.Mode()&fs.ModeSymlink != 0 {
		return err
	}
	return syscall.UtimesNano(name, []syscall.Timespec{at, at})
}

func copyTree(from, to string, keep bool) error {
	return each(from, func(name string, d fs.DirEntry) error {
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		st, err := os.Stat(name)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, b, st.Mode().Perm()); err != nil {
			return err
		}
		at := time.Now()
		if keep {
			at = st.ModTime()
		}
		return os.Chtimes(target, at, at)
	})
}
