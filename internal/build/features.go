package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// Firmware of earlier years asks for features of rustc that a compiler of today
// no longer has, or locks crates that it refuses. Cargo would find out after
// minutes, one crate at a time. Before a layer is compiled, the crate roots of
// cargo's unit graph are therefore read for #![feature(…)], and the compiler is
// asked about all of these names at once. Versions of crates that are known not
// to compile are in refusedCrates.

// use is a feature that a crate asks for.
type use struct {
	feature string
	where   string // "esp-wifi 0.1.1" or "src/main.rs:3"
}

// refusedCrate is a crate of which versions before one do not compile with
// compilers since another one.
type refusedCrate struct {
	name    string
	first   string // lowest version of the range
	fixed   string // lowest version that compiles
	since   string // rustc
	nightly bool   // only with a nightly compiler, which the crate's build script recognises
	why     string
	with    [][]string // only with a feature of each of these
}

// refusedCrates: the first and the last version of each range were compiled with
// rustc 1.95.0 and 1.97.0-nightly (e50aa6fba 2026-05-19), which refuse them, and so
// were the version before the range and the one after it, which they accept. Since
// when is from dtolnay/proc-macro2#398, tkaitchuck/aHash#227 and time-rs/time#696.
// RUSTC_BOOTSTRAP does not make a stable compiler a nightly one for these crates.
var refusedCrates = [...]refusedCrate{
	{"proc-macro2", "1.0.44", "1.0.60", "1.72", true, "it uses the feature proc_macro_span_shrink, which was removed", nil},
	{"ahash", "0.8.0", "0.8.7", "1.78", true, "it uses the feature stdsimd, which was removed", nil},
	{"ahash", "0.7.5", "0.7.8", "1.78", true, "it uses the feature stdsimd, which was removed", nil},
	{"time", "0.3.18", "0.3.35", "1.80", false, "the library's type inference changed", [][]string{{"formatting", "parsing"}, {"alloc", "std"}}},
}

// checkCompiler is a fault of kind Build when the compiler is known to refuse a
// crate of a plan. What cannot be found out is no fault: the build will tell.
func (r Runner) checkCompiler(ctx context.Context, pl Plan) error {
	if r.Unsandboxed || pl.graph.Argv == nil {
		return nil
	}
	g, err := r.graph(ctx, pl.graph)
	if err != nil {
		return context.Cause(ctx)
	}
	var refused []string
	var hints []string
	for _, u := range g.Units {
		name, version := packageOf(u.PkgID)
		for _, c := range refusedCrates {
			if !c.matches(name, version, u.Features, pl.rustc) {
				continue
			}
			text := fmt.Sprintf("%s %s: %s", name, version, c.why)
			if !slices.Contains(refused, text) {
				refused = append(refused, text)
				hints = append(hints, fmt.Sprintf("cargo update -p %s@%s --precise %s", name, version, c.fixed))
			}
		}
	}
	uses, err := r.uses(ctx, pl, g)
	if err != nil {
		return err
	}
	removed, err := r.removed(ctx, pl, uses)
	if err != nil {
		return err
	}
	for _, u := range uses {
		if why, ok := removed[u.feature]; ok {
			refused = append(refused, fmt.Sprintf("%s: the feature %s %s", u.where, u.feature, why))
		}
	}
	if len(refused) == 0 {
		return nil
	}
	version, _, _ := strings.Cut(pl.rustc, " ")
	text := fmt.Sprintf("rustc %s refuses the project: %s", version, strings.Join(refused[:min(len(refused), 4)], "; "))
	if len(refused) > 4 {
		text += fmt.Sprintf("; and %d more", len(refused)-4)
	}
	return fault.New(fault.Build, text, append(hints, fmt.Sprintf("or name a compiler of the firmware's time in rust-toolchain.toml, such as channel = %q; espalier lock", ofTime(pl)))...)
}

// matches reports whether a compiler ("1.97.0-nightly (…)") refuses a version with
// features.
func (c refusedCrate) matches(name, version string, features []string, rustc string) bool {
	for _, group := range c.with {
		if !slices.ContainsFunc(group, func(f string) bool { return slices.Contains(features, f) }) {
			return false
		}
	}
	compiler, _, _ := strings.Cut(rustc, " ")
	nightly := strings.Contains(compiler, "-nightly")
	compiler, _, _ = strings.Cut(compiler, "-")
	return name == c.name && compiler != "" && (nightly || !c.nightly) && !cargo.OlderThan(compiler, c.since) &&
		!cargo.OlderThan(version, c.first) && cargo.OlderThan(version, c.fixed)
}

// ofTime is the nightly of the day that the firmware is of, if that is long
// before the compiler's.
func ofTime(pl Plan) string {
	const example = "nightly-2023-11-14"
	_, rest, _ := strings.Cut(pl.rustc, " ") // "(ac68faa20 2026-05-25)"
	built, err := time.Parse(time.DateOnly, rest[strings.LastIndexByte(rest, ' ')+1:len(strings.TrimSuffix(rest, ")"))])
	day := time.Unix(pl.epoch, 0).UTC()
	if err != nil || built.Sub(day) < 90*24*time.Hour {
		return example
	}
	return "nightly-" + day.Format(time.DateOnly)
}

// uses reads the crate roots of a graph.
func (r Runner) uses(ctx context.Context, pl Plan, g unitGraph) ([]use, error) {
	var out []use
	seen := map[use]bool{}
	for _, u := range g.Units {
		if u.IsStd || u.runsScript() {
			continue
		}
		text, err := r.root(ctx, pl, u.Target.SrcPath)
		if err != nil || !bytes.Contains(text, []byte("feature")) {
			if err != nil && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			continue
		}
		name, version := packageOf(u.PkgID)
		for _, f := range cargo.UnstableFeatures(text, u.Features) {
			one := use{f.Name, name + " " + version}
			if own, ok := strings.CutPrefix(u.Target.SrcPath, layout.Src+"/"); ok {
				one.where = fmt.Sprintf("%s:%d", own, f.Line)
			}
			if !seen[one] {
				seen[one] = true
				out = append(out, one)
			}
		}
	}
	slices.SortFunc(out, func(a, b use) int { return cmp.Or(cmp.Compare(a.where, b.where), cmp.Compare(a.feature, b.feature)) })
	return out, nil
}

// largestRoot bounds a source file, in bytes.
const largestRoot = 16 << 20

// root reads a source file by its path inside a step.
func (r Runner) root(ctx context.Context, pl Plan, name string) ([]byte, error) {
	for _, place := range []struct {
		inside string
		tree   store.Digest
	}{
		{layout.Src, pl.sources},
		{layout.Vendor, inputTree(pl.Deps, layout.InputVendor)},
		{layout.Checkouts, inputTree(pl.Deps, layout.InputGit)},
	} {
		rest, ok := strings.CutPrefix(path.Clean(name), place.inside+"/")
		if !ok || place.tree.IsZero() {
			continue
		}
		e, err := r.Store.Lookup(ctx, place.tree, rest)
		if err != nil {
			return nil, err
		}
		f, err := r.Store.Open(ctx, e)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(f, largestRoot))
		return text, errors.Join(err, f.Close())
	}
	return nil, store.ErrMissing
}

// removed asks the compiler which features it does not have, and why: a small
// crate that wants them all has an error for each.
func (r Runner) removed(ctx context.Context, pl Plan, uses []use) (map[string]string, error) {
	var names []string
	for _, u := range uses {
		names = append(names, u.feature)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil, nil
	}
	var probe strings.Builder
	for _, n := range names {
		fmt.Fprintf(&probe, "#![feature(%s)]\n", n)
	}
	src, err := r.Store.MakeTree(ctx, func(b *store.TreeBuilder) error {
		_, err := b.Source("features").File(ctx, "probe.rs", false, strings.NewReader(probe.String()))
		return err
	})
	if err != nil {
		return nil, err
	}
	step := action.Step{
		Name: "unstable features",
		Argv: []string{"/usr/bin/rustc", "--edition", "2021", "--crate-type", "lib", "--emit", "metadata", "--error-format", "json",
			"--cap-lints", "allow", "-o", "/tmp/probe.rmeta", layout.Src + "/probe.rs"},
		Env:      map[string]string{"PATH": "/usr/bin", "HOME": layout.Home, "RUSTC_BOOTSTRAP": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
		Dir:      layout.Src,
		Inputs:   []action.Input{{Path: layout.InputRootfs, Tree: inputTree(pl.Deps, layout.InputRootfs)}, {Path: layout.InputSrc, Tree: src}},
		Platform: platform("features-1"),
	}
	if _, err := r.load(ctx, step); err == nil {
		return nil, nil // only a success is stored
	}
	var said bytes.Buffer
	res, err := r.Executor.Run(ctx, r.Store, step, action.RunOptions{Stderr: &said})
	if err != nil {
		return nil, err
	}
	if res.ExitCode == 0 {
		return nil, r.save(ctx, res)
	}
	return removedFeatures(said.Bytes(), names), nil
}

// removedFeatures reads rustc's messages about a crate whose line n asks for
// names[n-1]: E0557 for a feature that was removed, E0635 for one that the
// compiler does not know.
func removedFeatures(log []byte, names []string) map[string]string {
	out := map[string]string{}
	for _, line := range bytes.Split(log, []byte("\n")) {
		var m struct {
			Code  struct{ Code string }
			Spans []struct {
				LineStart int `json:"line_start"`
			}
			Children []struct{ Message string }
		}
		if json.Unmarshal(line, &m) != nil || len(m.Spans) == 0 || m.Spans[0].LineStart < 1 || m.Spans[0].LineStart > len(names) {
			continue
		}
		why := "is not known"
		switch m.Code.Code {
		case "E0557": // its note: "removed in 1.54.0; see <…> for more information"
			why = "was removed"
			for _, c := range m.Children {
				if strings.HasPrefix(c.Message, "removed in ") {
					why = "was " + strings.Join(strings.Fields(c.Message), " ")
					break
				}
			}
		case "E0635":
		default:
			continue
		}
		out[names[m.Spans[0].LineStart-1]] = why
	}
	return out
}
