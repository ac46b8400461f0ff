package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/remote/grpc"
	"espalier.dev/espalier/internal/store"
)

// grpcServer is a server of the Remote Execution API.
type grpcServer struct {
	conn     *grpc.Conn
	instance string
	stall    time.Duration
	zstd     bool // set by limits, before anything else
}

const (
	serviceCapabilities = "build.bazel.remote.execution.v2.Capabilities/"
	serviceResults      = "build.bazel.remote.execution.v2.ActionCache/"
	serviceCAS          = "build.bazel.remote.execution.v2.ContentAddressableStorage/"
	serviceByteStream   = "google.bytestream.ByteStream/"
)

// largestBatch is below the 4 MiB that a gRPC message may have by default.
const largestBatch = 3 << 20

// perBlob is the time that a server may take for a blob, in bytes at the rate
// slowest: 1/16 second, of a disk that syncs each file.
const perBlob = slowest / 16

// attempts of a call that a server may have been too busy for.
const attempts = 3

// call makes a unary call, again when the server is busy. size is what is sent
// and received.
func (s *grpcServer) call(ctx context.Context, size int64, method string, req, resp func() reapi.Message) (reapi.Message, error) {
	for n := 1; ; n++ {
		deadline, stop := within(ctx, s.stall, size)
		m := resp()
		err := because(deadline, s.conn.Call(deadline, method, req(), m))
		stop()
		if grpc.CodeOf(err) == grpc.NotFound {
			return nil, errNotThere
		}
		if !transient(err) || n == attempts || pause(ctx, n) != nil {
			return m, err
		}
	}
}

// transient reports whether the same call may succeed later: the server is busy,
// or the connection was lost. A connection that cannot be made is not tried
// again: without a cache the build goes on at once.
func transient(err error) bool {
	var status *grpc.Error
	var dial *net.OpError
	switch {
	case err == nil, errors.Is(err, errStalled), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &status):
		return status.Code == grpc.Unavailable || status.Code == grpc.ResourceExhausted || status.Code == grpc.Aborted
	case errors.As(err, &dial) && dial.Op == "dial":
		return false
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &dial)
}

func pause(ctx context.Context, n int) error {
	t := time.NewTimer(time.Duration(n*n) * 100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func unary[Req, Resp reapi.Message](ctx context.Context, s *grpcServer, size int64, method string, req Req, resp func() Resp) (Resp, error) {
	m, err := s.call(ctx, size, method, func() reapi.Message { return req }, func() reapi.Message { return resp() })
	if err != nil {
		var zero Resp
		return zero, err
	}
	return m.(Resp), nil
}

func (s *grpcServer) capabilities(ctx context.Context) (*reapi.ServerCapabilities, error) {
	return unary(ctx, s, 0, serviceCapabilities+"GetCapabilities", &reapi.GetCapabilitiesRequest{InstanceName: s.instance},
		func() *reapi.ServerCapabilities { return &reapi.ServerCapabilities{} })
}

// executes asks whether the server executes actions.
func (s *grpcServer) executes(ctx context.Context) (bool, error) {
	m, err := s.capabilities(ctx)
	return err == nil && m.ExecutionCapabilities != nil && m.ExecutionCapabilities.ExecEnabled, err
}

func (s *grpcServer) limits(ctx context.Context) (limits, error) {
	m, err := s.capabilities(ctx)
	if err != nil {
		return limits{}, err
	}
	c := m.CacheCapabilities
	if c == nil {
		return limits{}, errors.New("the server has no cache")
	}
	if len(c.DigestFunctions) > 0 && !slices.Contains(c.DigestFunctions, reapi.DigestSHA256) {
		return limits{}, errors.New("the server does not support SHA-256")
	}
	l := limits{batch: largestBatch, blob: max(0, c.MaxCasBlobSizeBytes)}
	if n := c.MaxBatchTotalSizeBytes; n > 0 {
		l.batch = min(l.batch, n)
	}
	l.writable = c.ActionCacheUpdateCapabilities != nil && c.ActionCacheUpdateCapabilities.UpdateEnabled
	l.zstd = slices.Contains(c.SupportedCompressors, reapi.Zstd)
	s.zstd = l.zstd
	l.text = "Remote Execution API"
	if l.zstd {
		l.text += ", zstd"
	}
	if !l.writable {
		l.text += ", results cannot be written"
	}
	return l, nil
}

func (s *grpcServer) result(ctx context.Context, action store.Digest) (*reapi.ActionResult, error) {
	return unary(ctx, s, 0, serviceResults+"GetActionResult", &reapi.GetActionResultRequest{InstanceName: s.instance, ActionDigest: action.ToProto()},
		func() *reapi.ActionResult { return &reapi.ActionResult{} })
}

func (s *grpcServer) putResult(ctx context.Context, action store.Digest, r *reapi.ActionResult) error {
	_, err := unary(ctx, s, 0, serviceResults+"UpdateActionResult",
		&reapi.UpdateActionResultRequest{InstanceName: s.instance, ActionDigest: action.ToProto(), ActionResult: r},
		func() *reapi.ActionResult { return &reapi.ActionResult{} })
	return err
}

// asked is how many digests one request has: about 1 MB.
const asked = 12_000

func (s *grpcServer) missing(ctx context.Context, blobs []store.Digest) ([]store.Digest, error) {
	var out []store.Digest
	for part := range slices.Chunk(blobs, asked) {
		req := &reapi.FindMissingBlobsRequest{InstanceName: s.instance, BlobDigests: protos(part)}
		m, err := unary(ctx, s, 80*int64(len(part)), serviceCAS+"FindMissingBlobs", req,
			func() *reapi.FindMissingBlobsResponse { return &reapi.FindMissingBlobsResponse{} })
		if err != nil {
			return nil, err
		}
		for _, p := range m.MissingBlobDigests {
			d, err := store.DigestFromProto(p)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
	return out, nil
}

func protos(blobs []store.Digest) []*reapi.Digest {
	out := make([]*reapi.Digest, len(blobs))
	for i, d := range blobs {
		out[i] = d.ToProto()
	}
	return out
}

func (s *grpcServer) readBatch(ctx context.Context, blobs []store.Digest, fn func(store.Digest, []byte) error) error {
	m, err := unary(ctx, s, total(blobs)+perBlob*int64(len(blobs)), serviceCAS+"BatchReadBlobs", &reapi.BatchReadBlobsRequest{InstanceName: s.instance, Digests: protos(blobs)},
		func() *reapi.BatchReadBlobsResponse { return &reapi.BatchReadBlobsResponse{} })
	if err != nil {
		return err
	}
	got := map[string]bool{}
	for _, r := range m.Responses {
		d, err := store.DigestFromProto(r.Digest)
		if err != nil {
			return err
		}
		if err := statusOf(r.Status); err != nil {
			return fmt.Errorf("blob %s: %w", d, err)
		}
		if r.Compressor != 0 {
			return fmt.Errorf("blob %s is compressed, which was not asked for", d)
		}
		if got[d.Hash] || !slices.Contains(blobs, d) {
			return fmt.Errorf("blob %s was not asked for", d)
		}
		got[d.Hash] = true
		if err := fn(d, r.Data); err != nil {
			return err
		}
	}
	if len(got) < len(blobs) {
		return fmt.Errorf("%d of %d blobs in the answer", len(got), len(blobs))
	}
	return nil
}

func total(blobs []store.Digest) (n int64) {
	for _, d := range blobs {
		n += d.Size
	}
	return n
}

func (s *grpcServer) writeBatch(ctx context.Context, blobs []blob) error {
	req := &reapi.BatchUpdateBlobsRequest{InstanceName: s.instance}
	var size int64
	for _, b := range blobs {
		req.Requests = append(req.Requests, &reapi.BatchUpdate{Digest: b.digest.ToProto(), Data: b.data})
		size += b.digest.Size
	}
	m, err := unary(ctx, s, size+perBlob*int64(len(blobs)), serviceCAS+"BatchUpdateBlobs", req,
		func() *reapi.BatchUpdateBlobsResponse { return &reapi.BatchUpdateBlobsResponse{} })
	if err != nil {
		return err
	}
	for _, r := range m.Responses {
		if err := statusOf(r.Status); err != nil {
			return err
		}
	}
	return nil
}

// statusOf is the error of one blob of a batch.
func statusOf(p *reapi.Status) error {
	switch {
	case p == nil || p.Code == 0:
		return nil
	case grpc.Code(p.Code) == grpc.NotFound:
		return errNotThere
	}
	return &grpc.Error{Code: grpc.Code(p.Code), Message: p.Message}
}
