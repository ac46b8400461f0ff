// Package worker is espalier on a worker of a cluster: it runs one step, whose
// input trees the worker has put next to it, in the sandbox, and leaves outputs
// and a report where the worker collects them (internal/remote, Job and Report).
// The worker needs nothing of espalier, since the program is an input, too.
//
// What a worker makes of an input root has its own times, owners and links. So
// the trees are copied to a store first, which also verifies them.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

// Init must follow sandbox.Init in main and TestMain: on a worker it runs the
// step and does not return.
func Init() {
	if len(os.Args) != 2 || os.Args[1] != remote.ExecuteArg {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := Run(ctx, ".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "espalier:", err)
		code = 1
	}
	os.Exit(code)
}

// Run runs the step in the input root dir and returns the exit code of its
// command: a worker does not cache the result of one that failed. A step that
// cannot be run is a fault in the report and exit code 1. The error is that of a
// report that cannot be written.
func Run(ctx context.Context, dir string) (int, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return 1, err
	}
	result := filepath.Join(dir, remote.ResultDir)
	if err := os.MkdirAll(result, 0o777); err != nil {
		return 1, err
	}
	report, err := run(ctx, dir)
	if err != nil {
		report = remote.Report{Fault: &remote.ReportedFault{Kind: fault.KindOf(err), Text: err.Error(), Hints: fault.Hints(err)}, ExitCode: 1}
	}
	b, err := remote.EncodeReport(report)
	if err != nil {
		return 1, err
	}
	return report.ExitCode, os.WriteFile(filepath.Join(result, remote.ReportFile), b, 0o666)
}

func run(ctx context.Context, dir string) (remote.Report, error) {
	job, plain, command, err := read(filepath.Join(dir, remote.JobDir))
	if err != nil {
		return remote.Report{}, fault.Wrap(fault.Bug, err, "reading the job")
	}
	temp, err := os.MkdirTemp(dir, "store-")
	if err != nil {
		return remote.Report{}, fault.Wrap(fault.Sandbox, err, "the input root cannot be written")
	}
	defer os.RemoveAll(temp)
	st, err := store.Open(ctx, temp)
	if err != nil {
		return remote.Report{}, err
	}
	defer st.Close()
	step, err := inputs(ctx, st, dir, job, plain, command)
	if err != nil {
		return remote.Report{}, err
	}
	step.Name = "a step"
	res, err := sandbox.Local{}.Run(ctx, st, step, action.RunOptions{
		Stdout: os.Stdout, Stderr: os.Stderr, Observe: job.Observe, OnFailure: job.OnFailure,
	})
	if err != nil {
		return remote.Report{}, err
	}
	report := remote.Report{ExitCode: res.ExitCode, Hermetic: res.Hermetic, Observation: res.Observation}
	for _, name := range step.Outputs {
		at := filepath.Join(dir, filepath.FromSlash(remote.ResultPath(name)))
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			return remote.Report{}, fault.Wrap(fault.Sandbox, err, "writing the outputs")
		}
		if d, ok := res.Outputs[name]; ok {
			err = copyBlob(ctx, st, d, at)
		} else if d, ok := res.Trees[name]; ok {
			err = st.Materialise(ctx, d, at, store.MaterialiseOptions{})
		} else {
			continue
		}
		if err != nil {
			return remote.Report{}, fault.Wrap(fault.Sandbox, err, "writing the outputs")
		}
		report.Outputs = append(report.Outputs, name)
	}
	return report, nil
}

// largestMessage bounds the files of the job, in bytes.
const largestMessage = 16 << 20

func read(dir string) (job remote.Job, plain, command []byte, err error) {
	file := func(name string) []byte {
		if err != nil {
			return nil
		}
		var info fs.FileInfo
		if info, err = os.Stat(filepath.Join(dir, name)); err == nil && info.Size() > largestMessage {
			err = fmt.Errorf("%s: %d bytes", name, info.Size())
		}
		if err != nil {
			return nil
		}
		var b []byte
		b, err = os.ReadFile(filepath.Join(dir, name))
		return b
	}
	text := file(remote.JobFile)
	plain, command = file(remote.JobAction), file(remote.JobCommand)
	if err == nil {
		job, err = remote.DecodeJob(text)
	}
	return job, plain, command, err
}

// inputs copies the trees of a job to a store and returns its step.
func inputs(ctx context.Context, st *store.Store, dir string, job remote.Job, plain, command []byte) (action.Step, error) {
	trees := map[string]store.Digest{}
	for _, name := range slices.Sorted(maps.Keys(job.Inputs)) {
		if !fs.ValidPath(name) || filepath.Base(name) != name || !slices.Contains(layout.Inputs(), name) {
			return action.Step{}, fault.Newf(fault.Bug, "the job has an input %q", name)
		}
		got, err := st.ImportDir(ctx, filepath.Join(dir, name), store.ImportOptions{})
		if err != nil {
			return action.Step{}, fault.Wrap(fault.Sandbox, err, "copying the input "+name)
		}
		if want := job.Inputs[name]; got.Hash != want {
			return action.Step{}, fault.Newf(fault.Sandbox, "the worker has put another tree at %s: %s instead of %s", name, got.Hash, want)
		}
		trees[name] = got
	}
	_, err1 := st.Compose(ctx, trees)
	_, err2 := st.PutBytes(ctx, command)
	id, err3 := st.PutBytes(ctx, plain)
	if err := errors.Join(err1, err2, err3); err != nil {
		return action.Step{}, fault.Wrap(fault.Sandbox, err, "copying the inputs")
	}
	if id.Hash != job.Step {
		return action.Step{}, fault.Newf(fault.Bug, "the job is for action %s and has %s", job.Step, id.Hash)
	}
	return action.Get(ctx, st, id)
}

func copyBlob(ctx context.Context, st *store.Store, d store.Digest, to string) error {
	src, err := st.Get(ctx, d)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		src.Close()
		return err
	}
	_, err = f.ReadFrom(src)
	return errors.Join(err, src.Close(), f.Close())
}
