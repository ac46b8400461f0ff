package uplink

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"espalier.dev/espalier/emu/lan"
)

// guest is the network's end: it takes a few bytes at a time.
type guest struct {
	connected, eof, failed bool
	data                   []byte
	peer                   lan.Peer
	opened                 netip.AddrPort
	datagrams              [][]byte
}

func (g *guest) Connected()                                    { g.connected = true }
func (g *guest) Room() int                                     { return 1000 }
func (g *guest) Deliver(b []byte)                              { g.data = append(g.data, b...) }
func (g *guest) EOF()                                          { g.eof = true }
func (g *guest) Fail()                                         { g.failed = true }
func (g *guest) Datagram(_, _ netip.AddrPort, b []byte)        { g.datagrams = append(g.datagrams, b) }
func (g *guest) Station() (netip.Addr, bool)                   { return lan.FirstLease(), true }
func (g *guest) Open(to netip.AddrPort, p lan.Peer) lan.Stream { g.opened, g.peer = to, p; return g }

// until polls until something has happened.
func until(t *testing.T, u *Uplink, g *guest, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
		u.Poll(g)
		runtime.Gosched()
	}
}

func open(t *testing.T, cfg Config) *Uplink {
	t.Helper()
	u, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// echo is a server that sends back what it gets until its client is done.
func echo(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestDial(t *testing.T) {
	u := open(t, Config{Out: true})
	g := &guest{}
	p := u.Dial(echo(t), g)
	want := bytes.Repeat([]byte("0123456789"), 20000)
	p.Write(want)
	until(t, u, g, "connection", func() bool { return g.connected })
	p.CloseWrite()
	until(t, u, g, "end", func() bool { return g.eof })
	p.Close()
	if !bytes.Equal(g.data, want) || g.failed {
		t.Errorf("%d bytes of %d, failed %v", len(g.data), len(want), g.failed)
	}
}

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	u := open(t, Config{Out: true})
	g := &guest{}
	u.Dial(to, g)
	until(t, u, g, "failure", func() bool { return g.failed })
}

func TestClosed(t *testing.T) {
	u := open(t, Config{})
	g := &guest{}
	u.Dial(echo(t), g)
	until(t, u, g, "failure", func() bool { return g.failed })
	code := byte(0)
	u.Resolve("localhost", func(_ []netip.Addr, rcode byte) { code = rcode })
	if code == 0 {
		t.Error("a name is resolved although nothing may leave")
	}
}

func TestDatagram(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
	u := open(t, Config{Out: true})
	g := &guest{}
	u.Datagram(netip.MustParseAddrPort("192.168.71.100:5000"), c.LocalAddr().(*net.UDPAddr).AddrPort(), []byte("hello"))
	until(t, u, g, "answer", func() bool { return len(g.datagrams) == 1 })
	if string(g.datagrams[0]) != "hello" {
		t.Errorf("%q", g.datagrams[0])
	}
}

func TestForward(t *testing.T) {
	u := open(t, Config{Forward: []Forward{{"127.0.0.1:0", 80}}})
	c, err := net.Dial("tcp", u.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET")
	g := &guest{}
	until(t, u, g, "request", func() bool { return string(g.data) == "GET" })
	if g.opened != netip.MustParseAddrPort("192.168.71.100:80") {
		t.Errorf("opened %s", g.opened)
	}
	g.peer.Write([]byte("200"))
	g.peer.CloseWrite()
	if b, err := io.ReadAll(c); string(b) != "200" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
