package tlsconn

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func now() time.Time { return today }

func authority(t testing.TB, name string) *Authority {
	t.Helper()
	a, err := NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// counter is a bad source of random numbers, and a repeatable one.
func counter(from uint64) io.Reader {
	return Source(func() uint64 { from++; return from * 0x9e3779b97f4a7c15 })
}

// pipe is the client's end of a connection whose other end is a session: what
// the client writes is answered before its call returns.
type pipe struct {
	s       *Session
	in, log []byte // from the server
	step    int    // how many bytes arrive at a time; 0: all
	plain   []byte // what the server was told
	ended   int
	err     error
	opened  bool
}

func newPipe(issue func(name string) (*Certificate, error)) *pipe {
	p := &pipe{}
	p.s = NewSession(Config{
		Random: counter(1), Now: now, Certificate: issue,
		Send:   func(b []byte) { p.in, p.log = append(p.in, b...), append(p.log, b...) },
		Opened: func() { p.opened = true },
		Deliver: func(b []byte) {
			if p.plain = append(p.plain, b...); bytes.HasSuffix(p.plain, []byte("?")) {
				p.s.Write([]byte("answer"))
			}
		},
		Ended: func(err error) { p.ended++; p.err = err },
	})
	return p
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := len(rest)
		if p.step > 0 {
			n = min(n, p.step)
		}
		p.s.Receive(rest[:n])
		rest = rest[n:]
	}
	return len(b), nil
}

func (*pipe) Close() error                     { return nil }
func (*pipe) LocalAddr() net.Addr              { return emulatedAddr{} }
func (*pipe) RemoteAddr() net.Addr             { return emulatedAddr{} }
func (*pipe) SetDeadline(time.Time) error      { return nil }
func (*pipe) SetReadDeadline(time.Time) error  { return nil }
func (*pipe) SetWriteDeadline(time.Time) error { return nil }

func (p *pipe) client(a *Authority, name string) *tls.Conn {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return tls.Client(p, &tls.Config{RootCAs: roots, ServerName: name, Time: now, Rand: counter(100)})
}

// ask has one exchange with the server.
func ask(t *testing.T, c *tls.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("what?")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := c.Read(b)
	if err != nil || string(b[:n]) != "answer" {
		t.Fatalf("%q, %v", b[:n], err)
	}
}

// Go's own client gets through, whatever it offers and however the bytes come.
func TestExchange(t *testing.T) {
	a := authority(t, "root")
	for _, c := range []struct {
		name   string
		change func(*tls.Config, *pipe)
	}{
		{"TLS 1.3", func(c *tls.Config, _ *pipe) { c.MinVersion = tls.VersionTLS13 }},
		{"TLS 1.2", func(c *tls.Config, _ *pipe) { c.MaxVersion = tls.VersionTLS12 }},
		{"P-256 after another offer", func(c *tls.Config, _ *pipe) { c.CurvePreferences = []tls.CurveID{tls.CurveP521, tls.CurveP256} }},
		{"X25519", func(c *tls.Config, _ *pipe) { c.CurvePreferences = []tls.CurveID{tls.X25519} }},
		{"ALPN", func(c *tls.Config, _ *pipe) { c.NextProtos = []string{"h2", "http/1.1"} }},
		{"byte by byte", func(_ *tls.Config, p *pipe) { p.step = 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPipe(func(name string) (*Certificate, error) { return a.Certificate(name, false) })
			roots := x509.NewCertPool()
			roots.AddCert(a.cert)
			cfg := &tls.Config{RootCAs: roots, ServerName: "espalier.lan", Time: now}
			c.change(cfg, p)
			conn := tls.Client(p, cfg)
			ask(t, conn)
			ask(t, conn)
			if p.s.CloseWrite(); !p.opened || p.ended != 0 {
				t.Errorf("opened %v, ended %d times", p.opened, p.ended)
			}
			if n, err := conn.Read(make([]byte, 10)); n != 0 || err != io.EOF {
				t.Errorf("after the end: %d, %v", n, err)
			}
			conn.CloseWrite()
			if p.ended != 1 || p.err != nil {
				t.Errorf("ended %d times, %v", p.ended, p.err)
			}
		})
	}
}

// Clients refuse what they must not trust, and the server learns why.
func TestRefused(t *testing.T) {
	a, other := authority(t, "root"), authority(t, "another root")
	for _, c := range []struct {
		name   string
		issue  func(string) (*Certificate, error)
		client any // pointer to the type of its error
		server string
	}{
		{"unknown root", func(n string) (*Certificate, error) { return other.Certificate(n, false) }, new(x509.UnknownAuthorityError), "bad certificate"},
		{"wrong name", func(string) (*Certificate, error) { return a.Certificate("another.lan", false) }, new(x509.HostnameError), "bad certificate"},
		{"expired", func(n string) (*Certificate, error) { return a.Certificate(n, true) }, new(x509.CertificateInvalidError), "bad certificate"},
		{"no certificate", func(string) (*Certificate, error) { return nil, errors.New("none") }, nil, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPipe(c.issue)
			err := p.client(a, "espalier.lan").Handshake()
			if err == nil || c.client != nil && !errors.As(err, c.client) {
				t.Errorf("client: %v", err)
			}
			if p.ended != 1 || p.err == nil || !strings.Contains(p.err.Error(), c.server) || len(p.plain) > 0 {
				t.Errorf("server: ended %d times, %v, was told %q", p.ended, p.err, p.plain)
			}
		})
	}
	p := newPipe(nil)
	p.s.Receive([]byte("GET / HTTP/1.0\r\n\r\n"))
	p.s.Receive(make([]byte, 100000))
	if p.ended != 1 || p.err == nil || len(p.s.in) > 0 {
		t.Errorf("no TLS at all: ended %d times, %v; %d bytes are kept", p.ended, p.err, len(p.s.in))
	}
	p = newPipe(nil)
	p.s.EOF()
	if p.ended != 1 || p.err != io.EOF {
		t.Errorf("nothing at all: ended %d times, %v", p.ended, p.err)
	}
}

func TestAddressesHaveCertificates(t *testing.T) {
	a := authority(t, "root")
	p := newPipe(func(string) (*Certificate, error) { return a.Certificate("192.168.71.1", false) })
	ask(t, p.client(a, "192.168.71.1"))
}

// A client that leaves without a word has sent all.
func TestTruncated(t *testing.T) {
	a := authority(t, "root")
	p := newPipe(func(name string) (*Certificate, error) { return a.Certificate(name, false) })
	ask(t, p.client(a, "espalier.lan"))
	p.s.EOF()
	if p.ended != 1 || p.err != nil {
		t.Errorf("ended %d times, %v", p.ended, p.err)
	}
}

// The same client meets the same bytes.
func TestSameBytes(t *testing.T) {
	if !Seeded() {
		t.Fatal("this module's go.mod has no cryptocustomrand=1")
	}
	a := authority(t, "root")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var first []byte
		for i := range 8 {
			p := newPipe(func(name string) (*Certificate, error) { return a.Certificate(name, false) })
			roots := x509.NewCertPool()
			roots.AddCert(a.cert)
			c := tls.Client(p, &tls.Config{
				RootCAs: roots, ServerName: "espalier.lan", Time: now, Rand: counter(100), MaxVersion: version,
				CurvePreferences: []tls.CurveID{tls.CurveP256},
			})
			ask(t, c)
			if i == 0 {
				first = p.log
			} else if !bytes.Equal(p.log, first) {
				t.Fatalf("version %x: other bytes in run %d", version, i)
			}
		}
	}
	if !bytes.Equal(a.Root(), authority(t, "root").Root()) {
		t.Error("another root of the same name")
	}
	if bytes.Equal(a.Root(), authority(t, "another root").Root()) {
		t.Error("the same root of another name")
	}
}

// Nothing is left of a session whose connection is no more, wherever it was.
func TestAbandon(t *testing.T) {
	a := authority(t, "root")
	before := runtime.NumGoroutine()
	newPipe(nil).s.Abandon() // before the first byte

	p := newPipe(nil)
	p.s.Receive([]byte{22, 3, 1}) // within a record
	p.s.Abandon()

	p = newPipe(func(name string) (*Certificate, error) { return a.Certificate(name, false) })
	c := p.client(a, "espalier.lan")
	ask(t, c) // between two
	p.s.Abandon()
	p.s.Receive([]byte("late"))
	p.s.Write([]byte("late"))
	p.s.CloseWrite()
	p.s.Abandon()
	if p.ended != 0 {
		t.Error("an abandoned session has ended")
	}

	p = newPipe(func(name string) (*Certificate, error) { return a.Certificate(name, false) })
	p.s.cfg.Deliver = func([]byte) { p.s.Abandon() } // while it runs
	c = p.client(a, "espalier.lan")
	if _, err := c.Write([]byte("what?")); err != nil {
		t.Fatal(err)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, before %d", n, before)
	}
}

func FuzzSession(f *testing.F) {
	a := authority(f, "root")
	var hello []byte
	tls.Client(tap{newPipe(func(string) (*Certificate, error) { return nil, errors.New("none") }), &hello},
		&tls.Config{ServerName: "espalier.lan", Rand: counter(100), Time: now}).Handshake()
	f.Add(hello, 7)
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"), 1)
	f.Add([]byte{22, 3, 1, 0xff, 0xff}, 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		p := newPipe(func(name string) (*Certificate, error) { return a.Certificate(name, false) })
		p.step = max(step, 1)
		p.Write(b)
		if len(p.plain) > 0 {
			t.Fatalf("told %q without a handshake", p.plain)
		}
		p.s.EOF()
		if p.ended != 1 {
			t.Fatalf("ended %d times", p.ended)
		}
	})
}

// tap notes what a client writes.
type tap struct {
	*pipe
	out *[]byte
}

func (t tap) Write(b []byte) (int, error) {
	*t.out = append(*t.out, b...)
	return t.pipe.Write(b)
}
