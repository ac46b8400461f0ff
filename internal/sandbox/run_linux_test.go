package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
)

// withStore returns a store and a step whose inputs are trees in it.
func withStore(t *testing.T, inputs map[string]string, argv ...string) (*store.Store, action.Step) {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "store"))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	step := action.Step{Name: "test", Dir: "/", Argv: append([]string{"/inside"}, argv...), Env: map[string]string{"A": "1"}}
	for name, dir := range inputs {
		d, err := st.ImportDir(t.Context(), dir, store.ImportOptions{})
		must(t, err)
		step.Inputs = append(step.Inputs, action.Input{Path: name, Tree: d})
	}
	slices.SortFunc(step.Inputs, func(a, b action.Input) int { return strings.Compare(a.Path, b.Path) })
	return st, step
}

func TestRunWithStore(t *testing.T) {
	st, step := withStore(t, map[string]string{"rootfs": rootfs(t), "src": folder(t, map[string]string{"src/main.rs": "fn main() {}"})}, "outputs")
	step.Outputs = []string{"file", "dir"}
	r, err := Local{}.Run(t.Context(), st, step, action.RunOptions{})
	must(t, err)
	want, err := action.Digest(t.Context(), st, step)
	must(t, err)
	if r.Digest != want || !r.Hermetic || r.Cached || r.ExitCode != 0 {
		t.Errorf("result %+v, want digest %v", r, want)
	}
	if got := r.Outputs["file"]; got != store.DigestOf([]byte("file")) {
		t.Errorf("file output %v", got)
	}
	var tree []string
	must(t, st.Walk(t.Context(), r.Trees["dir"], func(e store.Entry) error {
		tree = append(tree, fmt.Sprintf("%s exec=%v -> %q", e.Path, e.Executable, e.Target))
		return nil
	}))
	wantTree := []string{` exec=false -> ""`, `link exec=false -> "run"`, `run exec=true -> ""`, `sub exec=false -> ""`, `sub/secret exec=false -> ""`}
	if !slices.Equal(tree, wantTree) {
		t.Errorf("folder output\n%s\nwant\n%s", strings.Join(tree, "\n"), strings.Join(wantTree, "\n"))
	}
	if left, _ := os.ReadDir(filepath.Join(st.Dir(), "sandbox")); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestOutputsThatAreRefused(t *testing.T) {
	root := rootfs(t)
	for name, want := range map[string]string{
		"missing": "without making its output missing", "sneaky": "is a symbolic link",
		"rootlink/etc/passwd": "rootlink is a symbolic link", "dir/none": "without making its output dir/none",
	} {
		st, step := withStore(t, map[string]string{"rootfs": root}, "outputs")
		step.Outputs = []string{name}
		_, err := Local{}.Run(t.Context(), st, step, action.RunOptions{})
		if fault.KindOf(err) != fault.Build || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	st, step := withStore(t, map[string]string{"rootfs": root}, "exit", "7")
	step.Outputs = []string{"missing"}
	if r, err := (Local{}).Run(t.Context(), st, step, action.RunOptions{}); err != nil || r.ExitCode != 7 {
		t.Errorf("a command that failed: exit code %d, error %v; its outputs do not matter", r.ExitCode, err)
	}
}

func TestOutputsOfFailure(t *testing.T) {
	root := rootfs(t)
	for _, wanted := range []bool{false, true} {
		st, step := withStore(t, map[string]string{"rootfs": root}, "outputs", "7")
		step.Outputs = []string{"missing", "file", "dir"}
		r, err := Local{}.Run(t.Context(), st, step, action.RunOptions{OnFailure: wanted})
		if err != nil || r.ExitCode != 7 {
			t.Fatalf("exit code %d, error %v", r.ExitCode, err)
		}
		if _, file := r.Outputs["file"]; file != wanted || len(r.Outputs)+len(r.Trees) > 2 || (len(r.Trees) == 1) != wanted {
			t.Errorf("asked for: %v; got %v, %v", wanted, r.Outputs, r.Trees)
		}
	}
	st, step := withStore(t, map[string]string{"rootfs": root}, "outputs", "7")
	step.Outputs = []string{"sneaky"}
	if _, err := (Local{}).Run(t.Context(), st, step, action.RunOptions{OnFailure: true}); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Errorf("a link: %v", err)
	}
}

// Outputs in other writable directories are the files that the step wrote
// there, however they were mounted.
func TestOutputsInOtherPlaces(t *testing.T) {
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			st, step := withStore(t, map[string]string{"rootfs": rootfs(t), "target": folder(t, map[string]string{"old": "old", "same/x": "x", "folder/a": "a"})}, "rewrite")
			step.Outputs = []string{"/target"}
			s, err := newScratch(t.TempDir())
			must(t, err)
			defer s.remove()
			j := &job{step: step, scratch: s}
			_, err = j.resolve(t.Context(), st, false)
			must(t, err)
			if way != nil {
				way(j)
			}
			logs, err := j.openStreams(action.RunOptions{}, confirm(nil, nil, nil))
			must(t, err)
			code, _, err := j.run(t.Context())
			j.closeStdio()
			must(t, logs.close())
			if err != nil || code != 0 {
				t.Fatalf("exit code %d, error %v", code, err)
			}
			r := action.Result{Trees: map[string]store.Digest{}}
			must(t, j.importOutput(t.Context(), st, "/target", &r))
			var got []string
			must(t, st.Walk(t.Context(), r.Trees["/target"], func(e store.Entry) error {
				got = append(got, e.Path)
				return nil
			}))
			if want := []string{"", "moved", "moved/b", "old"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestStepsThatAreWrong(t *testing.T) {
	root := rootfs(t)
	for name, change := range map[string]func(*action.Step){
		"no program":       func(s *action.Step) { s.Argv = nil },
		"relative program": func(s *action.Step) { s.Argv = []string{"inside"} },
		"relative folder":  func(s *action.Step) { s.Dir = "src" },
		"output outside":   func(s *action.Step) { s.Outputs = []string{"../x"} },
		"unknown input":    func(s *action.Step) { s.Inputs = append(s.Inputs, action.Input{Path: "zoo", Tree: s.Inputs[0].Tree}) },
		"input twice":      func(s *action.Step) { s.Inputs = append(s.Inputs, s.Inputs[0]) },
		"no rootfs":        func(s *action.Step) { s.Inputs = nil },
		"bad variable":     func(s *action.Step) { s.Env = map[string]string{"A=B": "c"} },
	} {
		st, step := withStore(t, map[string]string{"rootfs": root}, "true")
		change(&step)
		if _, err := (Local{}).Run(t.Context(), st, step, action.RunOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMissingTree(t *testing.T) {
	st, step := withStore(t, map[string]string{"rootfs": rootfs(t)}, "true")
	step.Inputs = append(step.Inputs, action.Input{Path: "vendor", Tree: store.DigestOf([]byte("not there"))})
	if _, err := (Local{}).Run(t.Context(), st, step, action.RunOptions{}); fault.KindOf(err) != fault.Pins {
		t.Errorf("error %v, want one of kind Pins", err)
	}
}

// What a step writes to its logs is in the store.
func TestObstacle35LogsAreStored(t *testing.T) {
	st, step := withStore(t, map[string]string{"rootfs": rootfs(t)}, "cat", "/usr/file")
	var out bytes.Buffer
	r, err := Local{}.Run(t.Context(), st, step, action.RunOptions{Stdout: &out})
	must(t, err)
	if out.String() != "usr" || r.Stdout != store.DigestOf([]byte("usr")) || !r.Stderr.IsZero() || !st.Has(r.Stdout) {
		t.Errorf("streamed %q, stored %v and %v", out.String(), r.Stdout, r.Stderr)
	}
}

// A step starts before its inputs have been verified. With a damaged one its
// output is discarded, and it runs again when the tree can be repaired.
func TestDamagedInput(t *testing.T) {
	for _, c := range []struct {
		name       string
		repairable bool
	}{{"the store has its content", true}, {"the content is lost", false}} {
		t.Run(c.name, func(t *testing.T) {
			st, step := withStore(t, map[string]string{"rootfs": rootfs(t), "vendor": folder(t, map[string]string{"file": "good"})},
				"cat", "/cargo/registry/src/v/file")
			if c.repairable {
				_, err := st.Put(t.Context(), strings.NewReader("good"))
				must(t, err)
			}
			// Another process: this one has just sealed the tree.
			must(t, st.Close())
			st, err := store.Open(t.Context(), st.Dir())
			must(t, err)
			defer st.Close()
			for _, in := range step.Inputs {
				dir, ok := st.Unverified(in.Tree)
				if !ok {
					t.Fatalf("%s is not in the store", in.Path)
				}
				if in.Path == "vendor" {
					must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("evil"), 0o644))
				}
			}
			var out bytes.Buffer
			r, err := Local{}.Run(t.Context(), st, step, action.RunOptions{Stdout: &out})
			if !c.repairable {
				if !errors.Is(err, store.ErrMissing) || out.Len() > 0 {
					t.Fatalf("error %v, streamed %q", err, out.String())
				}
				return
			}
			must(t, err)
			if out.String() != "good" || r.Stdout != store.DigestOf([]byte("good")) || !r.Hermetic {
				t.Errorf("streamed %q, stored %v, hermetic %v", out.String(), r.Stdout, r.Hermetic)
			}
			if st.Has(store.DigestOf([]byte("evil"))) {
				t.Error("what the first run printed is in the store")
			}
		})
	}
}

func TestNetwork(t *testing.T) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listen.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(bundle, []byte("-----BEGIN CERTIFICATE-----\n"), 0o644))
	t.Setenv("SSL_CERT_FILE", bundle)
	t.Setenv("HTTPS_PROXY", "http://proxy.example:3128")
	t.Setenv("NOT_A_PROXY", "no")
	trees := map[string]string{"rootfs": rootfs(t)}
	network := func(j *job) { j.step.Network = true }
	if got := run(t, Local{}, trees, nil, "connect", listen.Addr().String()).ok(t).stdout; !strings.Contains(got, "refused") {
		t.Errorf("without Network the host's port answers: %s", got)
	}
	if got := run(t, Local{}, trees, network, "connect", listen.Addr().String()).ok(t).stdout; got != "<nil>\n" {
		t.Errorf("with Network: %s", got)
	}
	s := run(t, Local{}, trees, func(j *job) {
		network(j)
		j.step.Env = map[string]string{"CURL_CA_BUNDLE": "/own"}
	}, "look").seen(t)
	at := "=/etc/espalier/ca-bundle.crt"
	want := []string{"CARGO_HTTP_CAINFO" + at, "CURL_CA_BUNDLE=/own", "GIT_SSL_CAINFO" + at, "HTTPS_PROXY=http://proxy.example:3128", "SSL_CERT_FILE" + at}
	got := slices.DeleteFunc(s.Env, func(v string) bool { // set by the machine that runs the test
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(proxyVariables[:], name) && name != "HTTPS_PROXY"
	})
	if !slices.Equal(got, want) {
		t.Errorf("environment %q, want %q", got, want)
	}
	if s.Hostname != "espalier" || s.UID != 1000 {
		t.Errorf("host name %s, user %d", s.Hostname, s.UID)
	}
	hosts, _ := os.ReadFile("/etc/hosts")
	if got := run(t, Local{}, trees, network, "cat", "/etc/hosts").ok(t).stdout; got != string(hosts) {
		t.Errorf("hosts: %q, want the host's %q", got, hosts)
	}
	if (Local{}).hermetic(action.Step{Network: true}) {
		t.Error("a step with Network counts as hermetic")
	}
}

func TestProbe(t *testing.T) {
	r := Probe(context.Background())
	if !r.OK || r.Err != nil || len(r.Checks) < 10 {
		t.Errorf("report %+v", r)
	}
	for _, c := range r.Checks {
		if !c.OK {
			t.Errorf("%s: %s", c.Name, c.Note)
		}
	}
}

// Equal files of the store's trees are one file on disk. A step that writes to
// its inputs, appends to them or replaces them changes neither these trees nor
// others that have the same files.
func TestSharedFilesAreNotWritten(t *testing.T) {
	files := map[string]string{"old": "x", "folder/a": "a"}
	st, step := withStore(t, map[string]string{"rootfs": rootfs(t), "target": folder(t, files), "cargo": folder(t, files), "vendor": folder(t, files)}, "rewrite")
	other, err := st.ImportDir(t.Context(), folder(t, map[string]string{"elsewhere/old": "x", "elsewhere/a": "a"}), store.ImportOptions{})
	must(t, err)
	one, err := os.Lstat(filepath.Join(st.Dir(), "trees", other.Hash, "elsewhere/old"))
	must(t, err)
	for _, in := range step.Inputs {
		if in.Path != "target" {
			continue
		}
		two, err := os.Lstat(filepath.Join(st.Dir(), "trees", in.Tree.Hash, "old"))
		must(t, err)
		if !os.SameFile(one, two) {
			t.Fatal("the trees share no file, so nothing is tested here")
		}
	}
	for _, argv := range [][]string{
		{"rewrite"},
		{"write", "/target/old", "changed"},
		{"write", "/cargo/old", "changed"},
		{"write", "/cargo/registry/src/v/old", "changed"},
	} {
		step.Argv = append([]string{"/inside"}, argv...)
		r, err := Local{}.Run(t.Context(), st, step, action.RunOptions{})
		must(t, err)
		if refused := r.ExitCode != 0; refused != strings.Contains(strings.Join(argv, " "), "registry") {
			t.Errorf("%q: exit status %d", argv, r.ExitCode)
		}
	}
	for _, in := range append(step.Inputs, action.Input{Path: "another tree", Tree: other}) {
		if !st.Confirm(in.Tree) {
			t.Errorf("%s does not match its seal", in.Path)
		}
		if err := st.VerifyTree(t.Context(), in.Tree); err != nil {
			t.Errorf("%s: %v", in.Path, err)
		}
	}
}
