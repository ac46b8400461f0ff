package http1

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// response is the http.ResponseWriter of a handler: it collects the response,
// which is sent when the handler has returned.
//
// Header, Write and WriteHeader work as in net/http: a missing Content-Type is
// detected from the body, 1xx statuses are ignored, "Connection: close" ends
// the connection. Content-Length and Transfer-Encoding are set here. There is
// no http.Flusher, no http.Hijacker and no trailer.
type response struct {
	header   http.Header // of the handler
	sent     http.Header // header at the time of WriteHeader
	status   int         // 0: WriteHeader was not called
	body     bytes.Buffer
	noBody   bool // HEAD: the body only counts
	tooLarge bool
}

// errTooLarge is what a handler gets that writes more than MaxResponse.
var errTooLarge = errors.New("http1: the response is larger than 64 MiB")

func newResponse(r *http.Request) *response {
	return &response{header: http.Header{}, noBody: r != nil && r.Method == http.MethodHead}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("http1: invalid status %d", status))
	}
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.sent = w.header.Clone()
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.body.Len()+len(b) > MaxResponse {
		w.tooLarge = true
		return 0, errTooLarge
	}
	return w.body.Write(b)
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// run calls a handler. It reports false when the handler has panicked with
// http.ErrAbortHandler, which resets the connection; other panics are those of
// the caller.
func (w *response) run(h http.Handler, r *http.Request) (ok bool) {
	defer func() {
		if ok {
			return
		}
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.tooLarge {
		*w = *newResponse(r)
		http.Error(w, "the handler wrote more than 64 MiB", http.StatusInternalServerError)
	}
	return true
}

func (w *response) wantsClose() bool { return strings.EqualFold(w.sent.Get("Connection"), "close") }

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// encode returns the response as bytes, in the version of the request. Header
// fields are in the order of their names.
func (w *response) encode(r *http.Request, date time.Time, last bool) []byte {
	version := "HTTP/1.1"
	if r != nil && !r.ProtoAtLeast(1, 1) {
		version = "HTTP/1.0"
	}
	h := w.sent
	for _, name := range []string{"Connection", "Transfer-Encoding", "Trailer"} {
		h.Del(name)
	}
	setDefault := func(name, value string) {
		if _, ok := h[name]; !ok {
			h.Set(name, value)
		}
	}
	setDefault("Server", "espalier")
	setDefault("Date", date.UTC().Format(http.TimeFormat))
	if bodyAllowed(w.status) {
		if w.body.Len() > 0 && h.Get("Content-Encoding") == "" {
			setDefault("Content-Type", http.DetectContentType(w.body.Bytes()))
		}
		if !w.noBody || w.body.Len() > 0 { // the handler of a HEAD may know the length
			h.Set("Content-Length", strconv.Itoa(w.body.Len()))
		}
	} else {
		h.Del("Content-Length")
	}
	switch {
	case last:
		h.Set("Connection", "close")
	case version == "HTTP/1.0":
		h.Set("Connection", "keep-alive")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %03d %s\r\n", version, w.status, statusText(w.status))
	_ = h.Write(&b) // a Buffer does not fail
	b.WriteString("\r\n")
	if !w.noBody {
		b.Write(w.body.Bytes())
	}
	return b.Bytes()
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "status code " + strconv.Itoa(status)
}
