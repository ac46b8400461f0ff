package http1

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// link is the client's end of a connection.
type link struct {
	*Conn
	out      bytes.Buffer
	unacked  int // what Send reports
	ended    int
	aborted  int
	deferred []func() // calls of Dispatch; nil: called at once
	later    bool
	statuses []int
}

func newLink(h http.Handler) *link {
	l := &link{}
	l.Conn = New(Config{
		RemoteAddr: "192.168.71.100:50000",
		Date:       func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		Handler:    func(*http.Request) http.Handler { return h },
		Dispatch: func(serve func()) {
			if l.later {
				l.deferred = append(l.deferred, serve)
				return
			}
			serve()
		},
		Served:     func(_ *http.Request, status int) { l.statuses = append(l.statuses, status) },
		Send:       func(b []byte) int { l.out.Write(b); return l.unacked },
		CloseWrite: func() { l.ended++ },
		Abort:      func() { l.aborted++ },
	})
	return l
}

// responses parses what was sent with net/http, the oracle.
func (l *link) responses(t *testing.T, methods ...string) (list []*http.Response, bodies []string) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(l.out.Bytes()))
	for i := 0; ; i++ {
		method := "GET"
		if i < len(methods) {
			method = methods[i]
		}
		if _, err := r.Peek(1); err == io.EOF {
			return list, bodies
		}
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("response %d: %v\n%s", i, err, l.out.String())
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("response %d: %v\n%s", i, err, l.out.String())
		}
		if resp.StatusCode == 100 {
			i--
		}
		list, bodies = append(list, resp), append(bodies, string(body))
	}
}

// echo answers with the request as the handler sees it.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s from %s: %d %q %v", r.Method, r.Host, r.URL.Path, r.RemoteAddr, r.ContentLength, body, err)
})

func TestRequests(t *testing.T) {
	const head = "POST /p HTTP/1.1\r\nHost: a\r\n"
	const from = "from 192.168.71.100:50000"
	for _, tc := range []struct {
		name, in string
		want     []string // bodies, or a status
		ended    bool
	}{
		{"get", "GET /x HTTP/1.1\r\nHost: a.b:80\r\n\r\n", []string{"GET a.b:80 /x " + from + `: 0 "" <nil>`}, false},
		{"HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n", []string{"GET  /x " + from + `: 0 "" <nil>`}, true},
		{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"GET  / " + from + `: 0 "" <nil>`}, false},
		{"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", []string{"GET a / " + from + `: 0 "" <nil>`}, true},
		{"line feeds alone", "\n\nGET / HTTP/1.0\nHost: a\n\n", []string{"GET a / " + from + `: 0 "" <nil>`}, true},
		{"absolute", "GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n", []string{"GET a /x " + from + `: 0 "" <nil>`}, false},
		{"length", head + "Content-Length: 5\r\n\r\nhello", []string{"POST a /p " + from + `: 5 "hello" <nil>`}, false},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1 \r\n!\r\n0\r\nTrailer: x\r\n\r\n", []string{"POST a /p " + from + `: 6 "hello!" <nil>`}, false},
		{"pipelined", head + "Content-Length: 2\r\n\r\nhiGET /y HTTP/1.1\r\nHost: a\r\n\r\n", []string{"POST a /p " + from + `: 2 "hi" <nil>`, "GET a /y " + from + `: 0 "" <nil>`}, false},
		{"not HTTP", "hello\r\n\r\n", []string{"400"}, true},
		{"version", "GET / HTTP/2.0\r\n\r\n", []string{"505"}, true},
		{"field", "GET / HTTP/1.1\r\nno colon\r\n\r\n", []string{"400"}, true},
		{"gzip", head + "Transfer-Encoding: gzip\r\n\r\n", []string{"501"}, true},
		{"length is no number", head + "Content-Length: x\r\n\r\n", []string{"400"}, true},
		{"large body", head + "Content-Length: 99999999\r\n\r\n", []string{"413"}, true},
		{"large chunk", head + "Transfer-Encoding: chunked\r\n\r\n4000001\r\n", []string{"413"}, true},
		{"chunk size", head + "Transfer-Encoding: chunked\r\n\r\nfive\r\n", []string{"400"}, true},
		{"chunk end", head + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", []string{"400"}, true},
		{"endless head", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 4000), []string{"431"}, true},
		{"endless chunk line", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 5000), []string{"400"}, true},
	} {
		for _, step := range []int{len(tc.in), 1} {
			t.Run(fmt.Sprintf("%s/%d", tc.name, step), func(t *testing.T) {
				l := newLink(echo)
				for rest := []byte(tc.in); len(rest) > 0; {
					n := min(step, len(rest))
					l.Receive(rest[:n])
					rest = rest[n:]
				}
				list, bodies := l.responses(t)
				var got []string
				for i, r := range list {
					if r.StatusCode == 200 {
						got = append(got, bodies[i])
					} else {
						got = append(got, fmt.Sprint(r.StatusCode))
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(tc.want) || l.ended > 0 != tc.ended {
					t.Errorf("got %q, ended %d; want %q, ended %v", got, l.ended, tc.want, tc.ended)
				}
			})
		}
	}
}

// What a handler writes arrives as net/http's server sends it, the oracle: the
// same status, header fields and body.
func TestResponsesAsNetHTTP(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"nothing":     func(http.ResponseWriter, *http.Request) {},
		"text":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
		"html":        func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"no content":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"unmodified":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"error":       func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
		"redirect":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) },
		"fields":      func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("X-A", "1"); w.Header().Add("X-A", "2") },
		"late fields": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.Header().Set("X-Late", "1") },
		"twice":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, "x") },
		"odd status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) },
		"own length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "12345")
		},
		"mux": http.StripPrefix("/", http.FileServer(http.Dir("."))).ServeHTTP,
	}
	for name, h := range handlers {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(name+" "+method, func(t *testing.T) {
				server := httptest.NewServer(h)
				defer server.Close()
				request, err := http.NewRequest(method, server.URL+"/doc.go", nil)
				if err != nil {
					t.Fatal(err)
				}
				client := server.Client()
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				want, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer want.Body.Close()
				wantBody, err := io.ReadAll(want.Body)
				if err != nil {
					t.Fatal(err)
				}
				l := newLink(h)
				l.Receive([]byte(method + " /doc.go HTTP/1.1\r\nHost: a\r\n\r\n"))
				list, bodies := l.responses(t, method)
				if len(list) != 1 {
					t.Fatalf("%d responses:\n%s", len(list), l.out.String())
				}
				got := list[0]
				for _, field := range []string{"Date", "Server"} {
					got.Header.Del(field)
					want.Header.Del(field)
				}
				if got.Status != want.Status || bodies[0] != string(wantBody) || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
					t.Errorf("got %s %v %q\nwant %s %v %q", got.Status, got.Header, bodies[0], want.Status, want.Header, wantBody)
				}
			})
		}
	}
}

func TestResponseBounds(t *testing.T) {
	l := newLink(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b := make([]byte, 1<<20)
		for range MaxResponse>>20 + 1 {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
		t.Error("no error from Write")
	}))
	l.Receive([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if list, _ := l.responses(t); len(list) != 1 || list[0].StatusCode != 500 {
		t.Errorf("%d responses", len(list))
	}
}

func TestHandlerPanics(t *testing.T) {
	l := newLink(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	l.Receive([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if l.aborted != 1 || l.out.Len() != 0 {
		t.Errorf("aborted %d times, sent %q", l.aborted, l.out.String())
	}
	defer func() {
		if recover() != "mistake" {
			t.Error("the panic of a handler was lost")
		}
	}()
	l = newLink(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("mistake") }))
	l.Receive([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
}

func TestExpectContinue(t *testing.T) {
	l := newLink(echo)
	l.Receive([]byte("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"))
	if got := l.out.String(); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("%q", got)
	}
	l.Receive([]byte("hi"))
	if list, bodies := l.responses(t); len(list) != 2 || !strings.Contains(bodies[1], `"hi"`) {
		t.Errorf("%d responses, %q", len(list), bodies)
	}
}

// Requests wait while one is being served, and while the client does not
// acknowledge.
func TestOneAfterTheOther(t *testing.T) {
	l := newLink(echo)
	l.later = true
	l.Receive([]byte(strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3)))
	if len(l.deferred) != 1 || l.Phase() != Serving || l.Buffered() == 0 {
		t.Fatalf("%d requests are served, phase %d", len(l.deferred), l.Phase())
	}
	l.unacked = 1 << 20
	l.deferred[0]()
	if len(l.deferred) != 1 || l.Phase() != Serving {
		t.Fatalf("%d requests were served before the acknowledgement", len(l.deferred))
	}
	l.EOF() // the client may close its half before it has all answers
	l.unacked = 0
	l.Acknowledged(0)
	if len(l.deferred) != 2 || l.ended != 0 {
		t.Fatalf("%d requests were served, ended %d", len(l.deferred), l.ended)
	}
	l.deferred[1]()
	l.deferred[2]()
	if list, _ := l.responses(t); len(list) != 3 || l.ended != 1 {
		t.Errorf("%d responses, ended %d", len(list), l.ended)
	}
}

func TestTimeout(t *testing.T) {
	l := newLink(echo)
	l.Timeout()
	if l.ended != 1 || l.out.Len() != 0 {
		t.Errorf("idle: ended %d times, %q", l.ended, l.out.String())
	}
	l = newLink(echo)
	l.Receive([]byte("GET / HTTP/1.1\r\nHost"))
	l.Timeout()
	if list, _ := l.responses(t); len(list) != 1 || list[0].StatusCode != 408 || l.ended != 1 {
		t.Errorf("half a request: %d responses, ended %d", len(list), l.ended)
	}
	l.Timeout()
	l.Receive([]byte(": a\r\n\r\n"))
	if l.ended != 1 || l.Buffered() != 0 {
		t.Errorf("after the end: ended %d times, %d bytes", l.ended, l.Buffered())
	}
}

func TestTLSState(t *testing.T) {
	var got *tls.ConnectionState
	l := newLink(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.TLS }))
	l.cfg.TLS = func() *tls.ConnectionState { return &tls.ConnectionState{ServerName: "a"} }
	l.Receive([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if got == nil || got.ServerName != "a" {
		t.Errorf("TLS state %v", got)
	}
}

// Whatever a client sends, however it is cut, the server answers with valid
// HTTP and keeps no more than its bounds.
func FuzzConn(f *testing.F) {
	f.Add([]byte("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n"), 7)
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 1)
	f.Add([]byte("GET / HTTP/1.0\r\n\rl"), 3)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(step, 1)
		var methods []string
		whole, cut := newLink(nil), newLink(nil)
		for _, l := range []*link{whole, cut} {
			l.cfg.Handler = func(r *http.Request) http.Handler {
				if l == whole {
					methods = append(methods, r.Method)
				}
				return echo
			}
		}
		whole.Receive(b)
		for rest := b; len(rest) > 0; {
			n := min(step, len(rest))
			cut.Receive(rest[:n])
			rest = rest[n:]
		}
		whole.EOF()
		cut.EOF()
		if whole.ended != 1 || cut.ended != 1 || whole.Phase() != Finished {
			t.Fatalf("ended %d and %d times", whole.ended, cut.ended)
		}
		list, _ := whole.responses(t, methods...)
		for _, r := range list {
			if r.StatusCode == 100 {
				return // is sent only when the body is not there yet
			}
		}
		if !bytes.Contains(cut.out.Bytes(), []byte("100 Continue")) && !bytes.Equal(whole.out.Bytes(), cut.out.Bytes()) {
			t.Fatalf("the answer depends on how the bytes arrive:\n%s\n---\n%s", whole.out.String(), cut.out.String())
		}
	})
}
