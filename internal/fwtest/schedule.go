package fwtest

import (
	"context"
	"errors"
	"sync"
)

// Job is one test of a program.
type Job struct {
	Program *Program
	Test    Test
}

// errStopped ends the workers after FailFast.
var errStopped = errors.New("stopped after a failure")

// Run runs jobs on Workers boards at a time and calls report with the results in
// the order of the jobs. The error is of a board or of ctx; a test that fails is
// none.
func (r *Runner) Run(ctx context.Context, jobs []Job, report func(Result)) error {
	boots := map[*Program]*boot{}
	for _, j := range jobs {
		if boots[j.Program] == nil {
			boots[j.Program] = &boot{}
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		results []Result
		err     error
	}
	done := make([]chan outcome, len(jobs))
	for i := range done {
		done[i] = make(chan outcome, 1)
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(1, min(r.Workers, len(jobs))) {
		wg.Go(func() {
			for i := range next {
				results, err := r.test(ctx, jobs[i].Program, jobs[i].Test, boots[jobs[i].Program])
				done[i] <- outcome{results, err}
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range jobs {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	defer wg.Wait()
	for i := range jobs {
		select {
		case o := <-done[i]:
			if o.err != nil {
				cancel(o.err)
				return o.err
			}
			for _, res := range o.results {
				report(res)
				if r.FailFast && res.Outcome == Failed {
					cancel(errStopped)
					return nil
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
