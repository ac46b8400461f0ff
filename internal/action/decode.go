package action

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// maxMessage bounds the size of an Action or Command message, in bytes.
const maxMessage = 16 << 20

// Get reads a step that Put wrote. Its Name, which is not part of the identity,
// is empty; for a step with Secrets, Network is set. An Action that espalier
// cannot have written, such as one of another layout version, is an error.
func Get(ctx context.Context, st *store.Store, digest store.Digest) (Step, error) {
	fail := func(err error) (Step, error) { return Step{}, fmt.Errorf("reading action %s: %w", digest, err) }
	var a reapi.Action
	if err := read(ctx, st, digest, &a); err != nil {
		return fail(err)
	}
	commandDigest, err1 := store.DigestFromProto(a.CommandDigest)
	root, err2 := store.DigestFromProto(a.InputRootDigest)
	if err := errors.Join(err1, err2); err != nil {
		return fail(err)
	}
	var c reapi.Command
	if err := read(ctx, st, commandDigest, &c); err != nil {
		return fail(err)
	}
	step, err := decode(&a, &c)
	if err != nil {
		return fail(err)
	}
	err = st.Walk(ctx, root, func(e store.Entry) error {
		switch {
		case e.Path == "":
			return nil
		case e.Type != store.TypeDir:
			return fmt.Errorf("input root has a %s at %s", e.Type, e.Path)
		}
		step.Inputs = append(step.Inputs, Input{Path: e.Path, Tree: e.Digest})
		return fs.SkipDir
	})
	if err != nil {
		return fail(err)
	}
	again, err := Digest(ctx, st, step)
	if err != nil {
		return fail(err)
	}
	if again.Hash != digest.Hash {
		return fail(fmt.Errorf("it has fields that a step of layout %d does not have", layout.Version))
	}
	return step, nil
}

func read(ctx context.Context, st *store.Store, d store.Digest, m reapi.Message) error {
	b, err := st.ReadBlob(ctx, d, maxMessage)
	if err != nil {
		return err
	}
	return reapi.Unmarshal(b, m)
}

// decode is the inverse of encode, without the input root.
func decode(a *reapi.Action, c *reapi.Command) (Step, error) {
	step := Step{Argv: c.Arguments, Env: map[string]string{}, Platform: map[string]string{}, Network: a.DoNotCache}
	for _, v := range c.EnvironmentVariables {
		step.Env[v.Name] = v.Value
	}
	for _, p := range c.OutputPaths {
		out, err := outputName(p)
		if err != nil {
			return Step{}, err
		}
		step.Outputs = append(step.Outputs, out)
	}
	for _, p := range a.Platform.GetProperties() {
		switch p.Name {
		case PropertyDir:
			step.Dir = p.Value
		case PropertyLayout:
			if p.Value != strconv.Itoa(layout.Version) {
				return Step{}, fmt.Errorf("it has layout %s, this program %d", p.Value, layout.Version)
			}
		default:
			step.Platform[p.Name] = p.Value
		}
	}
	return step, nil
}
