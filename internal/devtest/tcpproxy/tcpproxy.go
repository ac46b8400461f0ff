// Package tcpproxy forwards connections on loopback and counts their bytes, so
// that a test knows what a client and a server have exchanged, and can interfere
// in the middle of it. Only tests import it.
package tcpproxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy forwards to one address.
type Proxy struct {
	Addr     string       // host:port where it listens
	Sent     atomic.Int64 // bytes from clients to the server
	Received atomic.Int64 // bytes from the server to clients

	to string

	mu    sync.Mutex
	limit [2]int64 // of sent and received
	fn    func()
	open  map[net.Conn]bool
}

// New forwards connections to an address until the test ends.
func New(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); p.Cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.forward(c)
		}
	}()
	return p
}

// To forwards later connections to another address.
func (p *Proxy) To(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = addr
}

// After resets the counters, and calls fn once when that many bytes have been
// sent or received (0: no limit). The bytes that exceed a limit are not
// delivered, and all connections are closed after fn.
func (p *Proxy) After(sent, received int64, fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Sent.Store(0)
	p.Received.Store(0)
	p.limit, p.fn = [2]int64{sent, received}, fn
}

// Reset sets the counters to zero.
func (p *Proxy) Reset() { p.After(0, 0, nil) }

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *Proxy) forward(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, client)
		delete(p.open, server)
	}()
	ended := make(chan struct{})
	go func() {
		p.copy(server, client, &p.Sent)
		server.(*net.TCPConn).CloseWrite()
		close(ended)
	}()
	p.copy(client, server, &p.Received)
	client.Close() // the server has ended: the client must not wait for it
	<-ended
}

func (p *Proxy) copy(w io.Writer, r io.Reader, count *atomic.Int64) {
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			count.Add(int64(n))
			p.moved()
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// moved interferes when a limit is exceeded.
func (p *Proxy) moved() {
	p.mu.Lock()
	fn := p.fn
	if fn == nil || !exceeds(p.Sent.Load(), p.limit[0]) && !exceeds(p.Received.Load(), p.limit[1]) {
		p.mu.Unlock()
		return
	}
	p.fn = nil
	p.mu.Unlock()
	fn()
	p.Cut()
}

func exceeds(n, limit int64) bool { return limit > 0 && n > limit }
