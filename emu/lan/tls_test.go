package lan

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan/tlsconn"
)

var update = flag.Bool("update", false, "write the root certificate into the project of the test firmware")

// The root certificate is in firmware and in the documentation.
func TestRoot(t *testing.T) {
	const project, page = "../../testdata/wireless/root.der", "../../docs/network.md"
	if *update {
		if err := os.WriteFile(project, Root(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(project); err != nil || !bytes.Equal(b, Root()) {
		t.Errorf("%s is not the root of the isolated network (%v)", project, err)
	}
	if b, err := os.ReadFile(page); err != nil || !bytes.Contains(b, RootPEM()) {
		t.Errorf("%s does not show the root of the isolated network (%v):\n%s", page, err, RootPEM())
	}
}

// blocking is a net.Conn over a connection of a station. Guest time advances while
// Read waits.
type blocking struct {
	c    *client
	read int
}

func (b *blocking) Read(p []byte) (int, error) {
	for waited := 0; len(b.c.data) == b.read; waited++ {
		switch {
		case b.c.reset:
			return 0, errors.New("reset")
		case b.c.ended:
			return 0, io.EOF
		case waited == 1000:
			return 0, errors.New("nothing for a second")
		}
		b.c.wait(emu.Millisecond)
	}
	n := copy(p, b.c.data[b.read:])
	b.read += n
	return n, nil
}

func (b *blocking) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), 1200)
		b.c.write(string(rest[:n]))
		rest = rest[n:]
	}
	return len(p), nil
}

func (*blocking) Close() error                     { return nil }
func (*blocking) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*blocking) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*blocking) SetDeadline(time.Time) error      { return nil }
func (*blocking) SetReadDeadline(time.Time) error  { return nil }
func (*blocking) SetWriteDeadline(time.Time) error { return nil }

// secure returns a TLS client of a host that trusts the root of the network.
func (s *station) secure(host string) *tls.Conn {
	s.t.Helper()
	address := gateway4
	if !strings.HasSuffix(host, Domain) {
		address = addresses(s.lookup(host, dnsmessage.TypeA))[0]
	}
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(Root())
	if err != nil {
		s.t.Fatal(err)
	}
	roots.AddCert(root)
	n := uint64(7)
	return tls.Client(&blocking{c: s.connect(netip.AddrPortFrom(address, portHTTPS))}, &tls.Config{
		RootCAs: roots, ServerName: host, Time: s.n.date, CurvePreferences: []tls.CurveID{tls.CurveP256},
		Rand: tlsconn.Source(func() uint64 { n++; return n << 32 }),
	})
}

// fetch sends a request over TLS and returns the answer.
func (s *station) fetch(c *tls.Conn, r *http.Request) (*http.Response, string) {
	s.t.Helper()
	if err := r.Write(c); err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), r)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(body)
}

func asking(t *testing.T, method, url string, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// HTTPS serves the same pages as HTTP, for every host.
func TestHTTPS(t *testing.T) {
	var log []string
	s := newStation(t, Config{Log: func(_ emu.Time, line string) { log = append(log, line) }})
	s.join()
	c := s.secure("espalier.lan")
	for _, e := range []struct{ method, path, body, want string }{
		{"GET", "/", "", "Hello from espalier.lan"},
		{"POST", "/echo", strings.Repeat("echo", 5000), strings.Repeat("echo", 5000)},
		{"GET", "/time", "", "2026-01-01T00:00:0"},
		{"GET", "/root.pem", "", string(RootPEM())},
	} {
		if r, body := s.fetch(c, asking(t, e.method, "https://espalier.lan"+e.path, e.body)); r.StatusCode != 200 || !strings.HasPrefix(body, e.want) {
			t.Errorf("%s: %s: %.80q", e.path, r.Status, body)
		}
	}
	if _, body := s.fetch(c, asking(t, "GET", "https://espalier.lan/bytes/300000", "")); len(body) != 300000 {
		t.Errorf("%d bytes", len(body))
	}
	if r, body := s.fetch(s.secure("www.example.com"), asking(t, "GET", "https://www.example.com/", "")); r.StatusCode != 200 || !strings.HasPrefix(body, "This is not www.example.com.") {
		t.Errorf("another host: %s: %q", r.Status, body)
	}
	if all := strings.Join(log, "\n"); !strings.Contains(all, "GET https://www.example.com/: 200") {
		t.Errorf("log:\n%s", all)
	}
	s.n.Close()
	if len(s.n.tcp.order) != 0 {
		t.Error("connections are left")
	}
}

func TestHTTPSMustBeTrusted(t *testing.T) {
	for host, want := range map[string]any{
		untrustedHost: new(x509.UnknownAuthorityError), wrongNameHost: new(x509.HostnameError), expiredHost: new(x509.CertificateInvalidError),
	} {
		var log []string
		s := newStation(t, Config{Log: func(_ emu.Time, line string) { log = append(log, line) }})
		s.join()
		if err := s.secure(host).Handshake(); !errors.As(err, want) {
			t.Errorf("%s: %v", host, err)
		}
		s.wait(emu.Second)
		if all := strings.Join(log, "\n"); !strings.Contains(all, "TLS from 192.168.71.100 to 192.168.71.1: remote error: tls: bad certificate") {
			t.Errorf("%s: log:\n%s", host, all)
		}
	}
}

// A client that sends nothing, and one that resets the connection during the
// handshake, leave no connection open.
func TestHTTPSHandshakeTimeout(t *testing.T) {
	var log []string
	s := newStation(t, Config{Log: func(_ emu.Time, line string) { log = append(log, line) }})
	s.join()
	silent := s.connect(netip.AddrPortFrom(gateway4, portHTTPS))
	silent.wait(handshakeTimeout - emu.Second)
	if silent.reset {
		t.Error("reset too early")
	}
	silent.wait(2 * emu.Second)
	if all := strings.Join(log, "\n"); !silent.reset || !strings.Contains(all, "TLS from 192.168.71.100 to 192.168.71.1: the client does not continue the handshake") {
		t.Errorf("reset %v, log:\n%s", silent.reset, all)
	}
	if len(s.n.tcp.order) != 0 {
		t.Errorf("%d connections are left", len(s.n.tcp.order))
	}
	half := s.connect(netip.AddrPortFrom(gateway4, portHTTPS))
	half.write("\x16\x03\x01")
	half.wait(emu.Second)
	half.send(tcpRST|tcpACK, nil)
	s.wait(emu.Second)
	if len(s.n.tcp.order) != 0 || len(s.n.timers.heap) != 0 {
		t.Errorf("%d connections and %d timers are left", len(s.n.tcp.order), len(s.n.timers.heap))
	}
}

// Faults of connections and of servers work with TLS.
func TestHTTPSFaults(t *testing.T) {
	t.Run("slow server", func(t *testing.T) {
		s := newStation(t, Config{Faults: parseFaults(t, "slow-server 700ms")})
		s.join()
		before := s.now
		if r, _ := s.fetch(s.secure("espalier.lan"), asking(t, "GET", "https://espalier.lan/", "")); r.StatusCode != 200 || s.now.Sub(before) < 700*emu.Millisecond {
			t.Errorf("%s after %s", r.Status, s.now.Sub(before))
		}
	})
	t.Run("reset", func(t *testing.T) {
		s := newStation(t, Config{Faults: parseFaults(t, "at 5s tcp-reset")})
		s.join()
		c := s.secure("espalier.lan")
		s.fetch(c, asking(t, "GET", "https://espalier.lan/", ""))
		s.wait(5 * emu.Second)
		if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
			t.Errorf("%v", err)
		}
	})
}

func parseFaults(t *testing.T, text string) faults.Schedule {
	t.Helper()
	s, err := faults.ParseAll([]string{text})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Two runs of a seed exchange the same bytes at the same times.
func TestHTTPSIsReproducible(t *testing.T) {
	run := func(seed uint64) uint64 {
		h := fnv.New64a()
		s := newStation(t, Config{Seed: seed, Capture: func(at emu.Time, b []byte) {
			h.Write([]byte(at.String()))
			h.Write(b)
		}})
		s.join()
		s.fetch(s.secure("espalier.lan"), asking(t, "POST", "https://espalier.lan/echo", "hello"))
		s.n.Close()
		return h.Sum64()
	}
	first := run(1)
	for range 5 {
		if again := run(1); again != first {
			t.Fatalf("%x and %x", first, again)
		}
	}
	if run(2) == first {
		t.Error("the seed changes nothing")
	}
}
