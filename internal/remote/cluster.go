package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// Cluster runs steps on the workers of a server of the Remote Execution API. It
// is an action.Executor. The workers need nothing of espalier: the program that
// sets up the sandbox of the step is an input of the action.
//
// A step with the network or secrets runs on this machine. So does every step
// after the server could not be used, with one warning.
type Cluster struct {
	// Local runs what the cluster does not; nil when this machine cannot run
	// steps.
	Local action.Executor

	// Program opens the executable that runs a step on a worker: espalier for the
	// operating system and the processor of the workers, statically linked.
	Program func() (io.ReadCloser, error)

	// Properties are platform properties that the server needs to choose a worker,
	// besides the step's operating system and processor.
	Properties map[string]string

	name    string
	conn    *grpcServer // executes
	content *Cache      // its storage

	mu   sync.Mutex
	open bool
	lost bool            // warned: steps run on this machine
	sent map[string]bool // hashes of trees that the server has
}

// NewCluster prepares the use of a server that executes actions and of the one
// with its storage, which may be the same; it makes no connection. Both schemes
// must be grpc or grpcs. Errors are faults of kind Usage.
func NewCluster(execution, storage Config) (*Cluster, error) {
	e, err1 := newGRPC(execution)
	s, err2 := newGRPC(storage)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &Cluster{content: s, name: e.name, conn: e.srv.(*grpcServer), sent: map[string]bool{}}, nil
}

func newGRPC(cfg Config) (*Cache, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if _, ok := c.srv.(*grpcServer); !ok {
		return nil, fault.New(fault.Usage, fmt.Sprintf("cluster %s: executing steps needs grpcs:// or grpc://", c.name))
	}
	c.role = "cluster"
	return c, nil
}

// Name is the address without anything secret.
func (c *Cluster) Name() string { return c.name }

// Check asks the servers what they support, for people.
func (c *Cluster) Check(ctx context.Context) (string, error) {
	l, err := c.limits(ctx)
	if err != nil {
		return "", errors.New(cause(err))
	}
	return l.text + ", executes actions", nil
}

// limits are those of the storage.
func (c *Cluster) limits(ctx context.Context) (limits, error) {
	l, err := c.conn.executes(ctx)
	if err == nil && !l {
		err = errors.New("the server does not execute actions")
	}
	if err != nil {
		return limits{}, err
	}
	return c.content.srv.limits(ctx)
}

// Run implements action.Executor.
func (c *Cluster) Run(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions) (action.Result, error) {
	if step.Network || len(step.Secrets) > 0 || st.ReadOnly() {
		return c.local(ctx, st, step, opts, "it uses the network, secrets or a store that cannot be written")
	}
	why, err := c.connect(ctx)
	if err != nil {
		return action.Result{}, err
	}
	if why != "" {
		return c.local(ctx, st, step, opts, why)
	}
	res, err := c.run(ctx, st, step, opts)
	var local *storeError
	var f *fault.Error
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return action.Result{}, interrupted(ctx)
	case errors.As(err, &local):
		return action.Result{}, local.error
	case errors.As(err, &f):
		return action.Result{}, err
	}
	return c.local(ctx, st, step, opts, c.lose("executing "+step.Name+": "+cause(err)))
}

func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.Timeout, context.Cause(ctx), "the step was stopped")
	}
	return fault.Wrap(fault.Interrupted, context.Cause(ctx), "the step was stopped")
}

// local runs a step on this machine.
func (c *Cluster) local(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions, why string) (action.Result, error) {
	if c.Local == nil {
		return action.Result{}, fault.New(fault.Sandbox, fmt.Sprintf("cluster %s: %s, and this machine cannot run steps itself", c.Name(), why),
			"espalier doctor   # whether the cluster answers")
	}
	return c.Local.Run(ctx, st, step, opts)
}

// connect asks what the server supports, once. why is the reason not to use it.
func (c *Cluster) connect(ctx context.Context) (why string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open || c.lost {
		if c.lost {
			return "it cannot be used", nil
		}
		return "", nil
	}
	l, err := c.limits(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return "", interrupted(ctx)
		}
		return c.loseLocked(connecting(err)), nil
	}
	c.open = true
	c.content.mu.Lock()
	c.content.ready, c.content.limit = true, l
	c.content.mu.Unlock()
	c.content.cfg.Debug("cluster %s: %s", c.Name(), l.text)
	return "", nil
}

// lose warns once, unless there is nothing to continue with: then the error says
// the same. It returns why.
func (c *Cluster) lose(why string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loseLocked(why)
}

func (c *Cluster) loseLocked(why string) string {
	if !c.lost && c.Local != nil {
		c.content.cfg.Warn(fmt.Sprintf("cluster %s: %s; continuing on this machine", c.Name(), why))
	}
	c.lost = true
	return why
}

// run executes a step on the cluster. Errors are those of the store (storeError),
// faults for the user, and everything else: the cluster cannot be used.
func (c *Cluster) run(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions) (action.Result, error) {
	id, err := action.Digest(ctx, st, step)
	if err != nil {
		return action.Result{}, &storeError{err}
	}
	task := c.content.cfg.Report.Start("executing "+step.Name+" on the cluster", progress.Steps, 0)
	res, err := c.execute(ctx, st, step, opts, id, task)
	task.Done(err)
	return res, err
}

func (c *Cluster) execute(ctx context.Context, st *store.Store, step action.Step, opts action.RunOptions, id store.Digest, task progress.Task) (action.Result, error) {
	job, err := c.prepare(ctx, st, step, opts, id)
	if err != nil {
		return action.Result{}, err
	}
	for again := false; ; again = true {
		task.Item("sending inputs")
		if err := c.sendInputs(ctx, st, job, again); err != nil {
			return action.Result{}, err
		}
		p, err := c.await(ctx, job.action, task)
		if isMissingInput(err) && !again {
			continue // the server has forgotten what it had
		}
		if err != nil {
			return action.Result{}, err
		}
		task.Item("reading outputs")
		return c.result(ctx, st, step, opts, id, p)
	}
}

var _ action.Executor = (*Cluster)(nil)
