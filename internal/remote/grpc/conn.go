// Package grpc is a client of gRPC over HTTP/2 with the messages of
// internal/reapi: unary calls, streams of answers, streams of requests. It has
// what the services of the Remote Execution API need, on net/http, whose
// connections it shares between calls. It compresses nothing and retries nothing.
//
// The protocol is that of gRPC's "PROTOCOL-HTTP2.md".
package grpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/internal/reapi"
)

// Conn calls the methods of one server. It is safe for concurrent use.
type Conn struct {
	Client *http.Client // its transport must speak HTTP/2
	Base   string       // http://host:port or https://host:port
	Header http.Header  // added to every call, such as Authorization; may be nil
}

// MaxMessage bounds a message from a server, in bytes. Servers send up to 4 MiB
// by default.
const MaxMessage = 64 << 20

// Call makes a unary call: req to the method "package.Service/Method", whose
// answer is decoded into resp. Errors are *Error, those of the transport, and
// those of messages that cannot be decoded.
func (c *Conn) Call(ctx context.Context, method string, req, resp reapi.Message) error {
	s, err := c.Stream(ctx, method, req)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.only(resp)
}

// Stream sends req and returns the answers, of which there may be any number.
// The caller closes it.
func (c *Conn) Stream(ctx context.Context, method string, req reapi.Message) (*Stream, error) {
	frame, err := encode(req)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, method, bytes.NewReader(frame))
}

// Upload sends the messages that next returns until io.EOF, and decodes the one
// answer into resp. A server may answer before it has received all.
func (c *Conn) Upload(ctx context.Context, method string, next func() (reapi.Message, error), resp reapi.Message) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(send(w, next, cancel))
	}()
	err := c.upload(ctx, method, r, resp)
	r.CloseWithError(errAnswered)
	<-done
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return err
}

func (c *Conn) upload(ctx context.Context, method string, body io.Reader, resp reapi.Message) error {
	s, err := c.open(ctx, method, body)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.only(resp)
}

var errAnswered = errors.New("the server has answered")

// send writes messages until the pipe is closed at the other end. An error of
// next ends the call.
func send(w io.Writer, next func() (reapi.Message, error), cancel func(error)) error {
	for {
		m, err := next()
		if err == io.EOF {
			return nil
		}
		var frame []byte
		if err == nil {
			frame, err = encode(m)
		}
		if err != nil {
			cancel(err)
			return err
		}
		if _, err := w.Write(frame); err != nil {
			return err
		}
	}
}

func (c *Conn) open(ctx context.Context, method string, body io.Reader) (*Stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+"/"+method, body)
	if err != nil {
		return nil, err
	}
	for name, values := range c.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/grpc+proto")
	req.Header.Set("TE", "trailers")
	req.Header.Set("User-Agent", "espalier")
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set("Grpc-Timeout", strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10)+"m")
	}
	resp, err := c.Client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address is the caller's to name
		}
		return nil, err
	}
	s := &Stream{resp: resp}
	if err := s.checkHead(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Stream is a sequence of answers.
type Stream struct {
	resp *http.Response
	head [5]byte
	buf  []byte
}

// checkHead reads what the server says before the first answer: its HTTP
// status, and a gRPC status when it has no answers.
func (s *Stream) checkHead() error {
	h := s.resp.Header
	if h.Get("Grpc-Status") != "" {
		return statusOf(h)
	}
	if code := s.resp.StatusCode; code != http.StatusOK {
		return &Error{Code: ofHTTP(code), Message: "HTTP status " + s.resp.Status}
	}
	if t := h.Get("Content-Type"); t != "application/grpc" && !strings.HasPrefix(t, "application/grpc+proto") && !strings.HasPrefix(t, "application/grpc;") {
		return &Error{Code: Unimplemented, Message: fmt.Sprintf("the server does not speak gRPC: content type %q", t)}
	}
	return nil
}

// Next decodes the next answer into m, which should be new; io.EOF after the
// last one.
func (s *Stream) Next(m reapi.Message) error {
	b, err := readFrame(s.resp.Body, &s.head, s.buf)
	if err == io.EOF {
		if err := statusOf(s.resp.Trailer); err != nil {
			return err
		}
		return io.EOF
	}
	if err != nil {
		return err
	}
	s.buf = b
	if err := reapi.Unmarshal(b, m); err != nil {
		return fmt.Errorf("decoding an answer: %w", err)
	}
	return nil
}

// only decodes the answer of a call that has one.
func (s *Stream) only(m reapi.Message) error {
	if err := s.Next(m); err != nil {
		if err == io.EOF {
			err = &Error{Code: Internal, Message: "no answer"}
		}
		return err
	}
	var more reapi.Status // any message: a second one is an error
	if err := s.Next(&more); err != io.EOF {
		if err == nil {
			err = &Error{Code: Internal, Message: "two answers to one call"}
		}
		return err
	}
	return nil
}

// Close ends the call, whether or not all answers were read.
func (s *Stream) Close() { s.resp.Body.Close() }
