package remote

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/remote/grpc"
	"espalier.dev/espalier/internal/store"
)

// piece is the size of one message of a written blob.
const piece = 256 << 10

// largestWindow bounds the memory of a decompression.
const largestWindow = 32 << 20

// resource is the name of a blob in the ByteStream service: offsets of reads
// count bytes that are not compressed, also for a compressed blob.
func (s *grpcServer) resource(d store.Digest, prefix string) string {
	kind := "blobs"
	if s.zstd {
		kind = "compressed-blobs/zstd"
	}
	name := fmt.Sprintf("%s%s/%s/%d", prefix, kind, d.Hash, d.Size)
	if s.instance != "" {
		name = s.instance + "/" + name
	}
	return name
}

func (s *grpcServer) read(ctx context.Context, d store.Digest, offset int64) (io.ReadCloser, error) {
	ctx, progress, stop := watch(ctx, s.stall, d.Size-offset)
	stream, err := s.conn.Stream(ctx, serviceByteStream+"Read", &reapi.ReadRequest{ResourceName: s.resource(d, ""), ReadOffset: offset})
	if err != nil {
		err = because(ctx, err)
		stop()
		if grpc.CodeOf(err) == grpc.NotFound {
			err = errNotThere
		}
		return nil, err
	}
	r := &streamReader{ctx: ctx, stream: stream, progress: progress, stop: stop}
	if !s.zstd {
		return r, nil
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(largestWindow), zstd.WithDecoderMaxWindow(largestWindow))
	if err != nil {
		r.Close()
		return nil, err
	}
	return &zstdReader{z, r}, nil
}

// streamReader is the content of a ByteStream.Read.
type streamReader struct {
	ctx      context.Context
	stream   *grpc.Stream
	progress func()
	stop     func()
	rest     []byte
}

func (r *streamReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		var m reapi.ReadResponse
		err := r.stream.Next(&m)
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			err = because(r.ctx, err)
			if grpc.CodeOf(err) == grpc.NotFound {
				err = errNotThere
			}
			return 0, err
		}
		if r.rest = m.Data; len(r.rest) > 0 { // empty messages are no progress
			r.progress()
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *streamReader) Close() error {
	r.stop()
	r.stream.Close()
	return nil
}

type zstdReader struct {
	*zstd.Decoder
	from *streamReader
}

func (r *zstdReader) Close() error {
	r.Decoder.Close()
	return r.from.Close()
}

// write sends a blob. After an interruption it continues at what the server has,
// if that counts plain bytes, as without compression.
func (s *grpcServer) write(ctx context.Context, d store.Digest, open func() (io.ReadCloser, error)) error {
	name := s.resource(d, "uploads/"+uuid()+"/")
	var from int64
	for n := 1; ; n++ {
		err := s.writeFrom(ctx, name, d, from, open)
		if grpc.CodeOf(err) == grpc.AlreadyExists {
			return nil
		}
		if !transient(err) || n == attempts || pause(ctx, n) != nil {
			return err
		}
		if from = s.committed(ctx, name); from == d.Size {
			return nil
		}
	}
}

// committed asks how much of an interrupted write the server has; 0 if it cannot
// say.
func (s *grpcServer) committed(ctx context.Context, name string) int64 {
	m, err := unary(ctx, s, 0, serviceByteStream+"QueryWriteStatus", &reapi.QueryWriteStatusRequest{ResourceName: name},
		func() *reapi.QueryWriteStatusResponse { return &reapi.QueryWriteStatusResponse{} })
	if err != nil || s.zstd || m.CommittedSize < 0 {
		return 0
	}
	return m.CommittedSize
}

func (s *grpcServer) writeFrom(ctx context.Context, name string, d store.Digest, from int64, open func() (io.ReadCloser, error)) error {
	content, err := open()
	if err != nil {
		return err
	}
	defer content.Close()
	if from > d.Size {
		return fmt.Errorf("the server has %d bytes of a blob of %d", from, d.Size)
	}
	if _, err := io.CopyN(io.Discard, content, from); err != nil {
		return err
	}
	var body io.Reader = content
	if s.zstd {
		r, w := io.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.CloseWithError(compress(w, content))
		}()
		defer func() { r.Close(); <-ended }()
		body = r
	}
	ctx, progress, stop := watch(ctx, s.stall, d.Size)
	defer stop()
	at, done := from, false
	buf := make([]byte, piece)
	next := func() (reapi.Message, error) {
		if done {
			return nil, io.EOF
		}
		k, err := io.ReadFull(body, buf)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			done = true
		} else if err != nil {
			return nil, err
		}
		m := &reapi.WriteRequest{WriteOffset: at, FinishWrite: done, Data: buf[:k]}
		if at == from {
			m.ResourceName = name
		}
		at += int64(k)
		progress()
		return m, nil
	}
	var resp reapi.WriteResponse
	if err := s.conn.Upload(ctx, serviceByteStream+"Write", next, &resp); err != nil {
		return because(ctx, err)
	}
	// The size is that of what was sent; a server that has the blob already may
	// answer early, for a compressed one with -1.
	if n := resp.CommittedSize; n != d.Size && n != at && n != -1 {
		return fmt.Errorf("the server has stored %d bytes of a blob of %d", n, d.Size)
	}
	return nil
}

func compress(w io.Writer, r io.Reader) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, r); err != nil {
		z.Close()
		return err
	}
	return z.Close()
}

// uuid names an upload: random, version 4 of RFC 9562.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
