package crates

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Fetcher downloads crates with the pinned cargo.
type Fetcher struct {
	Store   *store.Store
	Rootfs  store.Digest // toolchain tree
	Offline bool
	Host    HostCargo // the registry settings of the user's own cargo configuration
	Report  progress.Reporter

	// Run runs a step with network access.
	Run func(ctx context.Context, step action.Step, opts action.RunOptions) (action.Result, error)
}

const (
	cargoHome  = layout.CargoHome
	jobConfig  = layout.Config
	caFile     = "ca-bundle.crt"
	cacheDir   = "/cargo/registry/cache" // <registry>/<name>-<version>.crate
	stdLibrary = "/usr/lib/rustlib/src/rust/library"
)

// Missing returns the crates that are not in the store.
func (f *Fetcher) Missing(crates []lock.Crate) []lock.Crate {
	var out []lock.Crate
	for _, c := range crates {
		if !f.Store.Has(c.Digest) {
			out = append(out, c)
		}
	}
	return out
}

// Job is a workspace whose locked crates are to be downloaded.
type Job struct {
	Inputs []action.Input // src and git, as in the build
	Dir    string         // cargo's working directory
	Lock   string         // where its Cargo.lock is or will be written, for Resolve and Update
	Want   []lock.Crate
	All    []lock.Crate // all crates that cargo may download: with build-std also those of the library

	Index      bool   // of Update: return what cargo has read of the index
	ConfigText string // passed to cargo with --config: source replacement for git crates; may be empty
}

// Project downloads the crates of a project's Cargo.lock, including locked
// versions that have been yanked since.
func (f *Fetcher) Project(ctx context.Context, j Job) error {
	return f.fetch(ctx, j, nil)
}

// Prefetch does the same as Project while no compiler is available yet: cargo
// vendor does not run rustc, unlike cargo fetch, which asks it for the target.
// The unpacked files are discarded. An error that is ErrRetryWithCompiler may
// not occur with Project.
func (f *Fetcher) Prefetch(ctx context.Context, j Job) error {
	err := f.run(ctx, j, []string{layout.Cargo, "vendor", "--locked", "--versioned-dirs", "--respect-source-config", "/tmp/vendor"})
	if err == nil || ctx.Err() != nil || fault.KindOf(err) != fault.Pins || errors.Is(err, ErrStale) {
		return err
	}
	for _, s := range []string{"failed to download", "failed to parse manifest", "checksum", "failed to fetch", "failed to query", "did not send it",
		"lock file", "failed to select a version", "no matching package"} {
		if strings.Contains(err.Error(), s) {
			return err // the cause is a crate, a lock or the network: a compiler would not help
		}
	}
	return fmt.Errorf("%w: %w", ErrRetryWithCompiler, err)
}

// ErrRetryWithCompiler is in the chain of an error of Prefetch that may be due
// to the missing compiler.
var ErrRetryWithCompiler = errors.New("the crates cannot be prefetched without a compiler")

// Std downloads the crates of the standard library's own Cargo.lock. For a
// project with build-std, cargo fetch skips crates of other platforms, but its
// offline resolver needs all of them, so the library is fetched as a separate
// workspace.
func (f *Fetcher) Std(ctx context.Context, want []lock.Crate) error {
	return f.fetch(ctx, Job{Dir: stdLibrary, Want: want}, []string{"--manifest-path", stdLibrary + "/Cargo.toml"})
}

// List downloads crates that no workspace of the toolchain needs as a whole:
// those of a standard library before rustc 1.82, whose lock is that of the
// compiler. A package that requires exactly these versions is made for it, with
// a Cargo.lock that has them, since only a locked version may be yanked.
// Whatever else cargo downloads is discarded. index is the source that a
// Cargo.lock names for crates of the default registry.
func (f *Fetcher) List(ctx context.Context, want []lock.Crate, index string) error {
	if len(f.Missing(want)) == 0 {
		return nil
	}
	manifest, lockText := listPackage(want, index)
	src, err := f.Store.MakeTree(ctx, func(b *store.TreeBuilder) error {
		to := b.Source("list of crates")
		for name, text := range map[string]string{"Cargo.toml": manifest, "Cargo.lock": lockText, "src/lib.rs": ""} {
			if _, err := to.File(ctx, name, false, strings.NewReader(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	j := Job{Inputs: []action.Input{{Path: layout.InputSrc, Tree: src}}, Dir: layout.Src, Want: want}
	return f.run(ctx, j, []string{layout.Cargo, "fetch"})
}

// listPackage returns the manifest and the lock of a package that depends on
// each of the crates. Several versions of a crate are allowed.
func listPackage(want []lock.Crate, index string) (manifest, lockText string) {
	var m, l, names strings.Builder
	m.WriteString("[package]\nname = \"espalier-list\"\nversion = \"0.0.0\"\nedition = \"2018\"\n\n[dependencies]\n")
	for i, c := range want {
		fmt.Fprintf(&m, "c%d = { package = %q, version = \"=%s\", default-features = false }\n", i, c.Name, c.Version)
		fmt.Fprintf(&names, " \"%s %s\",\n", c.Name, c.Version)
		fmt.Fprintf(&l, "[[package]]\nname = %q\nversion = %q\nsource = %q\nchecksum = %q\n\n",
			c.Name, c.Version, cmp.Or(c.Source, index), c.Digest.Hash)
	}
	return m.String(), "version = 3\n\n[[package]]\nname = \"espalier-list\"\nversion = \"0.0.0\"\ndependencies = [\n" + names.String() + "]\n\n" + l.String()
}

func (f *Fetcher) fetch(ctx context.Context, j Job, extra []string) error {
	return f.run(ctx, j, append([]string{layout.Cargo, "fetch", "--locked"}, extra...))
}

func (f *Fetcher) run(ctx context.Context, j Job, argv []string) error {
	missing := f.Missing(j.Want)
	if len(missing) == 0 {
		return nil
	}
	if err := f.refuseOffline(missing); err != nil {
		return err
	}
	task := f.Report.Start("fetching crates", progress.Crates, int64(len(missing)))
	dir, err := f.cargo(ctx, j, argv, task)
	if err == nil {
		err = f.accept(ctx, dir, missing, f.Missing(j.All))
	}
	if errors.Is(err, ErrStale) {
		task.Detail("Cargo.lock does not match the manifests") // the caller updates it
		task.Done(nil)
		return err
	}
	task.Done(err)
	return err
}

// One downloads a single crate without its dependencies, with any cargo back to
// 1.63. "cargo info" is of 1.82, and "cargo fetch" would download all that the
// crate depends on. "cargo install" downloads the crate to see what it is, and
// then fails in each of these versions: a library has nothing to install, its
// manifest may be too new, and at the latest the compiler does not know the
// target. So only the archive counts, which accept verifies.
func (f *Fetcher) One(ctx context.Context, c lock.Crate) error {
	missing := f.Missing([]lock.Crate{c})
	if len(missing) == 0 {
		return nil
	}
	if err := f.refuseOffline(missing); err != nil {
		return err
	}
	task := f.Report.Start("fetching "+c.Name, progress.Crates, 1)
	argv := []string{layout.Cargo, "install", "--registry", "crates-io", c.Name, "--version", "=" + c.Version, "--root", "/tmp/root", "--target", noTarget}
	res, log, err := f.networkStep(ctx, Job{Dir: "/tmp"}, argv, []string{cacheDir}, task)
	if err == nil {
		err = errNotSent
		if dir, ok := res.Trees[cacheDir]; ok {
			err = f.accept(ctx, dir, missing, nil)
		}
		if errors.Is(err, errNotSent) {
			err = f.failed(argv, res, log)
		}
	}
	task.Done(err)
	return err
}

// noTarget is a name that no compiler has a target for.
const noTarget = "espalier-none"

func (f *Fetcher) refuseOffline(missing []lock.Crate) error {
	if !f.Offline {
		return nil
	}
	names := make([]string, 0, 3)
	for i, c := range missing {
		if i == 3 {
			names = append(names, fmt.Sprintf("and %d more", len(missing)-3))
			break
		}
		names = append(names, c.Name+" "+c.Version)
	}
	return fault.New(fault.Pins, "offline, and not in the store: "+strings.Join(names, ", "), "espalier fetch   # on a machine with a network")
}

// cargo runs a command of the pinned cargo with network access and returns the
// tree of the downloaded archives.
func (f *Fetcher) cargo(ctx context.Context, j Job, argv []string, task progress.Task) (store.Digest, error) {
	res, log, err := f.networkStep(ctx, j, argv, []string{cacheDir}, task)
	if err != nil {
		return store.Digest{}, err
	}
	dir, ok := res.Trees[cacheDir]
	if res.ExitCode != 0 {
		if ok { // finished downloads are kept for the next try
			err = f.accept(ctx, dir, nil, f.Missing(slices.Concat(j.Want, j.All)))
		}
		return store.Digest{}, cmp.Or(err, f.failed(argv, res, log))
	}
	if !ok {
		return store.Digest{}, fault.Newf(fault.Pins, "%s downloaded nothing: %s", strings.Join(argv[:2], " "), lastLine(log))
	}
	return dir, nil
}

// networkStep runs a command of the pinned cargo with network access and returns
// what it printed. Its outputs are imported also when it fails.
func (f *Fetcher) networkStep(ctx context.Context, j Job, argv, outputs []string, task progress.Task) (action.Result, string, error) {
	env := map[string]string{
		"PATH":              "/usr/bin",
		"HOME":              "/home/espalier",
		"CARGO_HOME":        cargoHome,
		"CARGO_TERM_COLOR":  "never",
		"CARGO_NET_OFFLINE": "false",
		// Unstable tables of the project's configuration, such as build-std,
		// must be accepted, as in the build itself.
		"RUSTC_BOOTSTRAP": "1",
		// What the project's configuration names does not exist in a step.
		"RUSTC":                   layout.Rustc,
		"RUSTC_WRAPPER":           "",
		"RUSTC_WORKSPACE_WRAPPER": "",
		"TZ":                      "UTC",
		"LC_ALL":                  "C.UTF-8",
	}
	if len(f.Host.CA) > 0 {
		env["CARGO_HTTP_CAINFO"] = cargoHome + "/" + caFile
	}
	maps.Copy(env, f.Host.Env)
	inputs := append([]action.Input{{Path: "rootfs", Tree: f.Rootfs}}, j.Inputs...)
	home, err := f.cargoHome(ctx, j)
	if err != nil {
		return action.Result{}, "", err
	}
	inputs = append(inputs, action.Input{Path: "cargo", Tree: home})
	if j.ConfigText != "" {
		argv = append(slices.Clone(argv), "--config", jobConfig)
	}
	var log bytes.Buffer
	lines := &lineWriter{fn: func(line string) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Downloaded "); ok {
			task.Item(name)
			task.Add(1)
		}
	}}
	if err := f.Store.Passing(home); err != nil { // it has archives that the store has as blobs
		return action.Result{}, "", err
	}
	res, err := f.Run(ctx, action.Step{
		Name:    "fetch",
		Argv:    argv,
		Env:     env,
		Dir:     j.Dir,
		Inputs:  inputs,
		Outputs: outputs,
		Network: true,
	}, action.RunOptions{Stderr: io.MultiWriter(limit(&log, 1<<20), lines), OnFailure: true})
	for _, tree := range res.Trees { // and what these have is stored as blobs, too
		err = cmp.Or(err, f.Store.Passing(tree))
	}
	return res, log.String(), err
}

// failed is the error of a step whose command failed.
func (f *Fetcher) failed(argv []string, res action.Result, log string) error {
	if strings.Contains(log, "No space left on device") {
		return f.Store.Full("fetching crates")
	}
	return cargoFailed(argv, res.ExitCode, log)
}

// cargoHome makes the tree of CARGO_HOME: the user's and the job's
// configuration, and the mount point of git checkouts.
func (f *Fetcher) cargoHome(ctx context.Context, j Job) (store.Digest, error) {
	b, err := f.Store.NewTree()
	if err != nil {
		return store.Digest{}, err
	}
	defer b.Close()
	src := b.Source("cargo configuration")
	for name, text := range map[string]string{"config.toml": f.Host.Config, "espalier.toml": j.ConfigText, caFile: string(f.Host.CA)} {
		if text == "" {
			continue
		}
		if _, err := src.File(ctx, name, false, strings.NewReader(text)); err != nil {
			return store.Digest{}, err
		}
	}
	if err := src.Dir("git/checkouts"); err != nil {
		return store.Digest{}, err
	}
	if err := f.seedCache(ctx, src, slices.Concat(j.Want, j.All)); err != nil {
		return store.Digest{}, err
	}
	return b.Commit(ctx)
}

// cacheKey is the memo key of the name of cargo's directory for the default
// registry, which contains a hash that cargo computes.
var cacheKey = []byte("cargo's folder of the default registry\n")

// seedCache adds the archives that are in the store to cargo's cache, so that
// cargo downloads only the others. It does nothing before the first fetch, when
// the name of the registry's directory is not known.
func (f *Fetcher) seedCache(ctx context.Context, src store.TreeSource, want []lock.Crate) error {
	folders, err := f.Store.Memo(ctx, store.DigestOf(cacheKey))
	if err != nil {
		return nil
	}
	folder := ""
	err = f.Store.Walk(ctx, folders, func(e store.Entry) error {
		folder = e.Path
		return nil
	})
	if err != nil || folder == "" {
		return nil // the tree of the memo no longer exists
	}
	for _, c := range want {
		if c.Source != "" || !f.Store.Has(c.Digest) {
			continue
		}
		r, err := f.Store.Get(ctx, c.Digest)
		if err != nil {
			continue // damaged in the store: cargo downloads it again
		}
		_, err = src.File(ctx, "registry/cache/"+folder+"/"+Folder(c)+".crate", false, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}

// storeCacheName records the name of the registry's directory for the next
// fetch.
func (f *Fetcher) storeCacheName(ctx context.Context, folder string) error {
	b, err := f.Store.NewTree()
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Source("cargo's cache").Dir(folder); err != nil {
		return err
	}
	tree, err := b.Commit(ctx)
	if err != nil {
		return err
	}
	return f.Store.PutMemo(ctx, cacheKey, tree)
}

// cargoFailed makes a fault of cargo's output: its first error, then the causes
// listed below it.
func cargoFailed(argv []string, code int, log string) error {
	var cause []string
	for _, line := range strings.Split(log, "\n") {
		t := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "* "), ":")
		switch {
		case strings.HasPrefix(t, "error: "):
			cause = []string{strings.TrimPrefix(t, "error: ")}
		case len(cause) > 0 && t != "" && t != "Caused by" && len(cause) < 4:
			cause = append(cause, t)
		}
	}
	if len(cause) == 0 {
		cause = []string{cmp.Or(lastLine(log), fmt.Sprintf("exit status %d", code))}
	}
	var hints []string
	switch {
	case IsStale(log) && slices.Contains(argv, "--locked"):
		return fault.Wrap(fault.Pins, ErrStale, "", "espalier lock")
	case strings.Contains(log, "failed to select a version for"):
		// No version, or only a yanked one, meets a requirement.
		hints = []string{"change the requirement in Cargo.toml, or use a Cargo.lock that has the version: a locked version may be yanked"}
	case strings.Contains(log, "package collision in the lockfile"):
		cause = cause[:1]
		hints = []string{"give one of the two packages another name or version"}
	case ofNetwork(log):
		hints = []string{"espalier doctor   # checks the network, proxy and certificates that a fetch step sees"}
	case strings.Contains(log, "requires a lock file to be present first"):
		hints = []string{"cargo generate-lockfile   # with another cargo, which can read git repositories itself; then: espalier lock"}
	case strings.Contains(log, "changed between lock files"):
		cause = cause[:1] // the rest is general advice
		hints = []string{"git log -p Cargo.lock   # find the change of the checksum; the registry has another one"}
	}
	text := strings.ReplaceAll(strings.Join(cause, ": "), ": ... ", "; ") // a path of requirements, one below the other
	text = strings.ReplaceAll(text, ".; ", "; ")
	return fault.Wrap(fault.Pins, errors.New(text), strings.Join(argv[:2], " ")[len("/usr/bin/"):], hints...)
}

// ofNetwork reports whether cargo's output shows a network failure.
func ofNetwork(log string) bool {
	for _, s := range []string{"network", "download", "failed to fetch", "failed to query", "resolve host", "connect", "timed out", "SSL", "TLS",
		"certificate", "curl", "proxy", "HTTP", "http status"} {
		if strings.Contains(log, s) {
			return true
		}
	}
	return false
}

// errNotSent is in the chain of an error when cargo has not downloaded a crate.
var errNotSent = errors.New("the registry did not send it")

// accept stores the archives whose digests are in a lock: all of want, and
// those of others that cargo has downloaded too. Any other archive is
// discarded.
func (f *Fetcher) accept(ctx context.Context, dir store.Digest, want, others []lock.Crate) error {
	found := map[string][]store.Entry{}
	folder := "" // of the default registry
	err := f.Store.Walk(ctx, dir, func(e store.Entry) error {
		if e.Type == store.TypeFile && strings.HasSuffix(e.Path, ".crate") {
			name := strings.TrimSuffix(path.Base(e.Path), ".crate")
			found[name] = append(found[name], e)
		}
		return nil
	})
	if err != nil {
		return err
	}
next:
	for i, c := range slices.Concat(want, others) {
		var other store.Digest
		for _, e := range found[Folder(c)] {
			if e.Digest.Hash != c.Digest.Hash {
				other = e.Digest
				continue
			}
			r, err := f.Store.Open(ctx, e)
			if err != nil {
				return err
			}
			_, err = f.Store.PutExpected(ctx, r, c.Digest)
			r.Close()
			if err != nil {
				return err
			}
			if c.Source == "" {
				folder = path.Dir(e.Path)
			}
			continue next
		}
		if i >= len(want) {
			continue
		}
		if !other.IsZero() {
			return fault.New(fault.Pins,
				fmt.Sprintf("crate %s %s: checksum mismatch: Cargo.lock says sha256:%s, the registry sent %s", c.Name, c.Version, c.Digest.Hash, other),
				"the registry or a mirror changed a published crate; compare with another source before you trust either")
		}
		return fault.Wrap(fault.Pins, errNotSent, fmt.Sprintf("crate %s %s", c.Name, c.Version),
			"espalier lock   # when Cargo.lock was changed by hand")
	}
	if folder != "" && !strings.Contains(folder, "/") {
		return f.storeCacheName(ctx, folder)
	}
	return nil
}

// lineWriter calls fn for each complete line.
type lineWriter struct {
	rest []byte
	fn   func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			if len(w.rest) > 64<<10 {
				w.rest = w.rest[:0]
			}
			return len(p), nil
		}
		w.fn(string(w.rest[:i]))
		w.rest = w.rest[i+1:]
	}
}

// limit drops what is written after n bytes.
func limit(w io.Writer, n int) io.Writer { return &limitWriter{w, n} }

type limitWriter struct {
	w io.Writer
	n int
}

func (l *limitWriter) Write(p []byte) (int, error) {
	if k := min(len(p), l.n); k > 0 {
		l.n -= k
		if _, err := l.w.Write(p[:k]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
