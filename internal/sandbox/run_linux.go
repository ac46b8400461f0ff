package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// sourceTime is the modification time of everything in /src: one second later
// than all other inputs, because cargo treats equal times as unchanged.
var sourceTime = time.Unix(2, 0)

func (l Local) run(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions) (action.Result, error) {
	// A change root copies the rootfs for later runs, and network requests of a
	// step cannot be undone: these verify first.
	if !l.NoSandbox && !private(step) {
		r, err := l.runOnce(ctx, st, step, opts, true)
		if !errors.Is(err, errUnverified) {
			return r, err
		}
	}
	return l.runOnce(ctx, st, step, opts, false)
}

// runOnce runs a step once. With optimistic it may start before its input trees
// have been compared with their seals; the error is errUnverified when one does
// not match. The output of such a run is discarded.
func (l Local) runOnce(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions, optimistic bool) (action.Result, error) {
	digest, err := action.Digest(ctx, st, step)
	if err != nil {
		return action.Result{}, err
	}
	s, err := newScratch(l.scratchBase(st))
	if err != nil {
		return action.Result{}, err
	}
	defer s.remove()
	j := &job{Local: l, step: step, keep: opts.Keep, rewrite: opts.Rewrite, observe: opts.Observe, scratch: s}
	unverified, err := j.resolve(ctx, st, optimistic)
	if err != nil {
		return action.Result{}, err
	}
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b := confirm(st, unverified, stop)
	defer b.verified() // the trees are not read after this function returns
	logs, err := j.openStreams(opts, b)
	if err != nil {
		return action.Result{}, err
	}
	defer logs.remove()
	code, _, err := j.runAny(run)
	j.closeStdio()
	logErr := logs.close()
	if !b.verified() {
		if ctx.Err() != nil {
			return action.Result{}, endedBy(ctx)
		}
		return action.Result{}, errUnverified
	}
	if err != nil {
		return action.Result{}, err
	}
	if logErr != nil {
		return action.Result{}, fault.Wrap(fault.Usage, logErr, "storing the output of "+step.Name)
	}
	r := action.Result{
		Digest: digest, ExitCode: code, Hermetic: l.hermetic(step),
		Outputs: map[string]store.Digest{}, Trees: map[string]store.Digest{},
		Observation: j.observed,
	}
	if opts.Outputs != nil {
		st = opts.Outputs
	}
	if !private(step) {
		if r.Stdout, err = logs.out.put(ctx, st); err != nil {
			return action.Result{}, err
		}
		if r.Stderr, err = logs.err.put(ctx, st); err != nil {
			return action.Result{}, err
		}
	}
	if code != 0 && !opts.OnFailure {
		return r, nil
	}
	for _, name := range step.Outputs {
		err := j.importOutput(ctx, st, name, &r)
		if code != 0 && errors.Is(err, errNotMade) {
			continue
		}
		if err != nil {
			return action.Result{}, fault.Wrap(fault.Build, err, "step "+step.Name)
		}
	}
	return r, nil
}

// private reports whether the output of a step may contain a password.
func private(step action.Step) bool { return step.Network || len(step.Secrets) > 0 }

// hermetic reports whether results may be shared.
func (l Local) hermetic(step action.Step) bool {
	return !step.Network && len(step.Secrets) == 0 && !l.NoSandbox && l.Perturb.none()
}

func (j *job) runAny(ctx context.Context) (int, string, error) {
	if j.NoSandbox {
		return j.runWeak(ctx)
	}
	return j.run(ctx)
}

// resolve finds the directories of the input trees and returns the trees that
// have not been compared with their seals: none unless optimistic is set.
func (j *job) resolve(ctx context.Context, st *store.Store, optimistic bool) (unverified []store.Digest, err error) {
	j.trees = map[string]string{}
	var check errgroup.Group
	var mu sync.Mutex
	for _, in := range j.step.Inputs {
		if in.Path == "src" {
			dir := filepath.Join(j.scratch.dir, "source")
			if err := st.Materialise(ctx, in.Tree, dir, store.MaterialiseOptions{MTime: sourceTime}); err != nil {
				return nil, errors.Join(err, check.Wait())
			}
			mu.Lock()
			j.trees["src"], j.ownSrc = dir, true
			mu.Unlock()
			continue
		}
		if dir, ok := st.Unverified(in.Tree); ok && optimistic {
			mu.Lock()
			j.trees[in.Path] = dir
			mu.Unlock()
			unverified = append(unverified, in.Tree)
			continue
		}
		check.Go(func() error {
			dir, err := st.TreePath(ctx, in.Tree)
			mu.Lock()
			defer mu.Unlock()
			j.trees[in.Path] = dir
			return err
		})
	}
	return unverified, check.Wait()
}

// logs are the two output streams of a step.
type logs struct{ out, err *logStream }

// logStream copies one stream to a file and to the caller's writer.
type logStream struct {
	read *os.File
	file *os.File
	done chan error
	size int64
}

// openStreams makes the command's standard input and output.
func (j *job) openStreams(opts action.RunOptions, b *verification) (*logs, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fault.Wrap(fault.Sandbox, err, "opening the null device")
	}
	j.stdio[0] = null
	l := &logs{}
	for i, w := range []io.Writer{opts.Stdout, opts.Stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		name, flags := filepath.Join(j.scratch.dir, fmt.Sprintf("log%d", i+1)), os.O_CREATE|os.O_EXCL|os.O_RDWR
		if private(j.step) {
			name, flags = os.DevNull, os.O_RDWR
		}
		file, err := os.OpenFile(name, flags, 0o600)
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "storing the output of "+j.step.Name)
		}
		s := &logStream{read: read, file: file, done: make(chan error, 1)}
		go s.copy(w, b)
		j.stdio[i+1] = write
		if i == 0 {
			l.out = s
		} else {
			l.err = s
		}
	}
	return l, nil
}

// closeStdio closes the launcher's copies of the command's descriptors, so that
// the streams end with the command. A failed attempt leaves them open for the
// next.
func (j *job) closeStdio() {
	for _, f := range j.stdio {
		f.Close()
	}
}

// The caller gets no output of a run with damaged inputs.
func (s *logStream) copy(w io.Writer, b *verification) {
	buf := make([]byte, 32<<10)
	var fileErr error
	for {
		n, err := s.read.Read(buf)
		if n > 0 {
			// The command would block if reading stopped: continue after write
			// errors.
			if fileErr == nil {
				_, fileErr = s.file.Write(buf[:n])
				s.size += int64(n)
			}
			if w != nil && !b.verified() {
				w = nil
			}
			if w != nil {
				if _, err := w.Write(buf[:n]); err != nil {
					w = nil
				}
			}
		}
		if err != nil {
			s.read.Close()
			if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
			s.done <- errors.Join(fileErr, err)
			return
		}
	}
}

// close waits for the rest of the output. In a sandbox all processes that could
// write have ended; without one a survivor may hold the pipe open, so there is
// a time limit.
func (l *logs) close() error {
	var all error
	for _, s := range []*logStream{l.out, l.err} {
		_ = s.read.SetReadDeadline(time.Now().Add(10 * time.Second))
		all = errors.Join(all, <-s.done)
	}
	return all
}

func (l *logs) remove() {
	l.out.file.Close()
	l.err.file.Close()
}

// put stores the stream; the zero digest means that it is empty.
func (s *logStream) put(ctx context.Context, st *store.Store) (store.Digest, error) {
	if s.size == 0 {
		return store.Digest{}, nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return store.Digest{}, err
	}
	return st.Put(ctx, s.file)
}

// errNotMade is in the chain of the error when an output does not exist.
var errNotMade = errors.New("the command succeeded without making its output")

// importOutput stores one declared output. The step controls the directory, so
// no part of the path may be a symbolic link.
func (j *job) importOutput(ctx context.Context, st *store.Store, name string, r *action.Result) error {
	place, rest := outputPlace(name)
	from := j.written[place]
	p := from.dir
	for _, elem := range strings.Split(rest, "/") {
		p = filepath.Join(p, elem)
		info, err := os.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w %s", errNotMade, name)
		}
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("output %s: %s is a symbolic link", name, elem)
		}
	}
	if err := makeReadable(p); err != nil {
		return err
	}
	info, err := os.Lstat(p)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		if from.input != "" && from.input != from.dir {
			if err := dropUnchanged(p, filepath.Join(from.input, rest)); err != nil {
				return err
			}
		}
		o := store.ImportOptions{Filter: j.outputFilter(name, from), Rewrite: j.rewrite[name], Move: ownedByUs(p)}
		r.Trees[name], err = st.ImportDir(ctx, p, o)
	case info.Mode().IsRegular():
		r.Outputs[name], err = st.PutFile(ctx, p)
	default:
		err = fmt.Errorf("output %s is neither a file nor a directory", name)
	}
	return err
}

// outputFilter skips files that the caller does not want, unchanged sources,
// and the whiteouts of an overlay.
func (j *job) outputFilter(name string, from writtenDir) func(string, fs.FileInfo) bool {
	wanted := j.keep[name]
	return func(path string, info fs.FileInfo) bool {
		if from.input == from.dir && !info.IsDir() && info.ModTime().Equal(sourceTime) {
			return false
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0 {
			return false
		}
		return wanted == nil || wanted(path, info)
	}
}

// dropUnchanged removes unchanged files from a copy of input, so that it
// contains what an overlay's upper layer would.
func dropUnchanged(dir, input string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p, q := filepath.Join(dir, e.Name()), filepath.Join(input, e.Name())
		was, err := os.Lstat(q)
		if err != nil {
			continue // new
		}
		is, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case is.IsDir() && was.IsDir():
			if err := dropUnchanged(p, q); err != nil {
				return err
			}
			if left, err := os.ReadDir(p); err != nil || len(left) > 0 {
				continue
			}
		case is.Mode() != was.Mode() || is.Size() != was.Size() || !is.ModTime().Equal(was.ModTime()):
			continue
		}
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// makeReadable adds permissions that the step has removed from its outputs.
// WalkDir calls it before it lists a directory, so the directory is readable
// then.
func makeReadable(p string) error {
	return filepath.WalkDir(p, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		need := fs.FileMode(0o400)
		switch {
		case d.IsDir():
			need = 0o700
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&need == need {
			return err
		}
		return os.Chmod(p, info.Mode().Perm()|need)
	})
}
