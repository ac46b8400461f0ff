package remote

import (
	"context"
	"errors"
	"io"
	"time"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// server is a protocol of caches. What it returns is not verified. The error of
// a result or blob that the server does not have is errNotThere.
type server interface {
	// limits asks what the server supports.
	limits(ctx context.Context) (limits, error)
	result(ctx context.Context, action store.Digest) (*reapi.ActionResult, error)
	putResult(ctx context.Context, action store.Digest, r *reapi.ActionResult) error
	// missing returns those of some blobs that the server does not have.
	missing(ctx context.Context, blobs []store.Digest) ([]store.Digest, error)
	// readBatch calls fn with the content of each blob; their sizes are within
	// limits.batch together.
	readBatch(ctx context.Context, blobs []store.Digest, fn func(store.Digest, []byte) error) error
	writeBatch(ctx context.Context, blobs []blob) error
	// read returns the content of a blob from an offset on. The reader ends with
	// an error when the connection does.
	read(ctx context.Context, d store.Digest, offset int64) (io.ReadCloser, error)
	// write stores a blob. open returns its content from the start and may be
	// called again.
	write(ctx context.Context, d store.Digest, open func() (io.ReadCloser, error)) error
}

// limits is what a server supports.
type limits struct {
	batch    int64  // largest sum of sizes in a batch; 0: no batches
	blob     int64  // largest blob; 0: any
	writable bool   // results can be written
	zstd     bool   // large blobs may be compressed
	text     string // for people
}

// blob is a small blob with its content.
type blob struct {
	digest store.Digest
	data   []byte
}

var errNotThere = errors.New("not in the cache")

// errStalled ends a transfer in which nothing arrives.
var errStalled = errors.New("no data for too long")

// slowest is the lowest rate of a transfer that is waited for, in bytes per
// second: below it, compiling is faster.
const slowest = 64 << 10

// watch returns a context that ends when progress is not called for the time
// stall, and when a transfer of size bytes is slower than slowest.
func watch(ctx context.Context, stall time.Duration, size int64) (_ context.Context, progress, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(stall, func() { cancel(errStalled) })
	all := time.AfterFunc(allowed(stall, size), func() { cancel(errStalled) })
	return ctx, func() { idle.Reset(stall) }, func() { idle.Stop(); all.Stop(); cancel(nil) }
}

// within returns a context for a call with one answer, which ends when a transfer
// of size bytes would be slower than slowest.
func within(ctx context.Context, stall time.Duration, size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, allowed(stall, size), errStalled)
}

func allowed(stall time.Duration, size int64) time.Duration {
	return stall + time.Duration(float64(size)/slowest*float64(time.Second))
}

// because returns the reason why ctx ended in place of the error that followed.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
