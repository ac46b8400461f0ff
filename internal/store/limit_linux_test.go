//go:build linux

package store

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// layers is a store with a pinned tree and four results, each with a tree of
// 1 MB of its own and 1 MB that all of them have, used an hour apart: the
// first one last.
type layers struct {
	s      *Store
	now    time.Time
	pinned Digest
	trees  []Digest
	memos  [][]byte
}

func newLayers(t *testing.T) layers {
	t.Helper()
	h := layers{s: open(t, t.TempDir()), now: time.Unix(2_000_000_000, 0)}
	h.pinned = build(t, h.s, map[string]string{"toolchain": strings.Repeat("pinned", 100_000)})
	if err := h.s.SetRoot(t.Context(), Root{Name: "lock", Origin: h.s.Dir(), Pins: []Pin{{PinTree, h.pinned}}}); err != nil {
		t.Fatal(err)
	}
	h.setUsed(t, h.pinned, nil, h.now.Add(-1000*time.Hour))
	for i := range 4 {
		tree := build(t, h.s, map[string]string{
			"own":    strings.Repeat(fmt.Sprint("layer", i), 1<<20/6),
			"common": strings.Repeat("common", 1<<20/6),
		})
		key := fmt.Append(nil, "layer ", i)
		if err := h.s.PutMemo(t.Context(), key, tree); err != nil {
			t.Fatal(err)
		}
		h.trees, h.memos = append(h.trees, tree), append(h.memos, key)
		h.setUsed(t, tree, key, h.now.Add(-time.Duration(i+1)*time.Hour))
	}
	return h
}

func (h layers) setUsed(t *testing.T, tree Digest, key []byte, when time.Time) {
	t.Helper()
	paths := []string{h.s.path(sealDir, tree.Hash), h.s.path(blobDir, tree.Hash)}
	if key != nil {
		id := DigestOf(key).Hash
		paths = append(paths, h.s.path(resultDir, id), h.s.path(blobDir, id))
	}
	for _, p := range paths {
		if err := os.Chtimes(p, when, when); err != nil {
			t.Fatal(err)
		}
	}
}

// left returns the numbers of the layers that are left, and whether the pinned
// tree is, without using them.
func (h layers) left() string {
	var out []string
	for i, tree := range h.trees {
		_, noTree := os.Lstat(h.s.treePath(tree))
		_, noMemo := os.Lstat(h.s.path(resultDir, DigestOf(h.memos[i]).Hash))
		if (noTree == nil) != (noMemo == nil) {
			out = append(out, fmt.Sprintf("half of %d", i))
		} else if noTree == nil {
			out = append(out, fmt.Sprint(i))
		}
	}
	if _, err := os.Lstat(h.s.treePath(h.pinned)); err == nil {
		out = append(out, "pinned")
	}
	return strings.Join(out, " ")
}

func TestLimit(t *testing.T) {
	const mb = 1 << 20
	for _, tc := range []struct {
		name  string
		limit int64
		want  string
	}{
		{"none", 0, "0 1 2 3 pinned"},
		{"all fit", 7 * mb, "0 1 2 3 pinned"}, // 0.6 MB pinned, 1 MB common, 4 times 1 MB, some small files
		{"the oldest is over", 5 * mb, "0 1 2 pinned"},
		{"two fit", 4 * mb, "0 1 pinned"},
		{"one", 3 * mb, "0 pinned"},
		{"less than what is pinned", 1, "pinned"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newLayers(t)
			h.s.Close()
			policy := Policy{MaxAge: math.MaxInt64, Limit: tc.limit, Now: h.now, DryRun: true}
			dry, err := GC(t.Context(), h.s.Dir(), policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.left(); got != "0 1 2 3 pinned" {
				t.Fatalf("a dry run left %s", got)
			}
			policy.DryRun = false
			r, err := GC(t.Context(), h.s.Dir(), policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.left(); got != tc.want {
				t.Errorf("left %s, want %s", got, tc.want)
			}
			if r.Freed != dry.Freed || r.Trees != dry.Trees || r.Results != dry.Results || r.Blobs != dry.Blobs || !slices.Equal(r.Kept, dry.Kept) {
				t.Errorf("a dry run announced %+v, done was %+v", dry, r)
			}
			if tc.limit > mb && r.Size() > tc.limit {
				t.Errorf("%d bytes are left of %d", r.Size(), tc.limit)
			}
			again, err := GC(t.Context(), h.s.Dir(), policy)
			if err != nil || again.Freed > 0 || again.Trees+again.Blobs+again.Results > 0 {
				t.Errorf("a second run found %+v, %v", again, err)
			}
			// gc itself is not a use.
			if info, err := os.Lstat(h.s.path(sealDir, h.pinned.Hash)); err != nil || !info.ModTime().Before(h.now.Add(-999*time.Hour)) {
				t.Errorf("gc changed the time of last use: %v", err)
			}
		})
	}
}

// Content from the future of a wrong clock counts as used now, and does not
// keep what was used later.
func TestLimitWithAWrongClock(t *testing.T) {
	h := newLayers(t)
	h.setUsed(t, h.trees[3], h.memos[3], h.now.Add(10_000*time.Hour))
	h.s.Close()
	if _, err := GC(t.Context(), h.s.Dir(), Policy{MaxAge: math.MaxInt64, Limit: 4 << 20, Now: h.now}); err != nil {
		t.Fatal(err)
	}
	if got := h.left(); got != "0 3 pinned" {
		t.Errorf("left %s", got)
	}
	s := open(t, h.s.Dir())
	if _, err := s.Memo(t.Context(), DigestOf(h.memos[3])); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(s.path(resultDir, DigestOf(h.memos[3]).Hash)); err != nil || info.ModTime().After(time.Now().Add(time.Minute)) {
		t.Errorf("the use did not correct the time: %v, %v", info.ModTime(), err)
	}
}

func TestTrim(t *testing.T) {
	h := newLayers(t)
	trim := func(now time.Time) Report {
		t.Helper()
		r, err := Trim(t.Context(), h.s.Dir(), 4<<20, now)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := trim(h.now); r.Freed > 0 { // h.s is open
		t.Errorf("removed while the store was in use: %+v", r)
	}
	h.s.Close()
	// The attempt in vain does not count as that of the day.
	if r := trim(h.now); r.Freed == 0 || h.left() != "0 1 pinned" {
		t.Errorf("%+v, left %s", r, h.left())
	}
	h.s = open(t, h.s.Dir())
	more := build(t, h.s, map[string]string{"more": strings.Repeat("more", 1<<20)})
	h.setUsed(t, more, nil, h.now.Add(-time.Minute))
	h.s.Close()
	if r := trim(h.now.Add(23 * time.Hour)); r.Freed > 0 {
		t.Errorf("twice a day: %+v", r)
	}
	if r := trim(h.now.Add(-time.Hour)); r.Freed == 0 { // the clock was set back: the stamp is of the future
		t.Error("a stamp of the future stopped it")
	}
	if got := h.left(); got != "pinned" {
		t.Errorf("left %s", got)
	}
}

// Another process that works in the store is never disturbed, and when it is
// killed, what it leaves is removed.
func TestTrimBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	cmd := childCommand(t, "writer", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(2_000_000_000, 0)
	lines := bufio.NewScanner(out)
	for i := range 20 {
		if !lines.Scan() {
			t.Fatal("the writer ended")
		}
		if r, err := Trim(t.Context(), dir, 1, now.Add(time.Duration(i)*48*time.Hour)); err != nil || r.Freed > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	cmd.Wait()
	r, err := Trim(t.Context(), dir, 1, time.Now().Add(time.Hour))
	if err != nil || r.Freed == 0 {
		t.Errorf("after it was killed: %+v, %v", r, err)
	}
	if left := entries(t, dir+"/"+tempDir); len(left) > 0 {
		t.Errorf("unfinished files are left: %q", left)
	}
}
