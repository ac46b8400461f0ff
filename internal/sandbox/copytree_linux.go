package sandbox

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"
)

// copyOptions say how copyTree differs from a plain copy.
type copyOptions struct {
	keepExisting bool  // what is there already wins
	uid          int   // new owner; 0 leaves it
	seed         int64 // not 0: create entries in an order that depends on it
}

// copyTree copies a folder, a file or a symbolic link with modes and
// modification times. to must not exist unless both are folders. Anything else
// than those three kinds is an error: trees hold nothing else.
func copyTree(from, to string, o copyOptions) error {
	c := copier{o: o}
	if o.seed != 0 {
		c.rand = rand.New(rand.NewPCG(uint64(o.seed), 0))
	}
	return c.entry(from, to)
}

type copier struct {
	o    copyOptions
	rand *rand.Rand
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
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		if c.rand != nil {
			// ReadDir sorts: the order depends on the seed alone.
			c.rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		} else {
			sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
		}
		for _, e := range entries {
			if err := c.entry(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
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
		return fmt.Errorf("copying %s: neither file, folder nor symbolic link", from)
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
