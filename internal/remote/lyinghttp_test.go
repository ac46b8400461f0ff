package remote

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/internal/reapi"
	"espalier.dev/espalier/internal/store"
)

// httpStore is a cache with the HTTP protocol, without ranges.
type httpStore struct {
	mu      sync.Mutex
	content map[string][]byte // by path
}

func (s *httpStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		s.content[r.URL.Path], _ = io.ReadAll(r.Body)
		return
	}
	b, ok := s.content[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

// TestLyingHTTP: a server of the HTTP protocol that sends something wrong costs
// one warning, and what it sent is no result.
func TestLyingHTTP(t *testing.T) {
	a := open(t)
	want := result(t, a, "one", files(4))
	s := &httpStore{content: map[string][]byte{}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	writer, _, warned := client(t, Config{Address: srv.URL, Write: true})
	writer.Offer(t.Context(), a, want.Digest)
	writer.Wait()
	if text := warned.take(); len(text) > 0 || len(s.content) < 100 {
		t.Fatalf("%d files written, warnings %q", len(s.content), text)
	}
	isResult := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/ac/") }
	isLarge := func(r *http.Request) bool {
		return r.URL.Path == "/cas/"+want.Outputs["firmware"].Hash && r.Method == http.MethodGet
	}
	for name, c := range map[string]struct {
		lie  func(w http.ResponseWriter, r *http.Request) bool // false: the truth
		want string                                            // in the warning; "": a miss without one
	}{
		"wrong bytes": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLarge(r) {
				_, _ = w.Write(make([]byte, want.Outputs["firmware"].Size))
			}
			return isLarge(r)
		}, "sha256 mismatch"},
		"a short body": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLarge(r) {
				_, _ = w.Write([]byte("ELF"))
			}
			return isLarge(r)
		}, "unexpected EOF"},
		"an endless body": {func(w http.ResponseWriter, r *http.Request) bool {
			for isLarge(r) {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return true
				}
			}
			return false
		}, "more than"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) bool {
			if isLarge(r) {
				<-r.Context().Done()
			}
			return isLarge(r)
		}, "no data for too long"},
		"a page in place of a result": {func(w http.ResponseWriter, r *http.Request) bool {
			if isResult(r) {
				_, _ = io.WriteString(w, "<html>sign in</html>")
			}
			return isResult(r)
		}, "decoding the result"},
		"an endless result": {func(w http.ResponseWriter, r *http.Request) bool {
			for isResult(r) {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return true
				}
			}
			return false
		}, "a result of more than"},
		"a result of another step": {func(w http.ResponseWriter, r *http.Request) bool {
			if isResult(r) {
				b, _ := reapi.Marshal(&reapi.ActionResult{OutputFiles: []*reapi.OutputFile{{Path: "out/other", Digest: want.Outputs["firmware"].ToProto()}}})
				_, _ = w.Write(b)
			}
			return isResult(r)
		}, "it has the outputs"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLarge(r) {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			}
			return isLarge(r)
		}, "HTTP status 302"},
		"an error": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLarge(r) {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return isLarge(r)
		}, "HTTP status 500"},
		"a blob that is gone": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLarge(r) {
				http.NotFound(w, r)
			}
			return isLarge(r)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !c.lie(w, r) {
					s.ServeHTTP(w, r)
				}
			}))
			defer liar.Close()
			b := open(t)
			reader, _, warned := client(t, Config{Address: liar.URL, stall: 500 * time.Millisecond})
			for range 2 {
				if res, err := reader.Fetch(t.Context(), b, want.Digest, outputs, "it"); !errors.Is(err, store.ErrMissing) {
					t.Fatalf("Fetch = %+v, %v", res, err)
				}
			}
			if _, _, err := b.Result(t.Context(), want.Digest, true); !errors.Is(err, store.ErrMissing) {
				t.Errorf("it is a result: %v", err)
			}
			text := warned.take()
			if c.want == "" && len(text) > 0 || c.want != "" && (len(text) != 1 || !strings.Contains(text[0], c.want) || strings.Contains(text[0], "\n")) {
				t.Errorf("warnings %q, want one with %q", text, c.want)
			}
		})
	}
}
