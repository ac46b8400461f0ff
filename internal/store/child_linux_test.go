package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/reapi"
)

// The tests of this file run the test program itself as the other process.
// childEnv is the name of its task; the store's directory is the last argument.
const childEnv = "ESPALIER_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	child := map[string]func(string) error{
		"writer":   writer,
		"full":     fullDisk,
		"readonly": readOnlyDisk,
	}[os.Getenv(childEnv)]
	if child == nil {
		os.Exit(m.Run())
	}
	if err := child(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func childCommand(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", dir)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd
}

// writer repeats all writing operations, and prints a line after each.
func writer(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8), byte(os.Getpid()), byte(os.Getpid() >> 8)}, 100_000)
		blob, err := s.Put(ctx, bytes.NewReader(b))
		if err != nil {
			return err
		}
		fmt.Println("blob", blob)
		tree, err := s.NewTree()
		if err != nil {
			return err
		}
		for j := range 10 {
			if _, err := tree.Source("w").File(ctx, fmt.Sprintf("d%d/f", j), j%2 == 0, bytes.NewReader(b[:50_000+j])); err != nil {
				return err
			}
		}
		root, err := tree.Commit(ctx)
		if err != nil {
			return err
		}
		fmt.Println("tree", root)
		p, err := s.Partial(ctx, DigestOf(append(b, 'p')))
		if errors.Is(err, ErrPresent) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := p.Write(append(b, 'p')[p.Offset():]); err != nil {
			return err
		}
		fmt.Println("written")
		if _, err := p.Commit(); err != nil {
			return err
		}
		fmt.Println("partial")
		if err := s.PutResult(ctx, blob, &reapi.ActionResult{OutputFiles: []*reapi.OutputFile{{Path: "out/x", Digest: blob.ToProto()}},
			OutputDirectories: []*reapi.OutputDirectory{{Path: "out/t", RootDirectoryDigest: root.ToProto()}}}, true); err != nil {
			return err
		}
		fmt.Println("result", blob)
		if err := s.SetRoot(ctx, Root{Name: "w", Pins: []Pin{{PinTree, root}, {PinBlob, blob}}}); err != nil {
			return err
		}
		fmt.Println("root")
	}
}

// Whenever a process is killed, the store only has complete files under final
// names, everything that it reported as stored is there, and the rest is
// removed.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	promised := map[string]bool{}
	for range 25 {
		cmd := childCommand(t, "writer", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(12) {
			if !lines.Scan() {
				t.Fatalf("writer ended: %s", &stderr)
			}
			promised[lines.Text()] = true
		}
		// The next operation has started; kill it at a random time.
		spin := time.Now().Add(time.Duration(rand.IntN(3000)) * time.Microsecond)
		for time.Now().Before(spin) {
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			promised[lines.Text()] = true
		}
		_ = cmd.Wait()
	}
	s := open(t, dir)
	if left := entries(t, s.path(tempDir)); len(left) > 0 {
		t.Errorf("tmp was not swept: %v", left)
	}
	for _, name := range entries(t, s.path(blobDir)) {
		r, err := s.Get(t.Context(), Digest{name, -1})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			t.Error(err)
		}
	}
	for _, name := range entries(t, s.path(treeDir)) {
		if err := s.VerifyTree(t.Context(), Digest{name, -1}); err != nil {
			t.Error(err)
		}
	}
	for _, name := range entries(t, s.path(resultDir)) {
		if _, _, err := s.Result(t.Context(), Digest{name, -1}, true); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Roots(); err != nil {
		t.Error(err)
	}
	for line := range promised {
		what, text, _ := strings.Cut(line, " ")
		if text == "" {
			continue
		}
		d, err := ParseDigest(text)
		if err != nil {
			t.Fatal(err)
		}
		switch what {
		case "blob":
			_, err = s.ReadBlob(t.Context(), d, 1<<30)
		case "tree":
			_, err = s.TreePath(t.Context(), d)
		case "result":
			_, _, err = s.Result(t.Context(), d, true)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if q := entries(t, s.path(quarantineDir)); len(q) > 0 {
		t.Errorf("quarantine holds %v", q)
	}
	t.Logf("%d promises kept", len(promised))
}

// inMountNamespace runs a child with the privilege to mount, without root.
func inMountNamespace(t *testing.T, what string) {
	t.Helper()
	run := func(flags uintptr) ([]byte, error) {
		cmd := childCommand(t, what, t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | flags}
		if flags != 0 {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		return cmd.CombinedOutput()
	}
	refused := func(err error) bool {
		return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL)
	}
	out, err := run(syscall.CLONE_NEWUSER)
	if refused(err) {
		out, err = run(0) // root may without
	}
	if refused(err) {
		devtest.Missing(t, "user namespaces: "+err.Error())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestFullDisk(t *testing.T)     { inMountNamespace(t, "full") }
func TestReadOnlyDisk(t *testing.T) { inMountNamespace(t, "readonly") }

// smallDisk mounts a file system that is not visible outside of the namespace.
func smallDisk(dir, size string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, size)
}

func fullDisk(dir string) error {
	if err := smallDisk(dir, "size=1m"); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	big := bytes.Repeat([]byte("x"), 2<<20)
	small := []byte("small")
	check := func(what string, err error) error {
		switch {
		case !errors.Is(err, unix.ENOSPC):
			return fmt.Errorf("%s: %v, want ENOSPC", what, err)
		case fault.KindOf(err) != fault.Usage:
			return fmt.Errorf("%s: kind %d", what, fault.KindOf(err))
		case !strings.Contains(strings.Join(fault.Hints(err), "\n"), "espalier gc") || !strings.Contains(err.Error(), dir):
			return fmt.Errorf("%s: %v lacks the remedy: %q", what, err, fault.Hints(err))
		}
		left, err := os.ReadDir(filepath.Join(dir, tempDir))
		if err != nil || len(left) > 0 {
			return fmt.Errorf("%s: left %v in tmp, %v", what, left, err)
		}
		return nil
	}
	_, err = s.Put(ctx, bytes.NewReader(big))
	if err := check("blob", err); err != nil {
		return err
	}
	if _, err := s.PutBytes(ctx, small); err != nil {
		return fmt.Errorf("after a failed write: %w", err)
	}
	err = func() error {
		b, err := s.NewTree()
		if err != nil {
			return err
		}
		defer b.Close()
		if _, err := b.Source("big").File(ctx, "a/b", false, bytes.NewReader(big)); err == nil {
			return errors.New("a file that does not fit")
		}
		_, err = b.Commit(ctx)
		return err
	}()
	if err := check("tree", err); err != nil {
		return err
	}
	p, err := s.Partial(ctx, DigestOf(big))
	if err != nil {
		return err
	}
	n, err := p.Write(big)
	if err := check("download", err); err != nil {
		return err
	}
	if n == 0 || p.Offset() != int64(n) {
		return fmt.Errorf("download: %d bytes written, offset %d", n, p.Offset())
	}
	p.Close()
	// The rest of the disk is full: even the smallest files fail.
	if err := os.WriteFile(ballast, big, 0o644); !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("ballast: %v", err)
	}
	err = s.PutResult(ctx, DigestOf(small), &reapi.ActionResult{}, true)
	if err := check("result", err); err != nil {
		return err
	}
	err = s.SetRoot(ctx, Root{Name: "x"})
	if err := check("root", err); err != nil {
		return err
	}
	if b, err := s.ReadBlob(ctx, DigestOf(small), 10); err != nil || !bytes.Equal(b, small) {
		return fmt.Errorf("reading from a full disk: %w", err)
	}
	// More space: the download continues where it stopped.
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"); err != nil {
		return err
	}
	p, err = s.Partial(ctx, DigestOf(big))
	if err != nil || p.Offset() != int64(n) {
		return fmt.Errorf("resuming: %w", err)
	}
	if _, err := p.Write(big[n:]); err != nil {
		return err
	}
	if _, err := p.Commit(); err != nil {
		return err
	}
	// A disk without a free inode or byte from the beginning.
	fresh := filepath.Join(dir, "fresh")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", fresh, "tmpfs", 0, "nr_inodes=4"); err != nil {
		return err
	}
	if _, err := Open(ctx, fresh); !errors.Is(err, unix.ENOSPC) || fault.KindOf(err) != fault.Usage {
		return fmt.Errorf("Open on a full disk: %w", err)
	}
	return nil
}

func readOnlyDisk(dir string) error {
	if err := smallDisk(dir, "size=4m"); err != nil {
		return err
	}
	ctx := context.Background()
	rw, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	good, err := rw.PutBytes(ctx, []byte("good"))
	if err != nil {
		return err
	}
	bad, err := rw.PutBytes(ctx, []byte("bad"))
	if err != nil {
		return err
	}
	b, err := rw.NewTree()
	if err != nil {
		return err
	}
	if _, err := b.Source("").File(ctx, "a/b", false, strings.NewReader("in a tree")); err != nil {
		return err
	}
	root, err := b.Commit(ctx)
	if err != nil {
		return err
	}
	if err := rw.PutResult(ctx, good, &reapi.ActionResult{StdoutDigest: good.ToProto()}, true); err != nil {
		return err
	}
	path := filepath.Join(dir, blobDir, bad.Hash)
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte("BAD"), 0o644); err != nil {
		return err
	}
	rw.Close()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "size=4m"); err != nil {
		return err
	}
	if r, err := Trim(ctx, dir, 1, time.Now()); err != nil || r.Freed > 0 {
		return fmt.Errorf("Trim of a read-only store: %+v, %w", r, err)
	}

	s, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	if !s.ReadOnly() {
		return errors.New("ReadOnly = false")
	}
	if b, err := s.ReadBlob(ctx, good, 10); err != nil || string(b) != "good" {
		return fmt.Errorf("ReadBlob: %w", err)
	}
	if _, err := s.TreePath(ctx, root); err != nil {
		return fmt.Errorf("TreePath: %w", err)
	}
	if err := s.VerifyTree(ctx, root); err != nil {
		return fmt.Errorf("VerifyTree: %w", err)
	}
	if _, _, err := s.Result(ctx, good, true); err != nil {
		return fmt.Errorf("Result: %w", err)
	}
	if _, err := s.ReadBlob(ctx, bad, 10); !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("damaged blob: %v", err)
	}
	if _, err := s.TreePath(ctx, good); !errors.Is(err, ErrMissing) {
		return fmt.Errorf("missing tree: %v", err)
	}
	if _, err := s.PutBytes(ctx, []byte("good")); err != nil {
		return fmt.Errorf("writing what is there: %w", err)
	}
	_, put := s.PutBytes(ctx, []byte("new"))
	_, tree := s.NewTree()
	_, partial := s.Partial(ctx, DigestOf([]byte("new")))
	_, gc := GC(ctx, dir, Policy{})
	for what, err := range map[string]error{
		"PutBytes": put, "NewTree": tree, "Partial": partial, "GC": gc,
		"PutResult": s.PutResult(ctx, bad, &reapi.ActionResult{}, true),
		"SetRoot":   s.SetRoot(ctx, Root{Name: "x"}),
		"Open":      func() error { _, err := Open(ctx, filepath.Join(dir, "new")); return err }(),
	} {
		if fault.KindOf(err) != fault.Usage || len(fault.Hints(err)) != 1 || !strings.Contains(fault.Hints(err)[0], "ESPALIER_STORE=") {
			return fmt.Errorf("%s: %v, hints %q", what, err, fault.Hints(err))
		}
		if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
			return fmt.Errorf("%s: %v", what, err)
		}
	}
	return nil
}
