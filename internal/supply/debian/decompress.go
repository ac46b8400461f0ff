package debian

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// maxDictionary bounds the memory for decompression, in bytes: the window of
// "xz -9" and of zstd's default format.
const maxDictionary = 64 << 20

// decompress opens r by the suffix of name: .xz, .zst, .gz or none.
func decompress(r io.Reader, name string) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(name, ".xz"):
		x, err := xz.NewReader(r, maxDictionary)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(xzErrors{x}), nil
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(name, ".bz2"), strings.HasSuffix(name, ".lzma"):
		return nil, fmt.Errorf("compression %s is not supported (xz, zst, gz)", name[strings.LastIndexByte(name, '.'):])
	}
	return io.NopCloser(r), nil
}

// xzErrors describes the decoder's error, which is the same for several causes.
type xzErrors struct{ r io.Reader }

func (x xzErrors) Read(p []byte) (int, error) {
	n, err := x.r.Read(p)
	if errors.Is(err, xz.ErrBuf) {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}
