package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/fetch"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	return openStoreAt(t, t.TempDir())
}

func openStoreAt(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// quick returns a configuration without delays between retries.
func quick() fetch.Config {
	return fetch.Config{Backoff: time.Nanosecond, Environ: func(string) string { return "" }, Stall: 10 * time.Second}
}

// content returns n bytes without a short period.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13)
	}
	return b
}

// counter counts the bytes that a task reports.
type counter struct {
	n atomic.Int64
}

func (c *counter) Add(n int64)    { c.n.Add(n) }
func (c *counter) SetTotal(int64) {}
func (c *counter) Item(string)    {}
func (c *counter) Done(error)     {}
func (c *counter) Detail(string)  {}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// cut announces the whole file but closes the connection after n bytes.
func cut(w http.ResponseWriter, r *http.Request, b []byte, n int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestFetch(t *testing.T) {
	data := content(300_000)
	ranged := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
	tests := []struct {
		name    string
		handler func(t *testing.T) http.HandlerFunc
		unsized bool
		want    string   // substring of the error; empty for success
		hints   []string // substrings of the hints
	}{
		{name: "plain", handler: func(*testing.T) http.HandlerFunc { return ranged }},
		{name: "size unknown", unsized: true, handler: func(*testing.T) http.HandlerFunc { return ranged }},
		{name: "connection breaks, then ranges", handler: func(t *testing.T) http.HandlerFunc {
			var n atomic.Int32
			return func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 1 {
					cut(w, r, data, 100_000)
				}
				if got := r.Header.Get("Range"); !strings.HasPrefix(got, "bytes=") {
					t.Errorf("second request has Range %q", got)
				}
				ranged(w, r)
			}
		}},
		{name: "connection breaks, server without ranges", handler: func(*testing.T) http.HandlerFunc {
			var n atomic.Int32
			return func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 1 {
					cut(w, r, data, 100_000)
				}
				w.Write(data)
			}
		}},
		{name: "connection breaks, wrong Content-Range", handler: func(*testing.T) http.HandlerFunc {
			var n atomic.Int32
			return func(w http.ResponseWriter, r *http.Request) {
				switch {
				case n.Add(1) == 1:
					cut(w, r, data, 100_000)
				case r.Header.Get("Range") != "":
					w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(data)-1, len(data)))
					w.WriteHeader(http.StatusPartialContent)
					w.Write(data[5:])
				default:
					w.Write(data)
				}
			}
		}},
		{name: "connection breaks, range not satisfiable", handler: func(*testing.T) http.HandlerFunc {
			var n atomic.Int32
			return func(w http.ResponseWriter, r *http.Request) {
				switch {
				case n.Add(1) == 1:
					cut(w, r, data, 100_000)
				case r.Header.Get("Range") != "":
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				default:
					w.Write(data)
				}
			}
		}},
		{name: "busy twice", handler: func(*testing.T) http.HandlerFunc {
			var n atomic.Int32
			return func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) <= 2 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				ranged(w, r)
			}
		}},
		{name: "always busy", want: "503 Service Unavailable", hints: []string{"check the network"},
			handler: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
			}},
		{name: "truncated for good", want: "has 299000 bytes, want 300000",
			handler: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", "299000")
					w.Write(data[:299_000])
				}
			}},
		{name: "truncated without a length", want: "ends after 299000 of 300000 bytes", hints: []string{"espalier fetch again; finished downloads are kept"},
			handler: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					w.(http.Flusher).Flush() // chunked
					w.Write(data[:299_000])
				}
			}},
		{name: "too long", want: "longer than the lock says",
			handler: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					w.(http.Flusher).Flush()
					w.Write(data)
					for range 1000 { // endless if the client reads all of it
						if _, err := w.Write(data); err != nil {
							return
						}
					}
				}
			}},
		{name: "other bytes", want: "sha256", hints: []string{"a location has other content"},
			handler: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					b := bytes.Clone(data)
					b[1234] ^= 1
					w.Write(b)
				}
			}},
		{name: "lost", want: "404 Not Found", hints: []string{"no location has pool/f.deb any longer"},
			handler: func(*testing.T) http.HandlerFunc { return http.NotFound }},
		{name: "endless redirects", want: "redirects",
			handler: func(*testing.T) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
				}
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			st := openStore(t)
			prefix := serve(t, test.handler(t))
			f := fetch.File{Name: "thing 1.0", Digest: store.DigestOf(data), Path: "pool/f.deb", Prefixes: []string{prefix}}
			if test.unsized {
				f.Digest.Size = -1
			}
			var count counter
			called := 0
			err := fetch.New(quick()).Fetch(context.Background(), st, []fetch.File{f}, &count, func(ctx context.Context, i int, f fetch.File) error {
				called++
				if !st.Has(f.Digest) {
					t.Error("the callback came before the blob")
				}
				return nil
			})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if called != 1 {
					t.Errorf("%d callbacks", called)
				}
				if n := count.n.Load(); n != int64(len(data)) {
					t.Errorf("counted %d bytes of %d", n, len(data))
				}
				return
			}
			if err == nil || called > 0 {
				t.Fatalf("error %v, %d callbacks", err, called)
			}
			if fault.KindOf(err) != fault.Pins {
				t.Errorf("kind %d", fault.KindOf(err))
			}
			text := err.Error()
			for _, want := range []string{"fetching thing 1.0", prefix + "pool/f.deb", test.want} {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
			hints := strings.Join(fault.Hints(err), "\n")
			for _, want := range test.hints {
				if !strings.Contains(hints, want) {
					t.Errorf("hints %q do not say %q", hints, want)
				}
			}
			if st.Has(f.Digest) {
				t.Error("a wrong file is in the store")
			}
		})
	}
}

// One mirror has lost a file, one has a changed file and one is down: the next
// one is used; when there is no other, the error names all three.
func TestMirrors(t *testing.T) {
	data := content(5000)
	lost := serve(t, http.NotFound)
	wrong := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(content(4999)) })
	down := func() string { // a port without a listener
		s := httptest.NewServer(http.NotFoundHandler())
		defer s.Close()
		return s.URL + "/"
	}()
	good := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(data) })
	f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "pool/f.deb", Prefixes: []string{lost, wrong, down, good}}
	if err := fetch.New(quick()).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err != nil {
		t.Fatal(err)
	}
	f.Prefixes = f.Prefixes[:3]
	err := fetch.New(quick()).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"3 locations tried", lost, "404", wrong, down, "refused"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// A process resumes the partial file of an interrupted process.
func TestResumeAcrossProcesses(t *testing.T) {
	data := content(200_000)
	dir := t.TempDir()
	f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "f"}
	var asked []string
	var mu sync.Mutex
	broken := true
	f.Prefixes = []string{serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Header.Get("Range"))
		b := broken
		mu.Unlock()
		if b {
			cut(w, r, data, 150_000)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})}
	cfg := quick()
	cfg.Retries = -1
	st := openStoreAt(t, dir)
	if err := fetch.New(cfg).Fetch(context.Background(), st, []fetch.File{f}, nil, nil); err == nil {
		t.Fatal("no error")
	}
	st.Close()
	broken, asked = false, nil
	if err := fetch.New(cfg).Fetch(context.Background(), openStoreAt(t, dir), []fetch.File{f}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0] == "" {
		t.Errorf("asked for %q, want one range", asked)
	}
}

// A partial file from a mirror with other content does not break the next
// attempt.
func TestResumeOfWrongBytes(t *testing.T) {
	data := content(200_000)
	bad := bytes.Clone(data)
	bad[10] ^= 1
	f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "f", Prefixes: []string{
		serve(t, func(w http.ResponseWriter, r *http.Request) { cut(w, r, bad, 100_000) }),
		serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}),
	}}
	cfg := quick()
	cfg.Retries = -1
	if err := fetch.New(cfg).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestLocalFiles(t *testing.T) {
	data := content(3000)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pool", "a+b~1.deb"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"file://", "file:", "copy:"} {
		f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "pool/a+b~1.deb", Prefixes: []string{scheme + dir + "/"}}
		if err := fetch.New(quick()).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
		f.Path = "pool/gone.deb"
		err := fetch.New(quick()).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "no such file") || !strings.Contains(strings.Join(fault.Hints(err), ""), "no location has") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	for _, prefix := range []string{"file:rel/", "ftp://127.0.0.1/", "file://" + dir, "://"} {
		f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "pool", Prefixes: []string{prefix}}
		if err := fetch.New(quick()).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err == nil {
			t.Errorf("%s: no error", prefix)
		}
	}
}

func TestOffline(t *testing.T) {
	st := openStore(t)
	have := content(10)
	if _, err := st.PutBytes(context.Background(), have); err != nil {
		t.Fatal(err)
	}
	cfg := quick()
	cfg.Offline, cfg.Command = true, "espalier fetch --host linux/amd64"
	asked := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("asked while offline") })
	files := []fetch.File{{Name: "present", Digest: store.DigestOf(have), Path: "x", Prefixes: []string{asked}}}
	if err := fetch.New(cfg).Fetch(context.Background(), st, files, nil, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		files = append(files, fetch.File{Name: fmt.Sprintf("absent-%d", i), Digest: store.DigestOf(content(20 + i)), Path: "x", Prefixes: []string{asked}})
	}
	err := fetch.New(cfg).Fetch(context.Background(), st, files, nil, nil)
	if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "absent-0, absent-1") || !strings.Contains(err.Error(), "and 2 more") || strings.Contains(err.Error(), "present") {
		t.Errorf("error %v", err)
	}
	if h := fault.Hints(err); len(h) != 1 || !strings.Contains(h[0], cfg.Command) {
		t.Errorf("hints %q", h)
	}
	if _, _, err := fetch.New(cfg).Get(context.Background(), "x", []string{asked}, 10); fault.KindOf(err) != fault.Pins {
		t.Errorf("Get: %v", err)
	}
}

// Credentials are sent only to their host and appear in no message.
func TestLogins(t *testing.T) {
	const secret = "hunter2"
	data := content(100)
	var second *httptest.Server
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "me" || pass != secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasSuffix(r.URL.Path, "gone") {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, second.URL+"/elsewhere", http.StatusFound)
	}))
	defer first.Close()
	second = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("the second host was told %q", a)
		}
		w.Write(data)
	}))
	defer second.Close()
	host := strings.TrimPrefix(first.URL, "http://")
	cfg := quick()
	cfg.Auth = func(u *url.URL) (string, string, bool) { return "me", secret, u.Host == host }
	inAddress := strings.Replace(first.URL, "http://", "http://me:"+secret+"@", 1) + "/"
	for name, c := range map[string]struct {
		cfg    fetch.Config
		prefix string
	}{"auth": {cfg, first.URL + "/"}, "address": {quick(), inAddress}} {
		f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "f", Prefixes: []string{c.prefix}}
		if err := fetch.New(c.cfg).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Path = "gone"
		err := fetch.New(c.cfg).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil)
		if err == nil || strings.Contains(err.Error()+strings.Join(fault.Hints(err), ""), secret) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	broken := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "f", Prefixes: []string{"http://me:" + secret + "@127.0.0.1:0%zz/"}}
	if err := fetch.New(quick()).Fetch(context.Background(), openStore(t), []fetch.File{broken}, nil, nil); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("broken address: %v", err)
	}
}

func TestProxyFromEnvironment(t *testing.T) {
	data := content(100)
	var through atomic.Int32
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "archive.invalid" {
			through.Add(1)
		}
		w.Write(data)
	})
	cfg := quick()
	cfg.Environ = func(name string) string {
		if name == "http_proxy" {
			return proxy
		}
		return ""
	}
	f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "f", Prefixes: []string{"http://archive.invalid/"}}
	if err := fetch.New(cfg).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if through.Load() != 1 {
		t.Error("the proxy was not asked")
	}
}

// At most PerHost requests to one host are in flight, and all files arrive.
func TestPerHost(t *testing.T) {
	var now, most atomic.Int32
	gate := make(chan struct{})
	var once sync.Once
	prefix := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		if n == 2 {
			once.Do(func() { close(gate) }) // both slots are taken: continue
		}
		<-gate
		fmt.Fprint(w, r.URL.Path)
		now.Add(-1)
	})
	var files []fetch.File
	for i := range 20 {
		p := fmt.Sprintf("f%d", i)
		files = append(files, fetch.File{Name: p, Digest: store.DigestOf([]byte("/" + p)), Path: p, Prefixes: []string{prefix}})
	}
	cfg := quick()
	cfg.PerHost = 2
	var got atomic.Int32
	err := fetch.New(cfg).Fetch(context.Background(), openStore(t), files, nil, func(context.Context, int, fetch.File) error { got.Add(1); return nil })
	if err != nil || got.Load() != 20 || most.Load() != 2 {
		t.Errorf("%v, %d files, %d requests at once", err, got.Load(), most.Load())
	}
}

// An error of the callback cancels the rest and is returned.
func TestCallbackError(t *testing.T) {
	prefix := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })
	var files []fetch.File
	for i := range 20 {
		p := fmt.Sprintf("f%d", i)
		files = append(files, fetch.File{Name: p, Digest: store.DigestOf([]byte("/" + p)), Path: p, Prefixes: []string{prefix}})
	}
	boom := errors.New("boom")
	if err := fetch.New(quick()).Fetch(context.Background(), openStore(t), files, nil, func(context.Context, int, fetch.File) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
}

func TestCancel(t *testing.T) {
	started := make(chan struct{})
	var once sync.Once
	prefix := serve(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(started) })
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-started; cancel() }()
	f := fetch.File{Name: "thing", Digest: store.DigestOf(content(10)), Path: "f", Prefixes: []string{prefix}}
	if err := fetch.New(quick()).Fetch(ctx, openStore(t), []fetch.File{f}, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestStall(t *testing.T) {
	data := content(1000)
	var n atomic.Int32
	prefix := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			w.Header().Set("Content-Length", "1000")
			w.Write(data[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
	cfg := quick()
	cfg.Stall = 50 * time.Millisecond
	f := fetch.File{Name: "thing", Digest: store.DigestOf(data), Path: "f", Prefixes: []string{prefix}}
	if err := fetch.New(cfg).Fetch(context.Background(), openStore(t), []fetch.File{f}, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestGet(t *testing.T) {
	prefix := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/doc" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "hello")
	})
	c := fetch.New(quick())
	lost := serve(t, http.NotFound)
	if b, from, err := c.Get(context.Background(), "doc", []string{lost, prefix}, 5); err != nil || string(b) != "hello" || from != prefix+"doc" {
		t.Errorf("%q %q %v", b, from, err)
	}
	if _, _, err := c.Get(context.Background(), "doc", []string{prefix}, 4); err == nil || !strings.Contains(err.Error(), "longer than 4 bytes") {
		t.Errorf("limit: %v", err)
	}
	if _, _, err := c.Get(context.Background(), "none", []string{prefix}, 5); !fetch.NotFound(err) {
		t.Errorf("not found: %v", err)
	}
}
