package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"espalier.dev/espalier/internal/store"
)

// liar is a cache in memory on the reference implementation of gRPC. Its hooks
// change what it says.
type liar struct {
	repb.UnimplementedActionCacheServer
	repb.UnimplementedContentAddressableStorageServer
	repb.UnimplementedCapabilitiesServer
	bytestream.UnimplementedByteStreamServer

	zstd bool

	mu      sync.Mutex
	blobs   map[string][]byte
	results map[string]*repb.ActionResult
	tokens  []string

	onResult  func(*repb.ActionResult)
	onBlob    func([]byte) []byte
	onRead    func(bytestream.ByteStream_ReadServer, []byte, int64) error // nil: the blob
	onMissing func(*repb.FindMissingBlobsResponse)
	onWrite   func(*bytestream.WriteResponse)
}

// serve starts it on a port that the system chooses.
func (l *liar) serve(t testing.TB, opts ...grpc.ServerOption) (address string) {
	t.Helper()
	l.blobs, l.results = map[string][]byte{}, map[string]*repb.ActionResult{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	repb.RegisterActionCacheServer(s, l)
	repb.RegisterContentAddressableStorageServer(s, l)
	repb.RegisterCapabilitiesServer(s, l)
	bytestream.RegisterByteStreamServer(s, l)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	return listener.Addr().String()
}

func (l *liar) GetCapabilities(ctx context.Context, _ *repb.GetCapabilitiesRequest) (*repb.ServerCapabilities, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	l.mu.Lock()
	l.tokens = append(l.tokens, md.Get("authorization")...)
	l.mu.Unlock()
	c := &repb.CacheCapabilities{
		DigestFunctions:               []repb.DigestFunction_Value{repb.DigestFunction_SHA256},
		ActionCacheUpdateCapabilities: &repb.ActionCacheUpdateCapabilities{UpdateEnabled: true},
		MaxBatchTotalSizeBytes:        1 << 20,
	}
	if l.zstd {
		c.SupportedCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
	}
	return &repb.ServerCapabilities{CacheCapabilities: c}, nil
}

func (l *liar) GetActionResult(_ context.Context, req *repb.GetActionResultRequest) (*repb.ActionResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.results[req.ActionDigest.Hash]
	if r == nil {
		return nil, status.Error(codes.NotFound, "no such result")
	}
	r = proto.Clone(r).(*repb.ActionResult)
	if l.onResult != nil {
		l.onResult(r)
	}
	return r, nil
}

func (l *liar) UpdateActionResult(_ context.Context, req *repb.UpdateActionResultRequest) (*repb.ActionResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results[req.ActionDigest.Hash] = req.ActionResult
	return req.ActionResult, nil
}

func (l *liar) FindMissingBlobs(_ context.Context, req *repb.FindMissingBlobsRequest) (*repb.FindMissingBlobsResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &repb.FindMissingBlobsResponse{}
	for _, d := range req.BlobDigests {
		if _, ok := l.blobs[d.Hash]; !ok {
			out.MissingBlobDigests = append(out.MissingBlobDigests, d)
		}
	}
	if l.onMissing != nil {
		l.onMissing(out)
	}
	return out, nil
}

func (l *liar) blob(hash string) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.blobs[hash]
	if ok && l.onBlob != nil {
		b = l.onBlob(bytes.Clone(b))
	}
	return b, ok
}

func (l *liar) BatchReadBlobs(_ context.Context, req *repb.BatchReadBlobsRequest) (*repb.BatchReadBlobsResponse, error) {
	out := &repb.BatchReadBlobsResponse{}
	for _, d := range req.Digests {
		r := &repb.BatchReadBlobsResponse_Response{Digest: d}
		b, ok := l.blob(d.Hash)
		if r.Data = b; !ok {
			r.Status = status.New(codes.NotFound, "no such blob").Proto()
		}
		out.Responses = append(out.Responses, r)
	}
	return out, nil
}

func (l *liar) BatchUpdateBlobs(_ context.Context, req *repb.BatchUpdateBlobsRequest) (*repb.BatchUpdateBlobsResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &repb.BatchUpdateBlobsResponse{}
	for _, r := range req.Requests {
		l.blobs[r.Digest.Hash] = r.Data
		out.Responses = append(out.Responses, &repb.BatchUpdateBlobsResponse_Response{Digest: r.Digest})
	}
	return out, nil
}

func (l *liar) Read(req *bytestream.ReadRequest, s bytestream.ByteStream_ReadServer) error {
	parts := strings.Split(req.ResourceName, "/")
	b, ok := l.blob(parts[len(parts)-2])
	if !ok {
		return status.Error(codes.NotFound, "no such blob")
	}
	if l.onRead != nil {
		return l.onRead(s, b, req.ReadOffset)
	}
	if b = b[min(int(req.ReadOffset), len(b)):]; l.zstd {
		b = squeeze(b)
	}
	for len(b) > 0 {
		n := min(len(b), 64<<10)
		if err := s.Send(&bytestream.ReadResponse{Data: b[:n]}); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func squeeze(b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

func (l *liar) Write(s bytestream.ByteStream_WriteServer) error {
	var all []byte
	name := ""
	for {
		m, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if m.ResourceName != "" {
			name = m.ResourceName
		}
		if m.WriteOffset != int64(len(all)) {
			return status.Errorf(codes.InvalidArgument, "offset %d after %d bytes", m.WriteOffset, len(all))
		}
		all = append(all, m.Data...)
	}
	resp := &bytestream.WriteResponse{CommittedSize: int64(len(all))}
	if l.zstd {
		z, err := zstd.NewReader(bytes.NewReader(all))
		if err != nil {
			return err
		}
		if all, err = io.ReadAll(z); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	parts := strings.Split(name, "/")
	if d := store.DigestOf(all); d.Hash != parts[len(parts)-2] || fmt.Sprint(d.Size) != parts[len(parts)-1] {
		return status.Errorf(codes.InvalidArgument, "%s is %s", name, d)
	}
	l.mu.Lock()
	l.blobs[parts[len(parts)-2]] = all
	l.mu.Unlock()
	if l.onWrite != nil {
		l.onWrite(resp)
	}
	return s.SendAndClose(resp)
}

// flip changes a byte of content that is long enough not to be a message.
func flip(b []byte) []byte {
	if len(b) > 64<<10 {
		b[len(b)/2] ^= 1
	}
	return b
}

func TestLyingServer(t *testing.T) {
	ctx := t.Context()
	a := open(t)
	want := result(t, a, "one", files(3))
	for name, c := range map[string]struct {
		lie  func(*liar)
		want string // in the warning; "": a miss without one
	}{
		"wrong bytes": {func(l *liar) { l.onBlob = flip }, "sha256 mismatch"},
		"wrong bytes of small files": {func(l *liar) {
			l.onBlob = func(b []byte) []byte {
				if len(b) == 100 {
					b[7]++
				}
				return b
			}
		}, "sha256 mismatch"},
		"wrong bytes, compressed": {func(l *liar) { l.zstd, l.onBlob = true, flip }, "sha256 mismatch"},
		"no zstd": {func(l *liar) {
			l.zstd = true
			l.onRead = func(s bytestream.ByteStream_ReadServer, b []byte, _ int64) error {
				return s.Send(&bytestream.ReadResponse{Data: b[:min(1000, len(b))]})
			}
		}, "invalid input"},
		"a bomb": {func(l *liar) {
			l.zstd = true
			l.onRead = func(s bytestream.ByteStream_ReadServer, _ []byte, _ int64) error {
				return s.Send(&bytestream.ReadResponse{Data: squeeze(make([]byte, 1<<26))})
			}
		}, "more than"},
		"an endless stream": {func(l *liar) {
			l.onRead = func(s bytestream.ByteStream_ReadServer, _ []byte, _ int64) error {
				for {
					if err := s.Send(&bytestream.ReadResponse{Data: make([]byte, 64<<10)}); err != nil {
						return err
					}
				}
			}
		}, "more than"},
		"a stream of nothing": {func(l *liar) {
			l.onRead = func(s bytestream.ByteStream_ReadServer, _ []byte, _ int64) error {
				for {
					if err := s.Send(&bytestream.ReadResponse{}); err != nil {
						return err
					}
				}
			}
		}, "no data for too long"},
		"a short stream": {func(l *liar) {
			l.onRead = func(s bytestream.ByteStream_ReadServer, b []byte, at int64) error {
				return s.Send(&bytestream.ReadResponse{Data: b[at:min(int(at)+10, len(b))]})
			}
		}, "unexpected EOF"},
		"silence": {func(l *liar) {
			l.onRead = func(s bytestream.ByteStream_ReadServer, _ []byte, _ int64) error { <-s.Context().Done(); return nil }
		}, "no data for too long"},
		"a failed action":  {func(l *liar) { l.onResult = func(r *repb.ActionResult) { r.ExitCode = 1 } }, "exit code 1"},
		"a missing output": {func(l *liar) { l.onResult = func(r *repb.ActionResult) { r.OutputFiles = nil } }, "it has the outputs"},
		"one output more": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) {
				r.OutputFiles = append(r.OutputFiles, &repb.OutputFile{Path: "out/more", Digest: r.OutputFiles[0].Digest})
			}
		}, "it has the outputs"},
		"an output elsewhere": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) { r.OutputFiles[0].Path = "../../etc/passwd" }
		}, "output path"},
		"a link": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) {
				r.OutputSymlinks = []*repb.OutputSymlink{{Path: "out/x", Target: "/etc/passwd"}}
			}
		}, "symlink"},
		"a directory without a tree": {func(l *liar) { l.onResult = func(r *repb.ActionResult) { r.OutputDirectories[0].TreeDigest = nil } }, "no Tree message"},
		"an enormous log": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) { r.StderrDigest.SizeBytes = 1 << 40 }
		}, "more than"},
		"an enormous output": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) { r.OutputFiles[0].Digest.SizeBytes = 1 << 40 }
		}, "more than"},
		"a negative size": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) { r.OutputFiles[0].Digest.SizeBytes = -5 }
		}, "size"},
		"another tree": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) { r.OutputDirectories[0].TreeDigest = r.OutputFiles[0].Digest }
		}, "Tree"},
		"a tree without its children": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) {
				var tree repb.Tree
				if err := proto.Unmarshal(l.blobs[r.OutputDirectories[0].TreeDigest.Hash], &tree); err != nil {
					panic(err)
				}
				r.OutputDirectories[0].TreeDigest = l.put(&repb.Tree{Root: tree.Root})
			}
		}, "not in the store"},
		"a name with a slash": {func(l *liar) {
			l.onResult = func(r *repb.ActionResult) {
				r.OutputDirectories[0].TreeDigest = l.put(&repb.Tree{Root: &repb.Directory{Symlinks: []*repb.SymlinkNode{{Name: "../x", Target: "y"}}}})
			}
		}, "Tree"},
		"a blob that is gone": {func(l *liar) {
			l.onBlob = nil
			l.onResult = func(*repb.ActionResult) { delete(l.blobs, want.Outputs["firmware"].Hash) }
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &liar{}
			c.lie(l)
			onResult, onBlob, onRead := l.onResult, l.onBlob, l.onRead
			l.onResult, l.onBlob, l.onRead = nil, nil, nil
			address := l.serve(t)
			writer, _, _ := client(t, Config{Address: "grpc://" + address, Write: true})
			writer.Offer(ctx, a, want.Digest)
			writer.Wait()
			if len(l.results) != 1 {
				t.Fatal("nothing was written")
			}
			l.onResult, l.onBlob, l.onRead = onResult, onBlob, onRead

			b := open(t)
			reader, n, warned := client(t, Config{Address: "grpc://" + address, stall: 500 * time.Millisecond})
			for range 2 {
				if res, err := reader.Fetch(ctx, b, want.Digest, outputs, "it"); !errors.Is(err, store.ErrMissing) {
					t.Fatalf("Fetch = %+v, %v", res, err)
				}
			}
			if _, _, err := b.Result(ctx, want.Digest, true); !errors.Is(err, store.ErrMissing) {
				t.Errorf("it is a result: %v", err)
			}
			text := warned.take()
			if c.want == "" {
				if len(text) > 0 {
					t.Errorf("warnings %q", text)
				}
				return
			}
			if len(text) != 1 || !strings.Contains(text[0], c.want) || strings.Contains(text[0], "\n") {
				t.Errorf("warnings %q, want one with %q", text, c.want)
			}
			calls := n.calls.Load()
			if _, err := reader.Fetch(ctx, b, store.DigestOf([]byte("another")), outputs, "it"); !errors.Is(err, store.ErrMissing) || n.calls.Load() != calls {
				t.Errorf("it is asked again: %v", err)
			}
		})
	}
}

// put stores a message; l.mu is held.
func (l *liar) put(m proto.Message) *repb.Digest {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	d := store.DigestOf(b)
	l.blobs[d.Hash] = b
	return &repb.Digest{Hash: d.Hash, SizeBytes: d.Size}
}

func TestLyingWriter(t *testing.T) {
	ctx := t.Context()
	a := open(t)
	want := result(t, a, "one", files(4))
	for name, lie := range map[string]func(*liar){
		"wants what was not offered": func(l *liar) {
			l.onMissing = func(r *repb.FindMissingBlobsResponse) {
				r.MissingBlobDigests = append(r.MissingBlobDigests, &repb.Digest{Hash: store.DigestOf([]byte("secret")).Hash, SizeBytes: 6})
			}
		},
		"stores less": func(l *liar) { l.onWrite = func(r *bytestream.WriteResponse) { r.CommittedSize /= 2 } },
	} {
		t.Run(name, func(t *testing.T) {
			l := &liar{}
			lie(l)
			c, _, warned := client(t, Config{Address: "grpc://" + l.serve(t), Write: true})
			c.Offer(ctx, a, want.Digest)
			c.Wait()
			if text := warned.take(); len(text) != 1 {
				t.Errorf("warnings %q", text)
			}
			if len(l.results) > 0 {
				t.Error("a result without its content was written")
			}
		})
	}
}

// TestInterruptedRead breaks the connection of each read in the middle: it
// continues where it was.
func TestInterruptedRead(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		l := &liar{zstd: compressed}
		address := l.serve(t)
		ctx := t.Context()
		a, b := open(t), open(t)
		want := result(t, a, "one", files(5))
		writer, _, _ := client(t, Config{Address: "grpc://" + address, Write: true})
		writer.Offer(ctx, a, want.Digest)
		writer.Wait()
		l.onRead = func(s bytestream.ByteStream_ReadServer, b []byte, at int64) error {
			rest := b[at:]
			part := rest[:(len(rest)+1)/2]
			if at > 0 {
				part = rest
			}
			if l.zstd {
				part = squeeze(part)
			}
			for len(part) > 0 {
				n := min(len(part), 1<<20)
				if err := s.Send(&bytestream.ReadResponse{Data: part[:n]}); err != nil {
					return err
				}
				part = part[n:]
			}
			if at > 0 {
				return nil
			}
			return status.Error(codes.Unavailable, "restarting")
		}
		reader, _, warned := client(t, Config{Address: "grpc://" + address})
		if _, err := reader.Fetch(ctx, b, want.Digest, outputs, "it"); err != nil {
			t.Errorf("compressed %v: %v, %q", compressed, err, warned.take())
		}
	}
}

// TestTLS: a certificate of a known authority is accepted, an expired one and one
// of another authority are not; a client shows its own, and a token.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t)
	other := newAuthority(t)
	caFile := ca.file(t, filepath.Join(dir, "ca.pem"))
	clientCert, clientKey := ca.issue(t, time.Hour).files(t, filepath.Join(dir, "client"))
	for name, c := range map[string]struct {
		cert issued
		want string
	}{
		"good":              {ca.issue(t, time.Hour), ""},
		"expired":           {ca.issue(t, -time.Hour), "expired"},
		"another authority": {other.issue(t, time.Hour), "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &liar{}
			pool := x509.NewCertPool()
			pool.AddCert(ca.cert)
			address := l.serve(t, grpc.Creds(credentials.NewTLS(&tls.Config{
				Certificates: []tls.Certificate{c.cert.pair(t)}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
			})))
			cache, _, warned := client(t, Config{Address: "grpcs://" + address, CA: caFile, Certificate: clientCert, Key: clientKey, Token: "t0ken"})
			_, err := cache.Fetch(t.Context(), open(t), store.DigestOf([]byte("x")), outputs, "it")
			if !errors.Is(err, store.ErrMissing) {
				t.Error(err)
			}
			text := strings.Join(warned.take(), "\n")
			if c.want == "" {
				if text != "" || len(l.tokens) == 0 || l.tokens[0] != "Bearer t0ken" {
					t.Errorf("warnings %q, tokens %q", text, l.tokens)
				}
			} else if !strings.Contains(text, c.want) || strings.Contains(text, "t0ken") || strings.Contains(text, "\n") {
				t.Errorf("warnings %q, want %q", text, c.want)
			}
		})
	}
}

type issued struct {
	cert *x509.Certificate
	der  []byte
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) issued {
	t.Helper()
	return issue(t, nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, time.Hour)
}

func (i issued) issue(t testing.TB, valid time.Duration) issued {
	t.Helper()
	return issue(t, &i, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, valid)
}

func issue(t testing.TB, by *issued, c *x509.Certificate, valid time.Duration) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour), time.Now().Add(valid)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, der, key}
}

func (i issued) file(t testing.TB, name string) string {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func (i issued) files(t testing.TB, name string) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return i.file(t, name+".pem"), name + ".key"
}

func (i issued) pair(t testing.TB) tls.Certificate {
	t.Helper()
	return tls.Certificate{Certificate: [][]byte{i.der}, PrivateKey: i.key}
}
