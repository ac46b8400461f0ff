package sandbox

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// kept is a folder that holds the upper layer of /target between runs. A nil
// *kept is none.
type kept struct {
	dir   string
	lock  *os.File
	state keptState
	fresh bool // the upper layer is empty
}

// keptState is what the upper layer depends on, in <dir>/state.json. It is
// written before a run, so a run that is killed leaves nothing wrong: the files
// of /src keep the times that they had in it, and cargo compares those with
// what it finished.
type keptState struct {
	Boot  string // files are not synced: another boot may have lost some of them
	Lower store.Digest
	Files map[string]keptFile // of /src, slash-separated
}

type keptFile struct {
	Hash  string
	MTime int64 // nanoseconds since the epoch
}

// openKept opens or makes the folder. It returns nil when another run has it.
func openKept(dir string, lower store.Digest) (*kept, error) {
	fail := func(err error) error { return fault.Wrap(fault.Usage, err, "opening the kept target folder "+dir) }
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fail(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fail(err)
	}
	if !tryLock(lock) {
		lock.Close()
		return nil, nil
	}
	k := &kept{dir: dir, lock: lock}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	want := keptState{Boot: strings.TrimSpace(string(boot)), Lower: lower}
	if err == nil {
		var b []byte
		if b, err = os.ReadFile(k.stateFile()); err == nil {
			err = json.Unmarshal(b, &k.state)
		}
	}
	if err != nil || k.state.Boot != want.Boot || k.state.Lower != want.Lower {
		k.state, k.fresh = want, true
		if err := removeAll(k.upper()); err != nil {
			k.release()
			return nil, fail(err)
		}
	}
	err = errors.Join(removeAll(k.work()), os.MkdirAll(k.upper(), 0o755), os.MkdirAll(k.work(), 0o755))
	if err == nil {
		err = k.save()
	}
	if err != nil {
		k.release()
		return nil, fail(err)
	}
	return k, nil
}

func (k *kept) stateFile() string { return filepath.Join(k.dir, "state.json") }
func (k *kept) upper() string     { return filepath.Join(k.dir, "upper") }
func (k *kept) work() string      { return filepath.Join(k.dir, "work") }

// touch gives the files of a copy of /src the times at which they changed, as
// an editor would have left them. files are their digests.
func (k *kept) touch(src string, files map[string]store.Digest) error {
	now := time.Now().UnixNano()
	next := make(map[string]keptFile, len(files))
	for name, d := range files {
		f, known := k.state.Files[name]
		if !known || f.Hash != d.Hash {
			f = keptFile{Hash: d.Hash, MTime: now}
			if k.fresh {
				f.MTime = sourceTime.UnixNano()
			}
		}
		next[name] = f
		t := unix.NsecToTimespec(f.MTime)
		p := filepath.Join(src, filepath.FromSlash(name))
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fault.Wrap(fault.Bug, &fs.PathError{Op: "utimensat", Path: p, Err: err}, "")
		}
	}
	k.state.Files = next
	return k.save()
}

// save replaces the state file.
func (k *kept) save() error {
	b, err := json.Marshal(k.state)
	if err != nil {
		return err
	}
	tmp := k.stateFile() + ".new"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, k.stateFile())
}

// release lets other runs use the folder.
func (k *kept) release() {
	if k != nil {
		_ = removeAll(k.work()) // has a folder without permissions in it
		k.lock.Close()
	}
}
