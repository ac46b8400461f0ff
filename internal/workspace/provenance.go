package workspace

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/attest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/sbom"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/version"
)

// Provenance builds the firmware and states what it was made of: every pin of the
// lock that this machine's builds use, the project's files and the lock itself.
// builder names the platform; "" is a build on a machine of the user.
func (w *Workspace) Provenance(ctx context.Context, builder string) (attest.Statement, *Firmware, error) {
	var s attest.Statement
	if names := w.Project.UseStandIns(); len(names) > 0 {
		return s, nil, fault.New(fault.Usage, "firmware with secrets has no provenance: no one else could compare it", "espalier verify   # builds with stand-ins")
	}
	f, err := w.Firmware(ctx)
	if err != nil {
		return s, nil, err
	}
	if !f.Hermetic {
		return s, nil, fault.New(fault.Usage, "a build without the sandbox has no provenance: what it depends on is not known", "espalier attest   # without --no-sandbox")
	}
	id, err := action.Digest(ctx, w.Store, f.Plan.Scratch())
	if err != nil {
		return s, nil, err
	}
	if builder == "" {
		builder = attest.LocalBuilder
	}
	external := map[string]any{"package": w.Project.Package, "firmware": f.Name, "profile": w.Project.Profile, "target": w.Project.Target()}
	flags := w.selection.Flags
	if len(flags.Features) > 0 || flags.NoDefaultFeatures || flags.AllFeatures {
		external["features"] = map[string]any{"names": flags.Features, "no-default": flags.NoDefaultFeatures, "all": flags.AllFeatures}
	}
	deps, err := w.resolved(f)
	if err != nil {
		return s, nil, err
	}
	tc, _ := f.Pins.Toolchain(lock.Host())
	return attest.Statement{
		Type: attest.StatementType, PredicateType: attest.PredicateType,
		Subject: []attest.Resource{
			{Name: f.Name + ".bin", Digest: sha(store.DigestOf(f.Flash.Trimmed()))},
			{Name: f.Name + ".elf", Digest: sha(f.Digest)},
		},
		Predicate: attest.Provenance{
			Build: attest.Build{
				Type: attest.BuildType, External: external, Resolved: deps,
				Internal: map[string]string{
					"host": lock.Host(), "rustc": tc.Rustc, "layout": strconv.Itoa(f.Pins.Project.Layout),
					"source-date-epoch": strconv.FormatInt(f.Pins.Project.SourceDateEpoch, 10),
				},
			},
			Run: attest.Run{
				Builder:  attest.Builder{ID: builder, Version: map[string]string{"espalier": version.Read().Version}},
				Metadata: attest.Metadata{Invocation: id.String()},
			},
		},
	}, f, nil
}

func sha(d store.Digest) map[string]string { return map[string]string{"sha256": d.Hash} }

// reapiDirectory is the media type of a tree: its digest is that of the Directory
// message of the Remote Execution API.
const reapiDirectory = "application/vnd.bazel.remote-execution.v2.directory"

// resolved lists what a firmware was made of.
func (w *Workspace) resolved(f *Firmware) ([]attest.Resource, error) {
	text, err := os.ReadFile(lock.Path(w.Project))
	if err != nil {
		return nil, fault.Opening(lock.FileName, err)
	}
	source := attest.Resource{Name: "sources", Digest: sha(f.Plan.Sources()), MediaType: reapiDirectory}
	out := []attest.Resource{
		source,
		{Name: lock.FileName, Digest: sha(store.DigestOf(text))},
		{Name: "Cargo.lock", Digest: sha(f.Pins.Project.CargoLock)},
	}
	if c := w.Project.Head.Commit; c != "" && len(w.Project.Untracked) == 0 {
		out = append(out, attest.Resource{Name: filepath.Base(w.Project.Workspace), Digest: map[string]string{"gitCommit": c}})
	}
	if !f.Pins.Std.Lock.IsZero() {
		out = append(out, attest.Resource{Name: "std Cargo.lock", Digest: sha(f.Pins.Std.Lock)})
	}
	tc, _ := f.Pins.Toolchain(lock.Host())
	out = append(out, attest.Resource{Name: "rootfs", Digest: sha(tc.Rootfs), MediaType: reapiDirectory})
	for _, e := range tc.Index {
		note := map[string]string{"verified": strconv.FormatBool(e.Verified)}
		if e.Signer != "" {
			note["signer"] = e.Signer
		}
		out = append(out, attest.Resource{Name: e.File, Digest: sha(e.Digest), Annotations: note})
	}
	for _, p := range tc.Packages {
		out = append(out, attest.Resource{Name: p.Name + " " + p.Version, URI: sbom.PackageURL(tc, p), Digest: sha(p.Digest)})
	}
	for _, c := range f.Pins.Crates {
		out = append(out, attest.Resource{Name: c.Name + " " + c.Version, URI: sbom.CrateURL(c), Digest: sha(c.Digest)})
	}
	for _, g := range f.Pins.Git {
		out = append(out, attest.Resource{Name: "git", URI: "git+" + g.URL + "@" + g.Commit, Digest: map[string]string{"gitCommit": g.Commit, "sha256": g.Tree.Hash}, MediaType: reapiDirectory})
	}
	for _, b := range f.Pins.Blobs {
		out = append(out, attest.Resource{Name: b.Name, URI: sbom.BlobURL(b), Digest: sha(b.Digest)})
	}
	return out, nil
}
