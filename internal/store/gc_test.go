package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/reapi"
)

func TestResultDamage(t *testing.T) {
	s := open(t, t.TempDir())
	d := mustPut(t, s, []byte("output"))
	action := DigestOf([]byte("action"))
	r := &reapi.ActionResult{OutputFiles: []*reapi.OutputFile{{Path: "out/x", Digest: d.ToProto()}}}
	path := s.path(resultDir, action.Hash)
	if err := s.PutResult(t.Context(), action, r, true); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	for at := range info.Size() {
		flip(t, path, at)
		if _, _, err := s.Result(t.Context(), action, true); !errors.Is(err, ErrMissing) {
			t.Fatalf("flipped byte %d: %v", at, err)
		}
		if err := s.PutResult(t.Context(), action, r, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, hermetic, err := s.Result(t.Context(), action, false); err != nil || !hermetic {
		t.Fatal(err)
	}
	other := DigestOf([]byte("another action"))
	os.Rename(path, s.path(resultDir, other.Hash))
	if _, _, err := s.Result(t.Context(), other, true); !errors.Is(err, ErrMissing) {
		t.Errorf("a renamed result: %v", err)
	}
	if err := s.PutResult(t.Context(), action, r, true); err != nil {
		t.Fatal(err)
	}
	os.Remove(s.path(blobDir, d.Hash))
	if _, _, err := s.Result(t.Context(), action, true); !errors.Is(err, ErrMissing) {
		t.Errorf("a lost output: %v", err)
	}
}

func TestRoots(t *testing.T) {
	s := open(t, t.TempDir())
	d := mustPut(t, s, []byte("x"))
	a := Root{Name: "/home/me/a \"quoted\"\nname", Origin: "/home/me/a", Pins: []Pin{{PinBlob, d}, {PinTree, Digest{d.Hash, -1}}, {PinResult, d}}}
	b := Root{Name: "b"}
	for _, r := range []Root{b, a, a} {
		if err := s.SetRoot(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Roots()
	if err != nil || !reflect.DeepEqual(got, []Root{a, b}) {
		t.Errorf("Roots = %+v, %v", got, err)
	}
	if err := errors.Join(s.DropRoot("b"), s.DropRoot("b")); err != nil {
		t.Error(err)
	}
	if err := s.SetRoot(t.Context(), Root{Name: "c", Pins: []Pin{{"moon", d}}}); err == nil {
		t.Error("unknown kind")
	}
	if err := s.SetRoot(t.Context(), Root{Name: "c", Pins: []Pin{{PinBlob, Digest{}}}}); err == nil {
		t.Error("no digest")
	}
}

// gcFixture is a store with content of each kind, pinned and unpinned.
type gcFixture struct {
	s                              *Store
	pinnedBlob, looseBlob          Digest
	pinnedTree, looseTree, subTree Digest
	fileBlob                       Digest // content of pinnedTree that is also a blob
	action, looseAction            Digest
	output, treeOutput             Digest
	lock                           string
}

func newHousehold(t *testing.T) *gcFixture {
	t.Helper()
	h := &gcFixture{s: open(t, t.TempDir()), lock: filepath.Join(t.TempDir(), "espalier.lock")}
	s := h.s
	os.WriteFile(h.lock, nil, 0o644)
	h.pinnedBlob, h.looseBlob = mustPut(t, s, []byte("pinned")), mustPut(t, s, []byte("loose"))
	h.subTree = build(t, s, map[string]string{"f": "in the sub tree"})
	other := build(t, s, map[string]string{"sub/g": "g", "h": "also a blob"})
	h.fileBlob = mustPut(t, s, []byte("also a blob"))
	var err error
	if h.pinnedTree, err = s.Compose(t.Context(), map[string]Digest{"a/b": h.subTree, "c": other}); err != nil {
		t.Fatal(err)
	}
	h.looseTree = build(t, s, map[string]string{"loose": "tree"})
	h.output, h.treeOutput = mustPut(t, s, []byte("output")), build(t, s, map[string]string{"o/p": "q"})
	h.action, h.looseAction = DigestOf([]byte("action")), DigestOf([]byte("loose action"))
	message, err := s.PutTreeMessage(t.Context(), h.treeOutput)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		s.PutResult(t.Context(), h.action, &reapi.ActionResult{
			OutputFiles:       []*reapi.OutputFile{{Path: "out/x", Digest: h.output.ToProto()}},
			OutputDirectories: []*reapi.OutputDirectory{{Path: "out/t", TreeDigest: message.ToProto(), RootDirectoryDigest: h.treeOutput.ToProto()}},
		}, true),
		s.PutResult(t.Context(), h.looseAction, &reapi.ActionResult{StdoutDigest: h.looseBlob.ToProto()}, false),
		s.SetRoot(t.Context(), Root{Name: h.lock, Origin: h.lock, Pins: []Pin{{PinBlob, h.pinnedBlob}, {PinTree, h.pinnedTree}, {PinResult, h.action}}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// age sets the times in the store so that everything has been unused for d.
func (h *gcFixture) age(t *testing.T, d time.Duration) {
	t.Helper()
	for _, folder := range []string{blobDir, sealDir, resultDir, privateDir, rootDir} {
		for _, name := range entries(t, h.s.path(folder)) {
			when := time.Now().Add(-d)
			os.Chtimes(h.s.path(folder, name), when, when)
		}
	}
}

// have lists the content that is left.
func (h *gcFixture) have(t *testing.T) string {
	t.Helper()
	s := open(t, h.s.Dir())
	defer s.Close()
	var got []string
	for name, there := range map[string]bool{
		"pinned-blob":  s.Has(h.pinnedBlob),
		"loose-blob":   s.Has(h.looseBlob),
		"file-blob":    s.Has(h.fileBlob),
		"pinned-tree":  s.HasContent(t.Context(), h.pinnedTree) == nil,
		"sub-tree":     s.HasTree(t.Context(), h.subTree),
		"loose-tree":   s.HasTree(t.Context(), h.looseTree),
		"loose-dir":    s.Has(h.looseTree),
		"result":       func() bool { _, _, err := s.Result(t.Context(), h.action, true); return err == nil }(),
		"output":       s.Has(h.output),
		"tree-output":  s.HasTree(t.Context(), h.treeOutput),
		"loose-result": func() bool { _, _, err := s.Result(t.Context(), h.looseAction, false); return err == nil }(),
		"root":         func() bool { r, err := s.Roots(); return err == nil && len(r) == 1 }(),
	} {
		if there {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	return strings.Join(got, " ")
}

func TestGC(t *testing.T) {
	const (
		all    = "file-blob loose-blob loose-dir loose-result loose-tree output pinned-blob pinned-tree result root sub-tree tree-output"
		pinned = "file-blob output pinned-blob pinned-tree result root sub-tree tree-output"
	)
	for _, tc := range []struct {
		name   string
		age    time.Duration // of everything
		change func(*testing.T, *gcFixture)
		policy Policy
		want   string
	}{
		{"young", 0, nil, Policy{MaxAge: time.Hour}, all},
		{"old", 2 * time.Hour, nil, Policy{MaxAge: time.Hour}, pinned},
		{"only pins", 0, nil, Policy{}, pinned},
		{"dry run", 0, nil, Policy{DryRun: true}, all},
		{"lock is gone, root is young", 0, func(t *testing.T, h *gcFixture) { os.Remove(h.lock) }, Policy{MaxAge: time.Hour}, all},
		{"lock is gone", 2 * time.Hour, func(t *testing.T, h *gcFixture) { os.Remove(h.lock) }, Policy{MaxAge: time.Hour}, ""},
		{"loose things used again", 2 * time.Hour, func(t *testing.T, h *gcFixture) {
			h.s = open(t, h.s.Dir())
			h.s.Has(h.looseBlob)
			h.s.HasTree(t.Context(), h.looseTree)
			h.s.Result(t.Context(), h.looseAction, false)
			h.s.Close()
		}, Policy{MaxAge: time.Hour}, all},
		{"an index names it", 2 * time.Hour, func(t *testing.T, h *gcFixture) {
			h.s = open(t, h.s.Dir())
			manifest := mustPut(t, h.s, []byte(`{"schemaVersion":2,"layers":[{"mediaType":"x","digest":"sha256:`+h.looseBlob.Hash+`","size":5}]}`))
			h.s.Close()
			os.WriteFile(h.s.path("index.json"), []byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:`+manifest.Hash+`","size":1}]}`), 0o644)
		}, Policy{MaxAge: time.Hour}, "file-blob loose-blob output pinned-blob pinned-tree result root sub-tree tree-output"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHousehold(t)
			os.WriteFile(h.s.path(tempDir, "tree-left"), []byte("x"), 0o644)
			os.WriteFile(h.s.path(partialDir, h.looseBlob.Hash), []byte("x"), 0o644)
			h.s.quarantine(h.s.path(partialDir, h.looseBlob.Hash))
			h.age(t, tc.age)
			h.s.Close()
			if tc.change != nil {
				tc.change(t, h)
			}
			report, err := GC(t.Context(), h.s.Dir(), tc.policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.have(t); got != tc.want {
				t.Errorf("left   %s\nwant   %s\nreport %+v", got, tc.want, report)
			}
			if (report.Freed > 1) != (tc.want != all || tc.policy.DryRun) && tc.name != "young" {
				t.Errorf("report %+v", report)
			}
			again, err := GC(t.Context(), h.s.Dir(), tc.policy)
			if err != nil {
				t.Fatal(err)
			}
			if !tc.policy.DryRun && again.Freed+int64(again.Blobs+again.Trees+again.Results+again.Roots) > 0 {
				t.Errorf("a second run found %+v", again)
			}
		})
	}
}

func TestGCRunsAlone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := mustPut(t, s, []byte("x"))
	_, err := GC(t.Context(), dir, Policy{})
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("err = %v", err)
	}
	if !s.Has(d) {
		t.Error("removed anyway")
	}
	waited := make(chan error)
	go func() {
		_, err := GC(t.Context(), dir, Policy{Wait: true})
		waited <- err
	}()
	s.Close()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if open(t, dir).Has(d) {
		t.Error("nothing was removed")
	}
}

// A root that gc cannot read stops it.
func TestGCStopsAtAnUnreadableRoot(t *testing.T) {
	for _, damage := range []func(t *testing.T, s *Store, path string){
		func(t *testing.T, s *Store, path string) { flip(t, path, 30) },
		func(t *testing.T, s *Store, path string) { os.WriteFile(path, nil, 0o644) },
		func(t *testing.T, s *Store, path string) {
			b := []byte("espalier-root 2\nname \"x\"\norigin \"\"\n")
			os.WriteFile(path, append(b, []byte("end "+DigestOf(b).Hash+"\n")...), 0o644)
		},
		func(t *testing.T, s *Store, path string) { os.WriteFile(s.path("index.json"), []byte("{"), 0o644) },
	} {
		h := newHousehold(t)
		damage(t, h.s, h.s.path(rootDir, entries(t, h.s.path(rootDir))[0]))
		h.s.Close()
		if report, err := GC(t.Context(), h.s.Dir(), Policy{}); err == nil || report.Freed > 0 {
			t.Errorf("GC = %+v, %v", report, err)
		}
		if !open(t, h.s.Dir()).Has(h.looseBlob) {
			t.Error("something was removed")
		}
	}
}

// A dry run works while a process has the store open, and does not count the
// file that this process is writing.
func TestDryRunBesideOthers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := mustPut(t, s, []byte("needed by nothing"))
	unfinished := s.path(tempDir, "unfinished")
	if err := os.WriteFile(unfinished, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := GC(t.Context(), dir, Policy{DryRun: true})
	if err != nil || r.Blobs != 1 || r.Freed != d.Size || r.Temporary != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if !s.Has(d) {
		t.Error("a dry run removed a blob")
	}
}
