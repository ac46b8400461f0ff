package sandbox

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// copyOptions are the options of copyTree.
type copyOptions struct {
	keepExisting bool  // keep existing entries
	uid          int   // new owner; 0 leaves it
	seed         int64 // if not 0, create entries in an order that depends on it
	reverse      bool  // to is a tmpfs: make its directories list their entries in the order opposite to from's
}

// copyTree copies a directory, a file or a symbolic link with modes and
// modification times. to must not exist unless both are directories. Any other
// file type is an error: trees do not contain them.
func copyTree(from, to string, o copyOptions) error {
	c := copier{o: o}
	if o.seed != 0 {
		c.rand = rand.New(rand.NewPCG(uint64(o.seed), 0))
	}
	if o.reverse {
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		var err error
		if c.newestFirst, err = listsNewestFirst(to); err != nil {
			return err
		}
	}
	return c.entry(from, to)
}

type copier struct {
	o           copyOptions
	rand        *rand.Rand
	newestFirst bool // the file system of to lists what was created last first
}

// listsNewestFirst tests whether a tmpfs lists the newest entry of a directory
// first; kernels differ.
func listsNewestFirst(dir string) (bool, error) {
	probe := filepath.Join(dir, "probe")
	for _, name := range []string{"", "a", "b"} {
		if err := os.Mkdir(filepath.Join(probe, name), 0o700); err != nil {
			return false, err
		}
	}
	names, err := rawNames(probe)
	if err != nil {
		return false, err
	}
	return names[0] == "b", os.RemoveAll(probe)
}

// rawNames lists a directory in the order of the file system. os.ReadDir sorts.
func rawNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// order returns the entries of a directory in the order in which to create
// them.
func (c *copier) order(from string) ([]string, error) {
	names, err := rawNames(from)
	switch {
	case err != nil:
	case c.o.reverse && !c.newestFirst:
		slices.Reverse(names)
	case c.o.reverse:
	case c.rand != nil:
		slices.Sort(names) // the order depends on the seed alone
		c.rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	default:
		slices.Sort(names)
	}
	return names, err
}

func (c *copier) entry(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return &os.PathError{Op: "stat", Path: from, Err: err}
	}
	if c.o.keepExisting && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if _, err := os.Lstat(to); err == nil {
			return nil
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if err := os.Mkdir(to, 0o700); err != nil && !os.IsExist(err) {
			return err
		}
		names, err := c.order(from)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := c.entry(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
				return err
			}
		}
	case unix.S_IFREG:
		if err := copyFile(from, to); err != nil {
			return err
		}
	case unix.S_IFLNK:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, to); err != nil {
			return err
		}
	default:
		return fmt.Errorf("copying %s: neither file, directory nor symbolic link", from)
	}
	if c.o.uid != 0 {
		if err := os.Lchown(to, c.o.uid, c.o.uid); err != nil {
			return err
		}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := os.Chmod(to, os.FileMode(st.Mode&0o777)); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil { // copy_file_range where it works
		out.Close()
		return err
	}
	return out.Close()
}
