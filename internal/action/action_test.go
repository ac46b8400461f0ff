package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// tree makes a tree in the store: "path" is a file, "path*" executable, "path@"
// a symlink, "path/" a directory.
func tree(t testing.TB, st *store.Store, files map[string]string) store.Digest {
	t.Helper()
	b, err := st.NewTree()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	src := b.Source("test")
	for path, content := range files {
		name := strings.TrimRight(path, "*@/")
		switch path[len(path)-1] {
		case '/':
			err = src.Dir(name)
		case '@':
			err = src.Symlink(name, content)
		default:
			_, err = src.File(t.Context(), name, strings.HasSuffix(path, "*"), strings.NewReader(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sample is a step with the corner cases of such encodings: names that sort
// differently as text and as bytes, an empty file and an empty directory,
// dangling links, empty values.
func sample(t testing.TB, st *store.Store) Step {
	return Step{
		Name: "sample",
		Argv: []string{"/usr/bin/cargo", "build", "--release", ""},
		Env:  map[string]string{"PATH": "/usr/bin", "CARGO_HOME": "/cargo", "Z": "", "a": "ä", "B_": "1", "B": "2"},
		Dir:  "/src",
		Inputs: []Input{
			{"src", tree(t, st, map[string]string{"src/main.rs": "fn main() {}", "Cargo.toml": "[package]", "Cargo.toml.orig": "", "build.sh*": "#!/bin/sh"})},
			{"rootfs", tree(t, st, map[string]string{"usr/bin/cargo*": "elf", "bin@": "usr/bin", "lib@": "/usr/lib", "tmp/": "", "é": "1", "e": "2", "Z": "3", "\U0001F980": "4", "\uFB01": "5"})},
			{"vendor", tree(t, st, nil)},
		},
		Outputs:  []string{"firmware", "/target", "dep/info", "a.map", "/src/Cargo.lock"},
		Platform: map[string]string{"ISA": "x86-64", "container": ""},
	}
}

// Computed by BuildGrid 0.4.4 (TestBuildGridAgrees). A change of these values
// changes the identity of every action, and requires a new layout version.
const (
	goldenAction = "sha256:173f9fc4b993bce334cc70dfe29cb0f0bf0c818ea291e742b1c4cbe8bf07c9f5/230"
	goldenRoot   = "sha256:e9f52782d92b1acfbf795eb7b213109b4265fe52a8103629a140a0644126928b/237"
)

func TestDigestIsFixed(t *testing.T) {
	st := open(t)
	step := sample(t, st)
	d, err := Digest(t.Context(), st, step)
	if err != nil {
		t.Fatal(err)
	}
	if d.String() != goldenAction {
		t.Errorf("action %s, want %s", d, goldenAction)
	}
	if st.Has(d) {
		t.Error("Digest wrote to the store")
	}
	put, err := Put(t.Context(), st, step)
	if err != nil || put != d || !st.Has(d) {
		t.Errorf("Put = %s, %v", put, err)
	}
	var a reapi.Action
	if err := read(t.Context(), st, d, &a); err != nil {
		t.Fatal(err)
	}
	if root, _ := store.DigestFromProto(a.InputRootDigest); root.String() != goldenRoot {
		t.Errorf("input root %s, want %s", root, goldenRoot)
	}
	step.Name = "other"
	slices.Reverse(step.Inputs)
	slices.Reverse(step.Outputs)
	if other, err := Digest(t.Context(), st, step); err != nil || other != d {
		t.Errorf("name and order are no part of the identity: %s, %v", other, err)
	}
}

func TestBuildGridAgrees(t *testing.T) {
	devtest.Long(t, "starts Python")
	python := interpreter(t, devtest.Tool(t, "bgd")) // BuildGrid 0.4.4: pip install buildgrid
	st := open(t)
	step := sample(t, st)
	for _, network := range []bool{false, true} {
		step.Network = network
		mine, err := Put(t.Context(), st, step)
		if err != nil {
			t.Fatal(err)
		}
		var a reapi.Action
		if err := read(t.Context(), st, mine, &a); err != nil {
			t.Fatal(err)
		}
		root, _ := store.DigestFromProto(a.InputRootDigest)
		command, _ := store.DigestFromProto(a.CommandDigest)
		dir := filepath.Join(t.TempDir(), "root")
		if err := st.Materialise(t.Context(), root, dir, store.MaterialiseOptions{}); err != nil {
			t.Fatal(err)
		}
		platform := map[string]string{"OSFamily": "linux", "layout": "1", "workingDirectory": "/src"}
		maps.Copy(platform, step.Platform)
		in, err := json.Marshal(map[string]any{"root": dir, "argv": step.Argv, "env": step.Env,
			"outputs": step.Outputs, "platform": platform, "no_cache": network})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), python, "testdata/peer.py")
		cmd.Stdin = bytes.NewReader(in)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		theirs := map[string]string{}
		if err := json.Unmarshal(out, &theirs); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"root": root.String(), "command": command.String(), "action": mine.String()}
		if !maps.Equal(theirs, want) {
			t.Errorf("network %v: BuildGrid %v\nespalier %v", network, theirs, want)
		}
	}
}

// interpreter returns the Python interpreter that has BuildGrid installed, from
// the first line of its script.
func interpreter(t *testing.T, script string) string {
	t.Helper()
	b, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	path, ok := strings.CutPrefix(line, "#!")
	if !ok {
		t.Fatalf("%s starts with %q", script, line)
	}
	return strings.TrimSpace(path)
}

func TestGetIsTheInverseOfPut(t *testing.T) {
	st := open(t)
	for _, network := range []bool{false, true} {
		step := sample(t, st)
		step.Network = network
		d, err := Put(t.Context(), st, step)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Get(t.Context(), st, d)
		if err != nil {
			t.Fatal(err)
		}
		step.Name = ""
		slices.SortFunc(step.Inputs, func(a, b Input) int { return strings.Compare(a.Path, b.Path) })
		slices.SortFunc(step.Outputs, func(a, b string) int { return strings.Compare(outputPath(a), outputPath(b)) })
		step.Platform["OSFamily"] = "linux"
		if !reflect.DeepEqual(got, step) {
			t.Errorf("Get = %+v\nwant  %+v", got, step)
		}
	}
	if _, err := Get(t.Context(), st, store.DigestOf([]byte("no such action"))); !errors.Is(err, store.ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	for name, change := range map[string]func(*repb.Action){ // the generated message type has the field salt
		"salt":     func(a *repb.Action) { a.Salt = []byte("x") },
		"layout":   func(a *repb.Action) { a.Platform.Properties[3].Value = "99" },
		"no root":  func(a *repb.Action) { a.InputRootDigest = nil },
		"unsorted": func(a *repb.Action) { slices.Reverse(a.Platform.Properties) },
	} {
		d, _ := Put(t.Context(), st, sample(t, st))
		b, err := st.ReadBlob(t.Context(), d, maxMessage)
		if err != nil {
			t.Fatal(err)
		}
		var a repb.Action
		if err := proto.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
		change(&a)
		if b, err = proto.Marshal(&a); err != nil {
			t.Fatal(err)
		}
		if d, err = st.PutBytes(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if _, err := Get(t.Context(), st, d); err == nil {
			t.Errorf("%s: a foreign action passes for a step", name)
		}
	}
}

func TestBadSteps(t *testing.T) {
	st := open(t)
	for name, change := range map[string]func(*Step){
		"no program":         func(s *Step) { s.Argv = nil },
		"relative program":   func(s *Step) { s.Argv[0] = "cargo" },
		"relative directory": func(s *Step) { s.Dir = "src" },
		"unclean directory":  func(s *Step) { s.Dir = "/src/" },
		"bad variable":       func(s *Step) { s.Env["A=B"] = "" },
		"empty variable":     func(s *Step) { s.Env[""] = "" },
		"deep input":         func(s *Step) { s.Inputs[0].Path = "a/b" },
		"input at out":       func(s *Step) { s.Inputs[0].Path = "out" },
		"input twice":        func(s *Step) { s.Inputs[0].Path = "rootfs" },
		"input ..":           func(s *Step) { s.Inputs[0].Path = ".." },
		"input without tree": func(s *Step) { s.Inputs[0].Tree = store.Digest{} },
		"output at root":     func(s *Step) { s.Outputs[0] = "/" },
		"two spellings":      func(s *Step) { s.Outputs[0] = "/out/x" },
		"unclean output":     func(s *Step) { s.Outputs[0] = "/target//x" },
		"bad secret":         func(s *Step) { s.Secrets = map[string]string{"A=": "x"} },
		"secret and not":     func(s *Step) { s.Secrets = map[string]string{"PATH": "x"} },
		"escaping output":    func(s *Step) { s.Outputs[0] = "../x" },
		"output is out":      func(s *Step) { s.Outputs[0] = "." },
		"output twice":       func(s *Step) { s.Outputs[0] = s.Outputs[1] },
		"layout":             func(s *Step) { s.Platform["layout"] = "2" },
		"not UTF-8":          func(s *Step) { s.Env["A"] = "\xff" },
	} {
		step := sample(t, st)
		change(&step)
		if d, err := Digest(t.Context(), st, step); err == nil {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestEveryFieldIsIdentity(t *testing.T) {
	st := open(t)
	seen := map[string]string{}
	for name, change := range map[string]func(*Step){
		"none":        func(s *Step) {},
		"argument":    func(s *Step) { s.Argv[1] = "check" },
		"argument +1": func(s *Step) { s.Argv = append(s.Argv, "") },
		"env value":   func(s *Step) { s.Env["Z"] = " " },
		"env gone":    func(s *Step) { delete(s.Env, "Z") },
		"directory":   func(s *Step) { s.Dir = "/" },
		"input":       func(s *Step) { s.Inputs[0].Tree = s.Inputs[1].Tree },
		"input path":  func(s *Step) { s.Inputs[2].Path = "git" },
		"input gone":  func(s *Step) { s.Inputs = s.Inputs[:2] },
		"output":      func(s *Step) { s.Outputs[0] = "firmware2" },
		"platform":    func(s *Step) { s.Platform["ISA"] = "arm-a64" },
		"network":     func(s *Step) { s.Network = true },
	} {
		step := sample(t, st)
		change(&step)
		d, err := Digest(t.Context(), st, step)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other, dup := seen[d.Hash]; dup {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d.Hash] = name
	}
}

func TestResults(t *testing.T) {
	st := open(t)
	step := sample(t, st)
	d, err := Put(t.Context(), st, step)
	if err != nil {
		t.Fatal(err)
	}
	file, _ := st.PutBytes(t.Context(), []byte("ELF"))
	logs, _ := st.PutBytes(t.Context(), []byte("   Compiling hello"))
	want := Result{Digest: d, Outputs: map[string]store.Digest{"firmware": file, "dep/info": file},
		Trees:  map[string]store.Digest{"target": tree(t, st, map[string]string{"a/b": "1", "c/b": "1", "d/a/b": "1"})},
		Stderr: logs, Hermetic: true}
	if _, err := Load(t.Context(), st, d, false); !errors.Is(err, store.ErrMissing) {
		t.Fatalf("before: %v", err)
	}
	if err := Save(t.Context(), st, want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(t.Context(), st, d, true)
	want.Cached = true
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load = %+v, %v\nwant   %+v", got, err, want)
	}

	t.Run("failed", func(t *testing.T) {
		r := want
		r.ExitCode = 101
		if err := Save(t.Context(), st, r); err == nil {
			t.Error("a failure was kept")
		}
	})
	t.Run("incomplete", func(t *testing.T) {
		r := want
		r.Outputs = map[string]store.Digest{"firmware": store.DigestOf([]byte("never stored"))}
		if err := Save(t.Context(), st, r); !errors.Is(err, store.ErrMissing) {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("secret", func(t *testing.T) {
		step := step
		step.Secrets = map[string]string{"TOKEN": "one"}
		d, err := Put(t.Context(), st, step)
		if err != nil {
			t.Fatal(err)
		}
		step.Secrets = map[string]string{"TOKEN": "two"}
		if other, err := Digest(t.Context(), st, step); err != nil || other != d {
			t.Errorf("the value of a secret is in the identity: %v", err)
		}
		r := want
		r.Digest = d
		if err := Save(t.Context(), st, r); err == nil {
			t.Error("a result that may hold a secret was kept")
		}
	})
	t.Run("network", func(t *testing.T) {
		step := step
		step.Network = true
		r := want
		var err error
		if r.Digest, err = Put(t.Context(), st, step); err != nil {
			t.Fatal(err)
		}
		if err := Save(t.Context(), st, r); err == nil {
			t.Error("a result of the network was kept")
		}
	})
	t.Run("not hermetic", func(t *testing.T) {
		st := open(t)
		file, _ := st.PutBytes(t.Context(), []byte("ELF"))
		r := Result{Digest: d, Outputs: map[string]store.Digest{"firmware": file}, Trees: map[string]store.Digest{}}
		if err := Save(t.Context(), st, r); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(t.Context(), st, d, true); !errors.Is(err, store.ErrMissing) {
			t.Errorf("someone who wants a hermetic result got %v", err)
		}
		if got, err := Load(t.Context(), st, d, false); err != nil || got.Hermetic || !got.Cached {
			t.Errorf("Load = %+v, %v", got, err)
		}
		r.Hermetic = true
		if err := Save(t.Context(), st, r); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(t.Context(), st, d, false); err != nil || !got.Hermetic {
			t.Errorf("the hermetic result is preferred: %+v, %v", got, err)
		}
	})
	t.Run("from another client", func(t *testing.T) { // only Tree messages, as most servers send
		p, err := ToProto(t.Context(), st, want)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range p.OutputDirectories {
			dir.RootDirectoryDigest = nil
		}
		got, err := FromProto(t.Context(), st, p)
		if err != nil || !maps.Equal(got.Trees, want.Trees) {
			t.Errorf("FromProto = %+v, %v", got, err)
		}
		p.OutputFiles[0].Path = "out/../../etc/passwd"
		if _, err := FromProto(t.Context(), st, p); err == nil {
			t.Error("a path out of /out passes")
		}
	})
}

func TestExplain(t *testing.T) {
	st := open(t)
	old := sample(t, st)
	step := sample(t, st)
	if c, err := Explain(t.Context(), st, old, step); err != nil || len(c) > 0 {
		t.Errorf("equal steps: %v, %v", c, err)
	}
	step.Argv[1] = "check"
	step.Argv = append(step.Argv, "-v")
	step.Env = map[string]string{"PATH": "/usr/bin", "CARGO_HOME": "/cargo", "a": "ä", "B_": "1", "B": "3", "NEW": ""}
	step.Dir = "/"
	step.Outputs = []string{"firmware", "dep/info"}
	step.Platform = map[string]string{"ISA": "arm-a64"}
	step.Network = true
	step.Inputs[0].Tree = tree(t, st, map[string]string{"src/main.rs": "fn main() { loop {} }", "src/lib.rs": "", "Cargo.toml": "[package]", "build.sh": "#!/bin/sh"})
	step.Inputs[2] = Input{"git", step.Inputs[2].Tree}
	empty := store.DigestOf(nil).String()
	want := []Change{
		{"argument 1", `"build"`, `"check"`},
		{"argument 4", "", `"-v"`},
		{"environment B", `"2"`, `"3"`},
		{"environment NEW", "", `""`},
		{"environment Z", `""`, ""},
		{"working directory", "/src", "/"},
		{"output /src/Cargo.lock", "/src/Cargo.lock", ""},
		{"output /target", "/target", ""},
		{"output a.map", "a.map", ""},
		{"platform ISA", `"x86-64"`, `"arm-a64"`},
		{"platform container", `""`, ""},
		{"network or secrets", "false", "true"},
		{"input git", "", empty},
		{"src/Cargo.toml.orig", empty, ""},
		{"src/build.sh", "executable " + store.DigestOf([]byte("#!/bin/sh")).String(), store.DigestOf([]byte("#!/bin/sh")).String()},
		{"src/src/lib.rs", "", empty},
		{"src/src/main.rs", store.DigestOf([]byte("fn main() {}")).String(), store.DigestOf([]byte("fn main() { loop {} }")).String()},
		{"input vendor", empty, ""},
	}
	got, err := Explain(t.Context(), st, old, step)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("err %v", err)
		for i := range max(len(got), len(want)) {
			t.Logf("got  %v\nwant %v", append(got, make([]Change, 20)...)[i], append(want, make([]Change, 20)...)[i])
		}
	}
}

func TestExplainLimits(t *testing.T) {
	st := open(t)
	many := map[string]string{}
	for _, a := range "abcdefghij" {
		for _, b := range "0123456789" {
			many[string(a)+string(b)] = ""
		}
	}
	old := Step{Inputs: []Input{{"src", tree(t, st, nil)}}}
	step := Step{Inputs: []Input{{"src", tree(t, st, many)}}}
	got, err := Explain(t.Context(), st, old, step)
	if err != nil || len(got) != maxFiles+1 || got[maxFiles].What != "input src: 80 more paths" {
		t.Errorf("%d changes, %v", len(got), err)
	}
	step.Inputs[0].Tree = store.DigestOf([]byte("gone"))
	got, err = Explain(t.Context(), st, old, step)
	if err != nil || len(got) != 1 || got[0].What != "input src" {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzFromProto(f *testing.F) {
	d := store.DigestOf([]byte("x")).ToProto()
	for _, p := range []*reapi.ActionResult{
		{},
		{OutputFiles: []*reapi.OutputFile{{Path: "out/x", Digest: d}}, StderrDigest: d},
		{OutputDirectories: []*reapi.OutputDirectory{{Path: "out/d", RootDirectoryDigest: d}, {Path: "out/e", TreeDigest: d}}},
		{OutputFiles: []*reapi.OutputFile{{Path: "out/../x", Digest: d}}},
	} {
		b, err := reapi.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	st := open(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var p reapi.ActionResult
		if reapi.Unmarshal(b, &p) != nil {
			return
		}
		r, err := FromProto(t.Context(), st, &p)
		if err != nil {
			return
		}
		for name := range r.Outputs {
			if rel := strings.TrimPrefix(name, "/"); !filepath.IsLocal(rel) {
				t.Errorf("output %q leaves its place", name)
			}
		}
	})
}
