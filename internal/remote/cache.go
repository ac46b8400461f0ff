package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/store"
)

// transfers is how many blobs are moved at a time.
const transfers = 8

// Cache is a shared cache. It is safe for concurrent use; a nil Cache has
// nothing and takes nothing.
type Cache struct {
	cfg  Config
	name string // the address, for messages
	role string // "cache" or "cluster", for messages
	srv  server

	mu    sync.Mutex
	ready bool // limits were asked for
	limit limits
	lost  bool // warned: not used any more

	uploads errgroup.Group
}

// Name is the address without anything secret.
func (c *Cache) Name() string { return c.name }

// Check asks the server what it supports, for people.
func (c *Cache) Check(ctx context.Context) (string, error) {
	l, err := c.srv.limits(ctx)
	if err != nil {
		return "", errors.New(cause(err))
	}
	return l.text, nil
}

// Find returns the result of an action that has these outputs, with the digests
// of its trees and with its logs in st. Its files may not be in st: Fetch gets
// them. The error is store.ErrMissing when the cache has no result, and when it
// cannot be used; else that of st or ctx.
func (c *Cache) Find(ctx context.Context, st *store.Store, id store.Digest, outputs []string) (action.Result, error) {
	none := fmt.Errorf("result of action %s: %w", id, store.ErrMissing)
	if c == nil {
		return action.Result{}, none
	}
	p, err := recorded(ctx, st, id)
	known := err == nil
	if !known {
		if !c.use(ctx) {
			return action.Result{}, none
		}
		p, err = c.srv.result(ctx, id)
	}
	var res action.Result
	if err == nil {
		res, err = c.describe(ctx, st, p, outputs)
	}
	if err == nil && !known {
		err = record(ctx, st, id, p)
	}
	if err != nil {
		return action.Result{}, c.missed(ctx, "reading the result of action "+id.Hash[:12], err, none)
	}
	res.Digest, res.Hermetic, res.Cached = id, true, true
	return res, nil
}

// Fetch is Find with the content: the result is then also one of st.
func (c *Cache) Fetch(ctx context.Context, st *store.Store, id store.Digest, outputs []string, what string) (action.Result, error) {
	res, err := c.Find(ctx, st, id, outputs)
	if err != nil || st.ReadOnly() {
		return res, err
	}
	if err = c.content(ctx, st, res, what); err == nil {
		err = keep(ctx, st, res)
	}
	if err != nil {
		none := fmt.Errorf("result of action %s: %w", id, store.ErrMissing)
		return action.Result{}, c.missed(ctx, "reading the result of action "+id.Hash[:12], err, none)
	}
	return action.Load(ctx, st, id, true)
}

// keep stores a result. The key of a memo is no Action, so action.Save does not
// take it.
func keep(ctx context.Context, st *store.Store, res action.Result) error {
	p, err := action.ToProto(ctx, st, res)
	if err == nil {
		err = st.PutResult(ctx, res.Digest, p, true)
	}
	return ofStore(err)
}

// Offer writes a hermetic result of st to the cache, in the background: first
// the content that the cache lacks, then the result. Wait waits for it.
func (c *Cache) Offer(ctx context.Context, st *store.Store, id store.Digest) {
	if c == nil || !c.cfg.Write || !c.use(ctx) {
		return
	}
	if !c.limits().writable {
		c.lose("the server does not accept results")
		return
	}
	c.uploads.Go(func() error {
		if err := c.upload(ctx, st, id); err != nil {
			_ = c.missed(ctx, "writing the result of action "+id.Hash[:12], err, nil)
		}
		return nil
	})
}

// Wait waits until everything that was offered is written, or will not be.
func (c *Cache) Wait() {
	if c != nil {
		_ = c.uploads.Wait()
	}
}

// use reports whether the cache can be used, and asks for its limits once.
func (c *Cache) use(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready || c.lost {
		return !c.lost
	}
	l, err := c.srv.limits(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.loseLocked(connecting(err))
		}
		return false
	}
	c.ready, c.limit = true, l
	c.cfg.Debug("cache %s: %s", c.name, l.text)
	return true
}

func (c *Cache) limits() limits {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limit
}

func (c *Cache) lose(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loseLocked(why)
}

func (c *Cache) loseLocked(why string) {
	if !c.lost {
		c.lost = true
		c.cfg.Warn(fmt.Sprintf("cache %s: %s; continuing without it", c.name, why))
	}
}

// missed turns an error into none, after a warning if the server is to blame.
// Content that was removed from a cache is not: caches forget.
func (c *Cache) missed(ctx context.Context, doing string, err, none error) error {
	var local *storeError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &local):
		return local.error
	case errors.Is(err, errNotThere):
		c.cfg.Debug("cache %s: %s: %v", c.name, doing, err)
	default:
		c.lose(doing + ": " + cause(err))
	}
	return none
}

// storeError is an error of the local store, for which the server is not to
// blame.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// ofStore marks an error of the local store, unless it says that received
// content was wrong.
func ofStore(err error) error {
	var wrong *store.MismatchError
	if err == nil || errors.As(err, &wrong) || errors.Is(err, store.ErrMissing) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &storeError{err}
}
