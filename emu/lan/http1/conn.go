package http1

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of what a client can make a connection hold, in bytes.
const (
	// MaxHead is the length of a request line with its header fields.
	MaxHead = 16 << 10
	// MaxBody is the length of a request body.
	MaxBody = 4 << 20
	// MaxResponse is the length of a response body; a handler that writes more
	// is answered for with status 500.
	MaxResponse = 64 << 20
	// maxUnacked is how much of the answers may wait for the client's
	// acknowledgement before the next request is served.
	maxUnacked = 64 << 10
)

// Config connects a Conn with its surroundings. Functions that may be nil say
// so.
type Config struct {
	// RemoteAddr is the client, for http.Request.RemoteAddr.
	RemoteAddr string

	// TLS returns the state of the TLS connection that carries the bytes. It
	// may be nil: no TLS.
	TLS func() *tls.ConnectionState

	// Date is the date of responses.
	Date func() time.Time

	// Handler returns the handler of a request, which has its body by then.
	Handler func(r *http.Request) http.Handler

	// Dispatch calls serve, at once or later. The connection takes no further
	// request until then.
	Dispatch func(serve func())

	// Served is called with each request after its handler has returned. It may
	// be nil.
	Served func(r *http.Request, status int)

	// Send sends bytes, which may be kept, and returns how many the client has
	// not acknowledged. CloseWrite ends the stream; Abort resets the
	// connection.
	Send       func(b []byte) (unacked int)
	CloseWrite func()
	Abort      func()
}

// Conn is one connection. It is not safe for concurrent use. Requests are
// served one after the other; pipelined ones wait.
type Conn struct {
	cfg     Config
	in      []byte        // received and not yet used
	req     *http.Request // its head is complete, its body is not
	body    body
	serving bool
	over    bool // no further request is read
	eof     bool // the client has sent its last byte
	closed  bool // there is no connection any more
	unacked int
}

// New returns the server's end of a connection.
func New(cfg Config) *Conn { return &Conn{cfg: cfg} }

// Phase is what a connection waits for.
type Phase uint8

// Phases of a connection.
const (
	Idle      Phase = iota // the first byte of a request
	Receiving              // the rest of a request
	Serving                // the handler, or the client's acknowledgements
	Finished               // nothing: no further request is read
)

// Phase returns what the connection waits for.
func (c *Conn) Phase() Phase {
	switch {
	case c.over || c.closed:
		return Finished
	case c.serving || c.unacked >= maxUnacked:
		return Serving
	case c.req != nil || len(c.in) > 0:
		return Receiving
	}
	return Idle
}

// Receive takes bytes of the client; they are not kept.
func (c *Conn) Receive(b []byte) {
	if c.over || c.closed {
		return
	}
	c.in = append(c.in, b...)
	c.advance()
}

// EOF says that the client has sent its last byte.
func (c *Conn) EOF() {
	c.eof = true
	c.advance()
	c.checkEOF()
}

// checkEOF ends a connection whose client has sent its last byte when all its
// requests are answered.
func (c *Conn) checkEOF() {
	if p := c.Phase(); c.eof && (p == Idle || p == Receiving) {
		c.finish()
	}
}

// Acknowledged says how many bytes of the answers the client has not
// acknowledged.
func (c *Conn) Acknowledged(unacked int) {
	c.unacked = unacked
	c.advance()
	c.checkEOF()
}

// Timeout says that the client has taken too long: a request that is not
// complete is answered with status 408, and the connection ends.
func (c *Conn) Timeout() {
	switch c.Phase() {
	case Receiving:
		c.reject(c.req, http.StatusRequestTimeout)
	case Idle:
		c.finish()
	}
}

// Close says that the connection is no more.
func (c *Conn) Close() {
	c.closed = true
	c.in, c.req, c.body = nil, nil, body{}
}

// Buffered is how many bytes were received beyond the request that is being
// served.
func (c *Conn) Buffered() int { return len(c.in) }

func (c *Conn) finish() {
	c.over = true
	c.in, c.req = nil, nil
	c.cfg.CloseWrite()
}

// advance serves the requests that are complete: the next one when the client
// has acknowledged most of the answer to the one before.
func (c *Conn) advance() {
	for c.Phase() == Receiving {
		if c.req == nil && !c.readHead() {
			return
		}
		rest, done, status := c.body.decode(c.in)
		c.in = rest
		switch {
		case status != 0:
			c.reject(c.req, status)
			return
		case !done:
			return
		}
		r := c.req
		c.req = nil
		setBody(r, c.body.data)
		c.body = body{}
		c.serving = true
		c.cfg.Dispatch(func() { c.serve(r) })
	}
}

// readHead parses the head of a request and reports whether it was complete
// and valid.
func (c *Conn) readHead() bool {
	for len(c.in) > 0 && (c.in[0] == '\r' || c.in[0] == '\n') { // RFC 9112 2.2
		c.in = c.in[1:]
	}
	end := headEnd(c.in)
	if end > MaxHead || end < 0 && len(c.in) > MaxHead {
		c.reject(nil, http.StatusRequestHeaderFieldsTooLarge)
		return false
	}
	if end < 0 {
		return false
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.in[:end])))
	switch {
	case err != nil && strings.Contains(err.Error(), "unsupported transfer encoding"):
		c.reject(nil, http.StatusNotImplemented)
		return false
	case err != nil:
		c.reject(nil, http.StatusBadRequest)
		return false
	case r.ProtoMajor != 1:
		c.reject(nil, http.StatusHTTPVersionNotSupported)
		return false
	}
	c.body = newBody(r)
	if c.body.left > MaxBody {
		c.reject(r, http.StatusRequestEntityTooLarge)
		return false
	}
	c.in = c.in[end:]
	c.req = r
	r.RemoteAddr = c.cfg.RemoteAddr
	if c.cfg.TLS != nil {
		r.TLS = c.cfg.TLS()
	}
	if r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Expect"), "100-continue") && !c.body.empty() && len(c.in) == 0 {
		c.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
	return true
}

// headEnd returns the length of the head of a request with the empty line after
// it, -1 if that is not there yet. A bare LF ends a line, too (RFC 9112 2.2).
func headEnd(b []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

func setBody(r *http.Request, data []byte) {
	r.ContentLength, r.TransferEncoding = int64(len(data)), nil
	r.Body = http.NoBody
	if len(data) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(data))
	}
}

func (c *Conn) send(b []byte) { c.unacked = c.cfg.Send(b) }

// reject answers something that is not a request, or too large, and ends the
// connection.
func (c *Conn) reject(r *http.Request, status int) {
	w := newResponse(r)
	http.Error(w, http.StatusText(status), status)
	c.send(w.encode(r, c.cfg.Date(), true))
	c.finish()
}

// serve calls the handler of a request and sends its response.
func (c *Conn) serve(r *http.Request) {
	if c.closed {
		return
	}
	w := newResponse(r)
	if !w.run(c.cfg.Handler(r), r) {
		c.over = true
		c.cfg.Abort()
		return
	}
	if c.cfg.Served != nil {
		c.cfg.Served(r, w.status)
	}
	c.serving = false
	last := r.Close || w.wantsClose()
	c.send(w.encode(r, c.cfg.Date(), last))
	if last {
		c.finish()
		return
	}
	c.advance()
	c.checkEOF()
}
