package action

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// Platform properties that espalier adds to Step.Platform.
const (
	PropertyLayout = "layout"           // layout.Version as a decimal number
	PropertyDir    = "workingDirectory" // Step.Dir
	PropertyOS     = "OSFamily"         // "linux" unless the step sets it; defined in REAPI's platform.md
	PropertyISA    = "ISA"              // defined in REAPI's platform.md; set by the step
)

// outDir is the output directory of the layout, relative to the input root.
const outDir = "out"

// Digest returns the identity of a step: the digest of the Action message
// that Put would write. It writes nothing.
func Digest(ctx context.Context, st *store.Store, step Step) (store.Digest, error) {
	m, err := encode(ctx, st.Composed, step)
	if err != nil {
		return store.Digest{}, err
	}
	return store.DigestOf(m.action), nil
}

// Put writes a step's Action and Command and the Directory messages of its
// input root to the store, and returns the Action's digest.
func Put(ctx context.Context, st *store.Store, step Step) (store.Digest, error) {
	m, err := encode(ctx, st.Compose, step)
	if err != nil {
		return store.Digest{}, err
	}
	if _, err := st.PutBytes(ctx, m.command); err != nil {
		return store.Digest{}, err
	}
	return st.PutBytes(ctx, m.action)
}

// outputPath is the path of an output relative to the REAPI working directory.
func outputPath(name string) string {
	if rest, ok := strings.CutPrefix(name, "/"); ok {
		return rest
	}
	return path.Join(outDir, name)
}

// OutputPath is the path of an output of a step in the Command.
func OutputPath(name string) string { return outputPath(name) }

// Messages returns the encodings of a step's Action and Command, as Put writes
// them.
func Messages(ctx context.Context, st *store.Store, step Step) (action, command []byte, err error) {
	m, err := encode(ctx, st.Composed, step)
	if err != nil {
		return nil, nil, err
	}
	return m.action, m.command, nil
}

// outputName is the inverse of outputPath.
func outputName(p string) (string, error) {
	if !fs.ValidPath(p) || p == "." || p == outDir {
		return "", fmt.Errorf("output path %q is not below a directory of the layout", p)
	}
	if out, ok := strings.CutPrefix(p, outDir+"/"); ok {
		return out, nil
	}
	return "/" + p, nil
}

type messages struct{ action, command []byte }

// encode makes the canonical encoding of a step. The working directory of the
// REAPI Command is empty, which means the input root: output paths are relative
// to it, and some servers reject "../out/x". The directory where the process
// starts is part of the layout, so it is a platform property like the layout
// itself.
func encode(ctx context.Context, compose func(context.Context, map[string]store.Digest) (store.Digest, error), step Step) (*messages, error) {
	if err := step.check(); err != nil {
		return nil, err
	}
	trees := map[string]store.Digest{}
	for _, in := range step.Inputs {
		trees[in.Path] = in.Tree
	}
	root, err := compose(ctx, trees)
	if err != nil {
		return nil, fmt.Errorf("step %s: %w", step.Name, err)
	}
	command := &reapi.Command{Arguments: step.Argv}
	for _, name := range slices.Sorted(maps.Keys(step.Env)) {
		command.EnvironmentVariables = append(command.EnvironmentVariables,
			&reapi.EnvironmentVariable{Name: name, Value: step.Env[name]})
	}
	for _, out := range step.Outputs {
		command.OutputPaths = append(command.OutputPaths, outputPath(out))
	}
	slices.Sort(command.OutputPaths)
	m := &messages{}
	if m.command, err = reapi.Marshal(command); err != nil {
		return nil, fmt.Errorf("step %s: %w", step.Name, err)
	}
	m.action, err = reapi.Marshal(&reapi.Action{
		CommandDigest:   store.DigestOf(m.command).ToProto(),
		InputRootDigest: root.ToProto(),
		DoNotCache:      step.private(),
		Platform:        platform(step),
	})
	if err != nil {
		return nil, fmt.Errorf("step %s: %w", step.Name, err)
	}
	return m, nil
}

func platform(step Step) *reapi.Platform {
	properties := map[string]string{PropertyOS: "linux"}
	maps.Copy(properties, step.Platform)
	properties[PropertyLayout] = strconv.Itoa(layout.Version)
	properties[PropertyDir] = step.Dir
	p := &reapi.Platform{}
	for name, value := range properties {
		p.Properties = append(p.Properties, &reapi.Property{Name: name, Value: value})
	}
	slices.SortFunc(p.Properties, func(a, b *reapi.Property) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

// private reports whether results must not be stored: network responses are not
// part of the identity; nor are the values of secrets, which may be in the
// outputs.
func (s Step) private() bool { return s.Network || len(s.Secrets) > 0 }

// check rejects values that two machines could interpret differently.
func (s Step) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("step %s: "+format, append([]any{s.Name}, args...)...)
	}
	if len(s.Argv) == 0 || !path.IsAbs(s.Argv[0]) {
		return bad("the program must be an absolute path: %q", s.Argv)
	}
	if !path.IsAbs(s.Dir) || path.Clean(s.Dir) != s.Dir {
		return bad("working directory %q: want a clean absolute path", s.Dir)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(s.Env)), slices.Collect(maps.Keys(s.Secrets))) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return bad("bad name of an environment variable %q", name)
		}
	}
	for name := range s.Secrets {
		if _, open := s.Env[name]; open {
			return bad("%s is a secret and is not", name)
		}
	}
	places := map[string]bool{}
	for _, in := range s.Inputs {
		if in.Path == "" || strings.Contains(in.Path, "/") || in.Path == outDir {
			return bad("input path %q: want a first level name of the layout", in.Path)
		}
		if places[in.Path] {
			return bad("two inputs at %q", in.Path)
		}
		places[in.Path] = true
	}
	outs := slices.Sorted(slices.Values(s.Outputs))
	for i, out := range outs {
		if rel := strings.TrimPrefix(out, "/"); !fs.ValidPath(rel) || rel == "." {
			return bad("output %q: want a clean path", out)
		}
		if strings.HasPrefix(out, "/"+outDir+"/") || out == "/"+outDir {
			return bad("output %q: paths below /out are written without it", out)
		}
		if i > 0 && outs[i-1] == out {
			return bad("two outputs %q", out)
		}
	}
	for _, name := range []string{PropertyLayout, PropertyDir} {
		if _, there := s.Platform[name]; there {
			return bad("platform property %q is not the step's to set", name)
		}
	}
	return nil
}
