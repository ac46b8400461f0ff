package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/layout"
)

// outputPlace splits an output's name into the writable path that contains it
// and the rest: "hello" is ("out", "hello"), "/target" is ("target", ".").
// place is empty when there is none.
func outputPlace(name string) (place, rest string) {
	abs, ok := strings.CutPrefix(name, "/")
	if !ok {
		return "out", name
	}
	for _, p := range layout.Places() {
		if !p.Writable {
			continue
		}
		if abs == p.At {
			return p.At, "."
		}
		if rest, ok := strings.CutPrefix(abs, p.At+"/"); ok {
			return p.At, rest
		}
	}
	return "", ""
}

// units returns the directory that is mounted over the tree of a place.
func (j *job) units(p layout.Place) string {
	if p.Input != "target" {
		return ""
	}
	return j.trees[layout.InputUnits]
}

// treeMount determines how one place is mounted and makes its directories.
func (j *job) treeMount(p layout.Place, m mode, attempt int) (treeMount, error) {
	tm := treeMount{At: p.At, Lower: j.trees[p.Input]}
	name := fmt.Sprintf("%s-%d", path.Base(p.At), attempt)
	if p.Input == "vendor" || p.Input == "git" {
		name = fmt.Sprintf("%s-%d", p.Input, attempt)
	}
	if j.reverses(p, tm.Lower, m) {
		tm.Reversed, tm.Memory = true, p.Writable
		return tm, nil
	}
	if tm.Lower != "" && j.Perturb.Shuffle != 0 && p.Input != "src" {
		to := filepath.Join(j.scratch.dir, name+"-shuffled")
		if err := copyTree(tm.Lower, to, copyOptions{seed: j.Perturb.Shuffle}); err != nil {
			return tm, err
		}
		tm.Lower = to
	}
	if !p.Writable {
		return tm, nil
	}
	if j.inMemory(p, tm.Lower, m) {
		tm.Memory = true
		return tm, nil
	}
	uid := 0 // new owner of the copies
	if !m.userNS {
		uid = j.uid()
	}
	up, err := j.scratch.sub(name, "up")
	if err != nil {
		return tm, err
	}
	if tm.Work, err = j.scratch.sub(name, "work"); err != nil {
		return tm, err
	}
	tm.Upper = up
	switch {
	case tm.Lower == "":
	case p.Input == "src" && j.ownSrc && m.userNS && attempt == 0 && j.Perturb.Shuffle == 0:
		tm.Lower, tm.Upper = "", tm.Lower
		return tm, nil
	case !m.overlay || !m.userNS || !ownedByUs(tm.Lower) || !keepsAttributes(up) || p.Input == "src" && j.ownSrc:
		// Files of another user cannot be copied up in a user namespace that
		// has one user only; without a user namespace the command is user
		// 1000 and must own what it may write to.
		if err := os.Remove(up); err != nil {
			return tm, err
		}
		o := copyOptions{uid: uid}
		if p.Input == "src" {
			o.seed = j.Perturb.Shuffle
		}
		err := copyTree(tm.Lower, up, o)
		tm.Lower = ""
		if units := j.units(p); err == nil && units != "" {
			err = copyTree(units, up, copyOptions{uid: uid})
		}
		return tm, err
	default:
		// The merged directory has the attributes of its upper layer.
		if units := j.units(p); units != "" {
			// The units are few and small: they are copied to the upper layer,
			// where directories merge with those of the lower ones.
			if err := copyTree(units, up, copyOptions{uid: uid, keepExisting: true}); err != nil {
				return tm, err
			}
		}
		if err := copyAttributes(up, tm.Lower); err != nil {
			return tm, err
		}
	}
	if uid != 0 {
		return tm, os.Chown(up, uid, uid)
	}
	return tm, nil
}

// inMemory reports whether the files that the command writes to a place can be
// in memory: little is written to /src and /cargo, and it is not needed
// afterwards unless it is an output of the step.
func (j *job) inMemory(p layout.Place, lower string, m mode) bool {
	if !m.overlay || !m.userNS || lower == "" || p.Input != "src" && p.Input != "cargo" ||
		p.Input == "src" && j.Perturb.Shuffle != 0 || !ownedByUs(lower) || !kernelAtLeast(6, 6) {
		return false
	}
	return !slices.ContainsFunc(j.step.Outputs, func(o string) bool {
		at, _ := outputPlace(o)
		return at == p.At
	})
}

// reverses reports whether a tree is mounted with its directories in the
// opposite order. File systems that sort directories by a hash of the names
// (ext4) ignore the order of creation, so a copy on a disk would change
// nothing; a tmpfs keeps it.
func (j *job) reverses(p layout.Place, lower string, m mode) bool {
	if j.Perturb.Shuffle == 0 || lower == "" || p.Input == "target" || !m.overlay || !m.userNS || p.Writable && !kernelAtLeast(6, 6) {
		return false
	}
	if slices.ContainsFunc(j.step.Outputs, func(o string) bool { at, _ := outputPlace(o); return at == p.At }) {
		return false
	}
	size, err := memoryNeeded(lower)
	return err == nil && size < memoryAvailable()/4
}

// memoryNeeded estimates the size of a copy of a directory in a tmpfs.
func memoryNeeded(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += (info.Size()+4095)&^4095 + 1024
		}
		return err
	})
	return n, err
}

// memoryAvailable is the memory that is available without swapping, 0 when
// /proc/meminfo does not have it.
func memoryAvailable() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}

// kernelAtLeast compares the version of the running kernel. A tmpfs can be the
// upper layer of a user's overlay since 6.6 (see keepsAttributes).
func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// ownedByUs reports whether the directory's owner is the host user of the
// command.
func ownedByUs(dir string) bool {
	var st unix.Stat_t
	return unix.Stat(dir, &st) == nil && int(st.Uid) == os.Geteuid()
}

// keepsAttributes reports whether the file system of dir supports the extended
// attributes with which an overlay marks replaced directories. Without them (a
// tmpfs before Linux 6.6) replacing a directory fails much later.
func keepsAttributes(dir string) bool {
	const probe = "user.espalier"
	if unix.Setxattr(dir, probe, []byte{1}, 0) != nil {
		return false
	}
	return unix.Removexattr(dir, probe) == nil
}

// copyAttributes copies the mode and modification time of model to dir.
func copyAttributes(dir, model string) error {
	var st unix.Stat_t
	if err := unix.Stat(model, &st); err != nil {
		return &os.PathError{Op: "stat", Path: model, Err: err}
	}
	if err := os.Chmod(dir, os.FileMode(st.Mode&0o777)|0o700); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, dir, []unix.Timespec{st.Atim, st.Mtim}, 0)
}
