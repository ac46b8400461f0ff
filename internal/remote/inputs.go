package remote

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"path"
	"slices"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// prepared is an action that executes a step on a worker.
type prepared struct {
	action  store.Digest
	command store.Digest
	inputs  map[string]store.Digest // trees by name, with JobDir
	root    store.Digest
}

// prepare writes the messages of an action to the store.
func (c *Cluster) prepare(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions, id store.Digest) (prepared, error) {
	fail := func(err error) (prepared, error) { return prepared{}, &storeError{err} }
	if _, err := action.Put(ctx, st, step); err != nil {
		return fail(err)
	}
	plain, command, err := action.Messages(ctx, st, step)
	if err != nil {
		return fail(err)
	}
	p := prepared{inputs: map[string]store.Digest{}}
	named := map[string]string{}
	for _, in := range step.Inputs {
		p.inputs[in.Path], named[in.Path] = in.Tree, in.Tree.Hash
	}
	job, err := EncodeJob(Job{Step: id.Hash, Inputs: named, Observe: opts.Observe, OnFailure: opts.OnFailure})
	if err != nil {
		return fail(err)
	}
	p.inputs[JobDir], err = st.MakeTree(ctx, func(b *store.TreeBuilder) error {
		src := b.Source("the job of a worker")
		program, err := c.Program()
		if err != nil {
			return err
		}
		defer program.Close()
		if _, err := src.File(ctx, JobProgram, true, program); err != nil {
			return err
		}
		for name, data := range map[string][]byte{JobFile: job, JobAction: plain, JobCommand: command} {
			if _, err := src.File(ctx, name, false, bytes.NewReader(data)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fail(err)
	}
	if p.root, err = st.Compose(ctx, p.inputs); err != nil {
		return fail(err)
	}
	m := &reapi.Command{Arguments: []string{JobDir + "/" + JobProgram, ExecuteArg}, OutputPaths: []string{path.Join(ResultDir, ReportFile)}}
	for _, out := range step.Outputs {
		m.OutputPaths = append(m.OutputPaths, ResultPath(out))
	}
	slices.Sort(m.OutputPaths)
	if p.command, err = put(ctx, st, m); err != nil {
		return fail(err)
	}
	p.action, err = put(ctx, st, &reapi.Action{
		CommandDigest: p.command.ToProto(), InputRootDigest: p.root.ToProto(), Platform: c.platform(step),
	})
	if err != nil {
		return fail(err)
	}
	return p, nil
}

// ResultPath is where a worker puts an output of a step.
func ResultPath(output string) string { return path.Join(ResultDir, action.OutputPath(output)) }

func put(ctx context.Context, st *store.Store, m reapi.Message) (store.Digest, error) {
	b, err := reapi.Marshal(m)
	if err != nil {
		return store.Digest{}, err
	}
	return st.PutBytes(ctx, b)
}

// platform has what a server needs to choose a worker: of the step, the operating
// system and the processor, which are the properties that REAPI defines.
func (c *Cluster) platform(step action.Step) *reapi.Platform {
	all := map[string]string{action.PropertyOS: "linux"}
	for _, name := range []string{action.PropertyOS, action.PropertyISA} {
		if v, ok := step.Platform[name]; ok {
			all[name] = v
		}
	}
	maps.Copy(all, c.Properties)
	p := &reapi.Platform{}
	for name, value := range all {
		p.Properties = append(p.Properties, &reapi.Property{Name: name, Value: value})
	}
	slices.SortFunc(p.Properties, func(a, b *reapi.Property) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

// sendInputs writes what the server lacks of an action. Trees that this command
// has sent before are not asked for, unless again is set.
func (c *Cluster) sendInputs(ctx context.Context, st *store.Store, p prepared, again bool) error {
	all := map[string]source{}
	add := func(d store.Digest) {
		all[d.Hash] = source{d, func(ctx context.Context) (io.ReadCloser, error) { return st.Get(ctx, d) }}
	}
	add(p.action)
	add(p.command)
	add(p.root)
	var trees []store.Digest
	c.mu.Lock()
	for _, tree := range p.inputs {
		if again || !c.sent[tree.Hash] {
			trees = append(trees, tree)
		}
	}
	c.mu.Unlock()
	for _, tree := range trees {
		err := st.Walk(ctx, tree, func(e store.Entry) error {
			switch e.Type {
			case store.TypeDir:
				add(e.Digest)
			case store.TypeFile:
				all[e.Digest.Hash] = source{e.Digest, func(ctx context.Context) (io.ReadCloser, error) { return st.Open(ctx, e) }}
			}
			return nil
		})
		if err != nil {
			return &storeError{err}
		}
	}
	if err := c.content.send(ctx, all); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tree := range trees {
		c.sent[tree.Hash] = true
	}
	return nil
}
