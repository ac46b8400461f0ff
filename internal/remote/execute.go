package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/remote/grpc"
	"espalier.dev/espalier/internal/store"
)

const (
	serviceExecution  = "build.bazel.remote.execution.v2.Execution/"
	serviceOperations = "google.longrunning.Operations/"
)

// How long a server that executes an action is waited for when the connection to
// it is lost: it may be started again meanwhile. interruptions bounds what a
// server can ask for that ends each time after it has sent something.
const (
	absence       = time.Minute
	interruptions = 100
)

// await executes an action and waits for its end. When the connection is lost, it
// asks for the same execution again, and a server that has forgotten it executes
// the action again.
func (c *Cluster) await(ctx context.Context, id store.Digest, task progress.Task) (*reapi.ActionResult, error) {
	name := ""
	defer func() {
		if ctx.Err() != nil && name != "" {
			c.cancel(ctx, name)
		}
	}()
	heard := time.Now()
	for n := 1; ; n++ {
		resp, err := c.follow(ctx, id, &name, func(state string) { heard = time.Now(); task.Item(state) })
		if err == nil {
			return c.ended(resp)
		}
		if name != "" && grpc.CodeOf(err) == grpc.NotFound {
			name = "" // the server was started again without its queue
			err = io.ErrUnexpectedEOF
		}
		if !transient(err) && !refused(err) || n == interruptions || time.Since(heard) > absence || ctx.Err() != nil {
			return nil, err
		}
		c.content.cfg.Debug("cluster %s: %v; asking again", c.Name(), err)
		task.Item("reconnecting")
		if err := pauseFor(ctx, min(time.Duration(n)*300*time.Millisecond, 3*time.Second)); err != nil {
			return nil, err
		}
	}
}

// follow reads the states of an execution until it has ended. name is that of the
// execution, "" before there is one; state receives each state, for people.
func (c *Cluster) follow(ctx context.Context, id store.Digest, name *string, state func(string)) (*reapi.ExecuteResponse, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var s *grpc.Stream
	var err error
	if *name == "" {
		s, err = c.conn.conn.Stream(ctx, serviceExecution+"Execute", &reapi.ExecuteRequest{InstanceName: c.conn.instance, ActionDigest: id.ToProto()})
	} else {
		s, err = c.conn.conn.Stream(ctx, serviceExecution+"WaitExecution", &reapi.WaitExecutionRequest{Name: *name})
	}
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for {
		var op reapi.Operation
		if err := s.Next(&op); err != nil {
			if err == io.EOF {
				err = fmt.Errorf("the server ended the stream of an execution before its end: %w", io.ErrUnexpectedEOF)
			}
			return nil, err
		}
		if op.Name != "" {
			*name = op.Name
		}
		if !op.Done {
			state(stage(op.Metadata))
			continue
		}
		if op.Error != nil && op.Error.Code != 0 {
			return nil, &grpc.Error{Code: grpc.Code(op.Error.Code), Message: op.Error.Message}
		}
		return response(op.Response)
	}
}

func response(a *reapi.Any) (*reapi.ExecuteResponse, error) {
	if a == nil || a.TypeURL != reapi.TypeExecuteResponse {
		return nil, errors.New("an execution ended without a response")
	}
	var r reapi.ExecuteResponse
	if err := reapi.Unmarshal(a.Value, &r); err != nil {
		return nil, fmt.Errorf("the response of an execution: %w", err)
	}
	return &r, nil
}

// stage is how far an execution is, for people.
func stage(a *reapi.Any) string {
	var m reapi.ExecuteOperationMetadata
	if a == nil || a.TypeURL != reapi.TypeExecuteMetadata || reapi.Unmarshal(a.Value, &m) != nil {
		return "waiting"
	}
	switch m.Stage {
	case reapi.StageQueued:
		return "waiting for a worker"
	case reapi.StageExecuting:
		return "running"
	}
	return "waiting"
}

// ended returns the result of an execution that has ended.
func (c *Cluster) ended(r *reapi.ExecuteResponse) (*reapi.ActionResult, error) {
	if r.Status != nil && r.Status.Code != 0 {
		return nil, &grpc.Error{Code: grpc.Code(r.Status.Code), Message: r.Status.Message}
	}
	if r.Result == nil {
		return nil, errors.New("an execution ended without a result")
	}
	return r.Result, nil
}

// isMissingInput reports whether a server lacks an input that it had before.
func isMissingInput(err error) bool {
	code := grpc.CodeOf(err)
	return code == grpc.FailedPrecondition || code == grpc.NotFound || errors.Is(err, errNotThere)
}

// refused reports whether a connection could not be made: a server that executes
// an action is worth waiting for while it is started again.
func refused(err error) bool {
	var status *grpc.Error
	return err != nil && !errors.As(err, &status) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

func pauseFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cancel asks the server to stop an execution whose result is not wanted any
// more. It may refuse: others may wait for the same action.
func (c *Cluster) cancel(ctx context.Context, name string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	if err := c.conn.conn.Call(ctx, serviceOperations+"CancelOperation", &reapi.WaitExecutionRequest{Name: name}, &reapi.Empty{}); err != nil {
		c.content.cfg.Debug("cluster %s: stopping an execution: %v", c.Name(), err)
	}
}
