package crates

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	cargolock "espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// tree makes a tree of files in a store.
func tree(t *testing.T, st *store.Store, files map[string]string) store.Digest {
	t.Helper()
	b, err := st.NewTree()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	src := b.Source("test")
	for name, text := range files {
		if _, err := src.File(t.Context(), name, false, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// runCargo returns a Fetcher with a cargo that leaves files in its cache, prints
// log and exits with code. Steps are appended to *ran.
func runCargo(t *testing.T, files map[string]string, log string, code int, ran *[]action.Step) *Fetcher {
	st := openStore(t)
	return &Fetcher{
		Store: st, Report: progress.Discard, Rootfs: store.DigestOf([]byte("rootfs")),
		Run: func(_ context.Context, step action.Step, opts action.RunOptions) (action.Result, error) {
			if ran != nil {
				*ran = append(*ran, step)
			}
			io.WriteString(opts.Stderr, log)
			r := action.Result{ExitCode: code, Trees: map[string]store.Digest{}, Outputs: map[string]store.Digest{}}
			if code != 0 && !opts.OnFailure {
				return r, nil
			}
			for _, o := range step.Outputs {
				if strings.HasSuffix(o, ".lock") {
					r.Outputs[o], _ = st.PutBytes(context.Background(), []byte(files[o]))
				} else if files != nil {
					r.Trees[o] = tree(t, st, files)
				}
			}
			return r, nil
		},
	}
}

func crate(name, version, content string) lock.Crate {
	return lock.Crate{Name: name, Version: version, Digest: store.DigestOf([]byte(content))}
}

func TestFetchVerifiesChecksums(t *testing.T) {
	wanted := []lock.Crate{crate("a", "1.0.0", "A"), crate("b", "0.1.0+meta", "B")}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // substrings of the error; nil for success
		has   []bool
	}{
		"good":              {map[string]string{"r/a-1.0.0.crate": "A", "r/b-0.1.0+meta.crate": "B", "r/c-9.9.9.crate": "C"}, nil, []bool{true, true}},
		"second registry":   {map[string]string{"r/a-1.0.0.crate": "other", "s/a-1.0.0.crate": "A", "r/b-0.1.0+meta.crate": "B"}, nil, []bool{true, true}},
		"changed":           {map[string]string{"r/a-1.0.0.crate": "A", "r/b-0.1.0+meta.crate": "tampered"}, []string{"crate b 0.1.0+meta: checksum mismatch", wanted[1].Digest.Hash, store.DigestOf([]byte("tampered")).Hash}, []bool{true, false}},
		"not sent":          {map[string]string{"r/a-1.0.0.crate": "A"}, []string{"crate b 0.1.0+meta: the registry did not send it"}, []bool{true, false}},
		"right, wrong name": {map[string]string{"r/a-1.0.0.crate": "A", "r/b-0.2.0.crate": "B"}, []string{"did not send it"}, []bool{true, false}},
		"nothing":           {nil, []string{"cargo fetch downloaded nothing"}, []bool{false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			f := runCargo(t, c.files, "", 0, nil)
			err := f.Project(t.Context(), Job{Dir: "/src", Want: wanted})
			if (err == nil) != (c.want == nil) || err != nil && fault.KindOf(err) != fault.Pins {
				t.Errorf("error %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			for i, w := range wanted {
				if f.Store.Has(w.Digest) != c.has[i] {
					t.Errorf("%s in the store: %v", w.Name, !c.has[i])
				}
			}
			if f.Store.Has(store.DigestOf([]byte("C"))) {
				t.Error("a crate that no lock names is a blob")
			}
		})
	}
}

// Downloads that were finished before a failure are kept, and nothing else.
func TestFetchKeepsFinishedDownloads(t *testing.T) {
	f := runCargo(t, map[string]string{"r/a-1.0.0.crate": "A", "r/b-1.0.0.crate": "half", "r/c-1.0.0.crate": "C"}, "error: failed to download `b v1.0.0`\n", 101, nil)
	a, b := crate("a", "1.0.0", "A"), crate("b", "1.0.0", "B")
	err := f.Project(t.Context(), Job{Dir: "/src", Want: []lock.Crate{a, b}})
	if err == nil || err.Error() != "cargo fetch: failed to download `b v1.0.0`" {
		t.Errorf("error %v", err)
	}
	if missing := f.Missing([]lock.Crate{a, b}); len(missing) != 1 || missing[0].Name != "b" || f.Store.Has(store.DigestOf([]byte("C"))) {
		t.Errorf("missing %v", missing)
	}
}

// The cargo that brings a single crate always fails; its archive decides.
func TestOne(t *testing.T) {
	want := crate("espflash", "4.7.0", "A")
	const tooNew = "error: failed to parse manifest at `espflash-4.7.0/Cargo.toml`\n"
	for name, c := range map[string]struct {
		files map[string]string
		log   string
		want  string
	}{
		"there":   {map[string]string{"r/espflash-4.7.0.crate": "A"}, tooNew, ""},
		"changed": {map[string]string{"r/espflash-4.7.0.crate": "B"}, tooNew, "crate espflash 4.7.0: checksum mismatch: "},
		"empty":   {map[string]string{}, "error: failed to download from `https://r.invalid/x`\n", "cargo install: failed to download from `https://r.invalid/x`"},
		"nothing": {nil, "error: could not find `espflash` in registry `crates-io` with version `=4.7.0`\n", "cargo install: could not find `espflash`"},
	} {
		t.Run(name, func(t *testing.T) {
			err := runCargo(t, c.files, c.log, 101, nil).One(t.Context(), want)
			if (err == nil) != (c.want == "") || err != nil && (fault.KindOf(err) != fault.Pins || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestFetchAsksForNothingTwice(t *testing.T) {
	var ran []action.Step
	f := runCargo(t, map[string]string{"r/a-1.0.0.crate": "A", "r/b-1.0.0.crate": "B", "r/c-1.0.0.crate": "changed"}, "", 0, &ran)
	want := []lock.Crate{crate("a", "1.0.0", "A")}
	for range 2 {
		if err := f.Project(t.Context(), Job{Dir: "/src", Want: want, All: []lock.Crate{crate("b", "1.0.0", "B"), crate("c", "1.0.0", "C")}}); err != nil {
			t.Fatal(err)
		}
		if err := f.Std(t.Context(), []lock.Crate{crate("b", "1.0.0", "B")}); err != nil { // downloaded although not requested
			t.Fatal(err)
		}
		if err := f.Std(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if err := f.One(t.Context(), want[0]); err != nil {
			t.Fatal(err)
		}
	}
	if len(ran) != 1 {
		t.Errorf("cargo ran %d times", len(ran))
	}
}

// For one more crate, cargo finds the others in its cache and does not download
// them again.
func TestFetchSeedsCache(t *testing.T) {
	var ran []action.Step
	f := runCargo(t, map[string]string{"own-0123/a-1.0.0.crate": "A", "own-0123/b-1.0.0.crate": "B"}, "", 0, &ran)
	a, b := crate("a", "1.0.0", "A"), crate("b", "1.0.0", "B")
	if err := f.Project(t.Context(), Job{Dir: "/src", Want: []lock.Crate{a}}); err != nil {
		t.Fatal(err)
	}
	other := crate("x", "1.0.0", "X")
	other.Source = "registry+https://own.invalid/index"
	if _, err := f.Store.PutBytes(t.Context(), []byte("X")); err != nil {
		t.Fatal(err)
	}
	if err := f.Project(t.Context(), Job{Dir: "/src", Want: []lock.Crate{b, other}, All: []lock.Crate{a}}); err != nil {
		t.Fatal(err)
	}
	home := contents(t, f.Store, ran[1].Inputs[slices.IndexFunc(ran[1].Inputs, func(i action.Input) bool { return i.Path == "cargo" })].Tree)
	if len(home) != 1 || home["registry/cache/own-0123/a-1.0.0.crate"] != "A" {
		t.Errorf("CARGO_HOME %q", home)
	}
}

// archivesInTrees counts the .crate files of unpacked trees.
func archivesInTrees(t *testing.T, st *store.Store) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(st.Dir(), "trees"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".crate") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The trees of fetch steps do not stay in the store, also of one that failed: their
// archives are blobs.
func TestFetchLeavesNoCopies(t *testing.T) {
	for name, exit := range map[string]int{"success": 0, "failure": 101} {
		t.Run(name, func(t *testing.T) {
			f := runCargo(t, map[string]string{"own-0123/a-1.0.0.crate": "A", "own-0123/b-1.0.0.crate": "B"}, "error: failed to download `c v1.0.0`\n", exit, nil)
			a, b, c := crate("a", "1.0.0", "A"), crate("b", "1.0.0", "B"), crate("c", "1.0.0", "C")
			for _, want := range []lock.Crate{a, b} {
				if exit != 0 {
					want = c // a and b are kept for the next try
				}
				if err := f.Project(t.Context(), Job{Dir: "/src", Want: []lock.Crate{want}, All: []lock.Crate{a}}); (err == nil) != (exit == 0) {
					t.Fatal(err)
				}
			}
			if n := archivesInTrees(t, f.Store); n != 3 { // a and b of cargo's cache, and a given to the second step
				t.Fatalf("%d archives are in trees while the store is open", n)
			}
			f.Store.Close()
			if n := archivesInTrees(t, f.Store); n != 0 {
				t.Errorf("%d archives are left in trees", n)
			}
			st, err := store.Open(t.Context(), f.Store.Dir())
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			if !st.Has(a.Digest) || st.Has(b.Digest) != (exit == 0) {
				t.Error("the blobs are not those that were wanted")
			}
		})
	}
}

func TestFetchStep(t *testing.T) {
	var ran []action.Step
	f := runCargo(t, map[string]string{"r/a-1.0.0.crate": "A"}, "", 0, &ran)
	f.Host = HostCargo{Config: "[net]\n", CA: []byte("PEM"), Env: map[string]string{"CARGO_REGISTRIES_X_TOKEN": "hunter2"}}
	src := tree(t, f.Store, map[string]string{"Cargo.toml": ""})
	job := Job{Dir: "/src/member", Want: []lock.Crate{crate("a", "1.0.0", "A")}, ConfigText: "[source]\n", Inputs: []action.Input{{Path: "src", Tree: src}}}
	if err := f.Project(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	s := ran[0]
	if !s.Network || s.Dir != "/src/member" || !slices.Equal(s.Argv, []string{"/usr/bin/cargo", "fetch", "--locked", "--config", "/cargo/espalier.toml"}) {
		t.Errorf("step %+v", s)
	}
	if s.Env["CARGO_REGISTRIES_X_TOKEN"] != "hunter2" || s.Env["CARGO_HTTP_CAINFO"] != "/cargo/ca-bundle.crt" || s.Env["CARGO_NET_OFFLINE"] != "false" {
		t.Errorf("environment %v", s.Env)
	}
	home := contents(t, f.Store, s.Inputs[slices.IndexFunc(s.Inputs, func(i action.Input) bool { return i.Path == "cargo" })].Tree)
	if home["config.toml"] != "[net]\n" || home["espalier.toml"] != "[source]\n" || home["ca-bundle.crt"] != "PEM" {
		t.Errorf("CARGO_HOME %q", home)
	}
}

// Crates of several versions, of which one is yanked, are asked for by a
// package that requires exactly them and has them in its lock.
func TestList(t *testing.T) {
	var ran []action.Step
	f := runCargo(t, map[string]string{"r/a-1.0.0.crate": "A", "r/a-2.0.0.crate": "B", "r/extra-1.0.0.crate": "C"}, "", 0, &ran)
	want := []lock.Crate{crate("a", "1.0.0", "A"), crate("a", "2.0.0", "B")}
	for range 2 {
		if err := f.List(t.Context(), want, "registry+https://r.invalid/index"); err != nil {
			t.Fatal(err)
		}
	}
	if len(ran) != 1 || slices.Contains(ran[0].Argv, "--locked") {
		t.Fatalf("steps %+v", ran)
	}
	if f.Store.Has(store.DigestOf([]byte("C"))) {
		t.Error("a crate that was not asked for is a blob")
	}
	src := contents(t, f.Store, ran[0].Inputs[slices.IndexFunc(ran[0].Inputs, func(i action.Input) bool { return i.Path == "src" })].Tree)
	for _, line := range []string{`c0 = { package = "a", version = "=1.0.0", default-features = false }`, `c1 = { package = "a", version = "=2.0.0", default-features = false }`} {
		if !strings.Contains(src["Cargo.toml"], line+"\n") {
			t.Errorf("Cargo.toml lacks %q:\n%s", line, src["Cargo.toml"])
		}
	}
	l, err := cargolock.ParseLock("Cargo.lock", []byte(src["Cargo.lock"]))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Packages) != 3 || l.Packages[2].Checksum != want[1].Digest.Hash || l.Packages[2].Source != "registry+https://r.invalid/index" ||
		!slices.Equal(l.Packages[0].Dependencies, []string{"a 1.0.0", "a 2.0.0"}) {
		t.Errorf("Cargo.lock %+v", l.Packages)
	}
}

// An error that is specific to prefetching is not final.
func TestPrefetch(t *testing.T) {
	want := []lock.Crate{crate("a", "1.0.0", "A")}
	var ran []action.Step
	f := runCargo(t, map[string]string{"r/a-1.0.0.crate": "A"}, "", 0, &ran)
	if err := f.Prefetch(t.Context(), Job{Dir: "/src", Want: want}); err != nil || len(f.Missing(want)) > 0 {
		t.Fatal(err)
	}
	if got := strings.Join(ran[0].Argv, " "); !strings.HasPrefix(got, "/usr/bin/cargo vendor --locked ") || !ran[0].Network {
		t.Errorf("%s", got)
	}
	for log, retry := range map[string]bool{
		"error: failed to download from `https://r.invalid/a`\n":                             false,
		"error: checksum for `a v1.0.0` changed between lock files\n":                        false,
		"error: the lock file /src/Cargo.lock needs to be updated but --locked was passed\n": false,
		"error: found duplicate version of package `a v1.0.0` vendored from two sources\n":   true,
	} {
		err := runCargo(t, nil, log, 101, nil).Prefetch(t.Context(), Job{Dir: "/src", Want: want})
		if err == nil || errors.Is(err, ErrRetryWithCompiler) != retry {
			t.Errorf("%s: %v", log, err)
		}
	}
	if err := runCargo(t, map[string]string{"r/a-1.0.0.crate": "B"}, "", 0, nil).Prefetch(t.Context(), Job{Dir: "/src", Want: want}); err == nil || errors.Is(err, ErrRetryWithCompiler) {
		t.Errorf("other bytes: %v", err)
	}
}

// The fault's cause is cargo's own message; the hints are espalier's.
func TestCargoErrors(t *testing.T) {
	for name, c := range map[string]struct{ log, want, hint string }{
		"no network": {`    Updating index
warning: spurious network error (3 tries remaining): [6] Could not resolve hostname
error: failed to download from ` + "`https://registry.invalid/x`" + `

Caused by:
  [6] Could not resolve hostname (Could not resolve host: registry.invalid)
`, "cargo fetch: failed to download from `https://registry.invalid/x`: [6] Could not resolve hostname (Could not resolve host: registry.invalid)", "espalier doctor"},
		"lock out of date": {"error: cannot update the lock file /src/Cargo.lock because --locked was passed to prevent this\nIf you want to try\n",
			"Cargo.lock does not match the manifests", "espalier lock"},
		"no such version": {"error: failed to select a version for the requirement `embassy-executor = \"=0.4.0\"`\n  version 0.4.0 is yanked\n",
			"Cargo.lock does not match the manifests", "espalier lock"},
		"checksum": {"error: checksum for `cfg-if v1.0.0` changed between lock files\n\nthis could be indicative of a few possible errors:\n",
			"cargo fetch: checksum for `cfg-if v1.0.0` changed between lock files", "Cargo.lock"},
		"the last error": {"error: one\nerror: two\n", "cargo fetch: two", ""},
		"no error":       {"it broke\n", "cargo fetch: it broke", ""},
		"silence":        {"", "cargo fetch: exit status 101", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := runCargo(t, nil, c.log, 101, nil).Project(t.Context(), Job{Dir: "/src", Want: []lock.Crate{crate("a", "1", "A")}})
			if fault.KindOf(err) != fault.Pins || err.Error() != c.want || !strings.Contains(strings.Join(fault.Hints(err), "\n"), c.hint) {
				t.Errorf("%v (kind %d, hints %q)\nwant %s", err, fault.KindOf(err), fault.Hints(err), c.want)
			}
		})
	}
}

func TestOffline(t *testing.T) {
	f := runCargo(t, nil, "", 0, nil)
	f.Offline = true
	f.Run = nil // panics if it is called
	list := []lock.Crate{crate("a", "1.0.0", "A"), crate("b", "1.0.0", "B"), crate("c", "1.0.0", "C"), crate("d", "1.0.0", "D"), crate("e", "1.0.0", "E")}
	err := f.Project(t.Context(), Job{Want: list})
	if fault.KindOf(err) != fault.Pins || err.Error() != "offline, and not in the store: a 1.0.0, b 1.0.0, c 1.0.0, and 2 more" {
		t.Errorf("Project: %v", err)
	}
	for what, err := range map[string]error{
		"Std": f.Std(t.Context(), list[:1]), "One": f.One(t.Context(), list[0]),
		"Resolve": second(f.Resolve(t.Context(), Job{})),
	} {
		if fault.KindOf(err) != fault.Pins || len(fault.Hints(err)) == 0 {
			t.Errorf("%s: %v, hints %q", what, err, fault.Hints(err))
		}
	}
}

func second(_ []byte, err error) error { return err }

func TestResolve(t *testing.T) {
	f := runCargo(t, map[string]string{"/src/Cargo.lock": "version = 4\n"}, "", 0, nil)
	if b, err := f.Resolve(t.Context(), Job{Lock: "/src/Cargo.lock", Dir: "/src/member"}); err != nil || string(b) != "version = 4\n" {
		t.Errorf("Resolve = %q, %v", b, err)
	}
}

func TestBoardFiles(t *testing.T) {
	st := openStore(t)
	b := archive(t, file("espflash-9.9.9/resources/boot.bin", "boot"), file("espflash-9.9.9/resources/rom.elf", "rom"))
	carrier := put(t, st, "espflash", "9.9.9", b)
	blob := func(name, path, content string) lock.Blob {
		return lock.Blob{Name: name, Digest: store.DigestOf([]byte(content)), From: "espflash 9.9.9: " + path, Crate: carrier.Digest}
	}
	f := &Fetcher{Store: st, Report: progress.Discard}
	if err := f.Blobs(t.Context(), []lock.Blob{blob("boot", "resources/boot.bin", "boot"), blob("rom", "resources/rom.elf", "rom")}); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"boot", "rom"} {
		if !st.Has(store.DigestOf([]byte(content))) {
			t.Errorf("%s is not in the store", content)
		}
	}
	for name, c := range map[string]struct {
		blob lock.Blob
		want string
	}{
		"other content":   {blob("x", "resources/boot.bin", "changed"), "mismatch"},
		"not in there":    {blob("x", "resources/none.bin", "x"), "not in the archive"},
		"no place":        {lock.Blob{Digest: store.DigestOf([]byte("y")), From: "espflash"}, "blob location"},
		"no version":      {lock.Blob{Digest: store.DigestOf([]byte("y")), From: "espflash : x"}, "blob location"},
		"no colon":        {lock.Blob{Digest: store.DigestOf([]byte("y")), From: "espflash 4.7.0 x"}, "blob location"},
		"space in a path": {blob("x", "resources/boot bin", "z"), "not in the archive"},
	} {
		err := f.Blobs(t.Context(), []lock.Blob{c.blob})
		if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestStepThatDoesNotRun(t *testing.T) {
	f := runCargo(t, nil, "", 0, nil)
	broken := errors.New("no namespaces")
	f.Run = func(context.Context, action.Step, action.RunOptions) (action.Result, error) {
		return action.Result{}, broken
	}
	if err := f.One(t.Context(), crate("a", "1.0.0", "A")); !errors.Is(err, broken) {
		t.Errorf("One: %v", err)
	}
}
