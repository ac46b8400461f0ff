package http1

import (
	"bytes"
	"net/http"
	"strconv"
)

// body decodes the body of a request: nothing, a length, or chunks (RFC 9112
// 6.3, 7.1).
type body struct {
	chunked bool
	state   chunkState
	left    int64 // bytes of the body, or of the chunk, that are missing
	data    []byte
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkEnd // the line end after the data
	chunkTrailer
)

// maxChunkLine bounds a line with a chunk size or a trailer field.
const maxChunkLine = 4 << 10

func newBody(r *http.Request) body {
	if len(r.TransferEncoding) > 0 { // ReadRequest accepts chunked only
		return body{chunked: true}
	}
	return body{left: max(r.ContentLength, 0)}
}

func (d *body) empty() bool { return !d.chunked && d.left == 0 }

// decode takes bytes from the front of in and returns the rest. done reports
// that the body is complete; status is not 0 when it is malformed or larger
// than MaxBody.
func (d *body) decode(in []byte) (rest []byte, done bool, status int) {
	if !d.chunked {
		in = d.take(in)
		return in, d.left == 0, 0
	}
	for {
		if d.state == chunkData {
			if in = d.take(in); d.left > 0 {
				return in, false, 0
			}
			d.state = chunkEnd
		}
		i := bytes.IndexByte(in, '\n')
		if i < 0 {
			if len(in) > maxChunkLine {
				return in, false, http.StatusBadRequest
			}
			return in, false, 0
		}
		line := bytes.TrimSuffix(in[:i], []byte("\r"))
		in = in[i+1:]
		switch d.state {
		case chunkSize:
			size, ok := parseChunkSize(line)
			switch {
			case !ok:
				return in, false, http.StatusBadRequest
			case size > MaxBody || int64(len(d.data))+size > MaxBody:
				return in, false, http.StatusRequestEntityTooLarge
			}
			d.left, d.state = size, chunkData
			if size == 0 {
				d.state = chunkTrailer
			}
		case chunkEnd:
			if len(line) > 0 {
				return in, false, http.StatusBadRequest
			}
			d.state = chunkSize
		case chunkTrailer: // trailer fields are dropped (RFC 9110 6.5.1)
			if len(line) == 0 {
				return in, true, 0
			}
		}
	}
}

func (d *body) take(in []byte) []byte {
	n := int(min(d.left, int64(len(in))))
	d.data = append(d.data, in[:n]...)
	d.left -= int64(n)
	return in[n:]
}

// parseChunkSize reads "1a;extension".
func parseChunkSize(line []byte) (int64, bool) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 31)
	return int64(size), err == nil
}
