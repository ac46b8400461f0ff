package worker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/devtest/cluster"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/remote/worker"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	worker.Init()
	os.Exit(m.Run())
}

// program is this test as the program of a worker.
func program() (io.ReadCloser, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(self)
}

// rootfs is a tree with the static program of testdata/inside at /inside.
func rootfs(t *testing.T, st *store.Store) store.Digest {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "inside")
	cmd := exec.Command("go", "build", "-o", exe, "./testdata/inside")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the program of the step: %v\n%s", err, out)
	}
	tree, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
		src := b.Source("test")
		f, err := os.Open(exe)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = src.File(t.Context(), "inside", true, f)
		return errors.Join(err, src.Dir("empty"), src.Symlink("link", "inside"))
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func open(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// client is an executor for a cluster, and a function that returns its warnings.
func client(t *testing.T, c *cluster.Cluster, local action.Executor) (*remote.Cluster, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var text []string
	cfg := func(addr string) remote.Config {
		return remote.Config{Address: "grpc://" + addr, Debug: t.Logf, Warn: func(s string) {
			mu.Lock()
			defer mu.Unlock()
			text = append(text, s)
		}}
	}
	e, err := remote.NewCluster(cfg(c.Execution), cfg(c.Storage))
	if err != nil {
		t.Fatal(err)
	}
	e.Program, e.Local = program, local
	return e, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return text
	}
}

// TestCluster runs steps on a real cluster and on this machine: the results are
// the same. Scheduler, worker and client are killed while a step runs.
func TestCluster(t *testing.T) {
	devtest.Long(t, "runs a cluster")
	c := cluster.Start(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.Logs())
		}
	})
	st := open(t)
	root := rootfs(t, st)
	src, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
		_, err := b.Source("test").File(t.Context(), "text", false, strings.NewReader("source"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	step := func(name string, argv ...string) action.Step {
		return action.Step{Name: name, Argv: append([]string{"/inside"}, argv...), Env: map[string]string{"A": "1"}, Dir: "/src",
			Inputs:  []action.Input{{Path: "rootfs", Tree: root}, {Path: "src", Tree: src}, {Path: "target", Tree: src}},
			Outputs: []string{"seen", "/target"}, Platform: map[string]string{action.PropertyISA: "x86-64"}}
	}
	run := func(e action.Executor, to *store.Store, s action.Step) (action.Result, string, error) {
		var stdout bytes.Buffer
		res, err := e.Run(t.Context(), st, s, action.RunOptions{Stdout: &stdout, Outputs: to, Observe: true})
		return res, stdout.String(), err
	}

	t.Run("same result", func(t *testing.T) {
		e, warned := client(t, c, nil)
		want, wantText, err := run(sandbox.Local{}, nil, step("one", "look"))
		if err != nil || want.ExitCode != 0 {
			t.Fatalf("here: %+v, %v", want, err)
		}
		got, gotText, err := run(e, open(t), step("one", "look"))
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest != want.Digest || got.Outputs["seen"] != want.Outputs["seen"] || got.Trees["/target"] != want.Trees["/target"] ||
			got.Stdout != want.Stdout || !got.Hermetic || gotText != wantText {
			t.Errorf("on the cluster: %+v %q\nhere: %+v %q", got, gotText, want, wantText)
		}
		if len(warned()) > 0 {
			t.Errorf("warnings %q", warned())
		}
	})
	t.Run("a step that fails", func(t *testing.T) {
		e, _ := client(t, c, nil)
		res, _, err := run(e, nil, step("failing", "exit", "3"))
		if err != nil || res.ExitCode != 3 || len(res.Outputs) > 0 {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("scheduler killed", func(t *testing.T) {
		e, warned := client(t, c, nil)
		time.AfterFunc(2*time.Second, func() { c.KillScheduler(); c.StartScheduler() })
		res, _, err := run(e, nil, step("scheduler", "sleep", "5", "1"))
		if err != nil || res.ExitCode != 0 || len(warned()) > 0 {
			t.Errorf("%+v, %v, warnings %q", res, err, warned())
		}
	})
	t.Run("worker killed", func(t *testing.T) {
		e, warned := client(t, c, nil)
		time.AfterFunc(2*time.Second, func() { c.KillWorker(); c.StartWorker() })
		res, _, err := run(e, nil, step("worker", "sleep", "5", "2"))
		if err != nil || res.ExitCode != 0 || len(warned()) > 0 {
			t.Errorf("%+v, %v, warnings %q", res, err, warned())
		}
	})
	t.Run("client stopped", func(t *testing.T) {
		e, _ := client(t, c, nil)
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		_, err := e.Run(ctx, st, step("client", "sleep", "60", "3"), action.RunOptions{})
		if fault.KindOf(err) != fault.Timeout {
			t.Error(err)
		}
		// The worker is free again, or the next step would wait for a minute.
		if res, _, err := run(e, nil, step("next", "look", "again")); err != nil || res.ExitCode != 0 {
			t.Errorf("%+v, %v", res, err)
		}
	})
	t.Run("no cluster", func(t *testing.T) {
		c.KillScheduler()
		e, warned := client(t, c, sandbox.Local{})
		for range 2 {
			if res, _, err := run(e, nil, step("alone", "look", "alone")); err != nil || res.ExitCode != 0 {
				t.Errorf("%+v, %v", res, err)
			}
		}
		if len(warned()) != 1 {
			t.Errorf("warnings %q", warned())
		}
		e, _ = client(t, c, nil)
		if _, _, err := run(e, nil, step("alone", "look", "alone")); fault.KindOf(err) != fault.Sandbox {
			t.Error(err)
		} else {
			t.Log(err)
		}
	})
}
