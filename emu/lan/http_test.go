package lan

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"espalier.dev/espalier/emu"
)

// hello answers with what a handler sees of a request.
func hello(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		server := ""
		if r.TLS != nil {
			server = r.TLS.ServerName
		}
		fmt.Fprintf(w, "%s: %s %s%s %q from %s, TLS %q\n", name, r.Method, r.Host, r.URL, body, r.RemoteAddr, server)
	})
}

// handlerAt asks for the address of a host and requests a page there.
func (s *station) requestAt(host, request string) string {
	s.t.Helper()
	to, err := netip.ParseAddr(host)
	if err != nil {
		m := s.lookup(host, dnsmessage.TypeA)
		if list := addresses(m); len(list) != 1 {
			s.t.Fatalf("%s: addresses %v", host, list)
		} else {
			to = list[0]
		}
	}
	c := s.connect(netip.AddrPortFrom(to, portHTTP))
	c.write(request)
	c.wait(100 * emu.Millisecond)
	return string(c.data)
}

func TestHandlers(t *testing.T) {
	handlers := map[string]http.Handler{
		"API.example.com.": hello("api"), "store.espalier.lan": hello("store"), "192.0.2.9": hello("address"), "named.home": hello("named"),
	}
	for _, uplink := range []Uplink{nil, refusingUplink{}} {
		s := newStation(t, Config{
			Handlers: handlers, Uplink: uplink,
			Names: map[string]netip.Addr{"named.home": netip.MustParseAddr("192.0.2.9")},
		})
		s.join()
		for _, tc := range []struct{ host, request, want string }{
			{"api.example.com", "GET /v1?a=b HTTP/1.0\r\nHost: api.example.com:80\r\n\r\n", `api: GET api.example.com:80/v1?a=b "" from 192.168.71.100:500`},
			{"api.example.com", "GET /v1 HTTP/1.0\r\n\r\n", `api: GET api.example.com/v1 ""`}, // no Host: by address
			{"api.example.com", "POST / HTTP/1.1\r\nHost: API.example.com\r\nContent-Length: 2\r\n\r\nhi", `api: POST API.example.com/ "hi"`},
			{"store.espalier.lan", "GET / HTTP/1.0\r\nHost: store.espalier.lan\r\n\r\n", "store: GET"},
			{"192.0.2.9", "GET / HTTP/1.0\r\n\r\n", "address: GET 192.0.2.9/"},
			{"named.home", "GET / HTTP/1.0\r\nHost: named.home\r\n\r\n", "named: GET"},
			{"espalier.lan", "", ""},
		} {
			if tc.request == "" {
				if list := addresses(s.lookup(tc.host, dnsmessage.TypeA)); len(list) != 1 || list[0] != gateway4 {
					t.Errorf("%s has %v", tc.host, list)
				}
				continue
			}
			if got := s.requestAt(tc.host, tc.request); !strings.Contains(got, tc.want) {
				t.Errorf("uplink %v, %s: got %q, want %q", uplink != nil, tc.host, got, tc.want)
			}
		}
		c := s.secure("api.example.com")
		if r, body := s.fetch(c, asking(t, "GET", "https://api.example.com/x", "")); r.StatusCode != 200 || !strings.Contains(body, `TLS "api.example.com"`) {
			t.Errorf("%s, %q", r.Status, body)
		}
	}
}

// refusingUplink is an outside that has no hosts.
type refusingUplink struct{}

func (refusingUplink) Busy() bool                                              { return false }
func (refusingUplink) Poll(Inbound)                                            {}
func (refusingUplink) Datagram(_, _ netip.AddrPort, _ []byte)                  {}
func (refusingUplink) Resolve(_ string, done func(_ []netip.Addr, rcode byte)) { done(nil, 3) }
func (refusingUplink) Dial(netip.AddrPort, Stream) Peer                        { return refusedPeer{} }

type refusedPeer struct{}

func (refusedPeer) Write([]byte) {}
func (refusedPeer) Pending() int { return 0 }
func (refusedPeer) CloseWrite()  {}
func (refusedPeer) Close()       {}

func TestHandlerNames(t *testing.T) {
	for _, tc := range []struct {
		handlers map[string]http.Handler
		want     string
	}{
		{map[string]http.Handler{"http://a.b/": hello("x")}, `handler of host "http://a.b/": want a host name or an address without scheme and port`},
		{map[string]http.Handler{"a.b:80": hello("x")}, "without scheme and port"},
		{map[string]http.Handler{"": hello("x")}, "1 to 63 bytes"},
		{map[string]http.Handler{"a..b": hello("x")}, "1 to 63 bytes"},
		{map[string]http.Handler{"a.b": nil}, `handler of host "a.b": nil`},
		{map[string]http.Handler{"a.b": hello("x"), "A.b.": hello("y")}, "there is another one for a.b"},
		{map[string]http.Handler{"fd00::1": hello("x"), "192.0.2.1": hello("x"), "localhost": hello("x")}, ""},
	} {
		_, err := New(Config{Handlers: tc.handlers})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}

// A slow handler delays its own connection only; a panic with
// http.ErrAbortHandler resets it.
func TestHandlerFaults(t *testing.T) {
	s := newStation(t, Config{
		Handlers: map[string]http.Handler{"a.b": hello("a"), "abort.b": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		Faults:   schedule(t, "from 0s to 30s slow-server 2s"),
	})
	s.join()
	c := s.connect(netip.AddrPortFrom(gateway4, portHTTP))
	c.write("GET / HTTP/1.0\r\nHost: a.b\r\n\r\n")
	if c.wait(1900 * emu.Millisecond); len(c.data) > 0 {
		t.Error("the answer is too early")
	}
	if c.wait(200 * emu.Millisecond); !strings.Contains(string(c.data), "a: GET") {
		t.Errorf("answer %q", c.data)
	}
	c = s.connect(netip.AddrPortFrom(gateway4, portHTTP))
	c.write("GET / HTTP/1.0\r\nHost: abort.b\r\n\r\n")
	if c.wait(3 * emu.Second); !c.reset || len(c.data) > 0 {
		t.Errorf("reset %v, answer %q", c.reset, c.data)
	}
}

// Connections to the web server that are idle, or whose request does not
// arrive, end.
func TestHTTPTimeouts(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		after      emu.Duration
		want       string
	}{
		{"nothing", "", requestTimeout, ""},
		{"half a request", "GET / HTTP/1.1\r\nHost", requestTimeout, "HTTP/1.1 408 Request Timeout\r\n"},
		{"half a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhi", requestTimeout, "HTTP/1.1 408 Request Timeout\r\n"},
		{"keep-alive", "GET /500 HTTP/1.1\r\nHost: espalier.lan\r\n\r\n", idleTimeout, "HTTP/1.1 500 "},
		{"then half a request", "GET /500 HTTP/1.1\r\nHost: espalier.lan\r\n\r\nGET", requestTimeout, "HTTP/1.1 408 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStation(t, Config{})
			s.join()
			c := s.connect(netip.AddrPortFrom(gateway4, portHTTP))
			c.write(tc.sent)
			c.wait(tc.after - emu.Second)
			if c.ended || c.reset {
				t.Error("ended too early")
			}
			c.wait(2 * emu.Second)
			if !c.ended || c.reset || !strings.Contains(string(c.data), tc.want) {
				t.Errorf("ended %v, reset %v, %q", c.ended, c.reset, c.data)
			}
			s.wait(2 * finWait) // the client does not close its half
			if len(s.n.tcp.order) != 0 || len(s.n.timers.heap) != 0 {
				t.Errorf("%d connections and %d timers are left", len(s.n.tcp.order), len(s.n.timers.heap))
			}
		})
	}
}
