package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"espalier.dev/espalier/emu/lan"
)

// Forward forwards a port of the host to a port of the guest.
type Forward struct {
	Listen string // host address for net.Listen
	Port   uint16 // of the guest
}

// Config says which traffic is allowed.
type Config struct {
	// Out allows connections of the guest. Without it only Forward works.
	Out bool
	// Forward is the list of forwarded ports.
	Forward []Forward
	// Log receives a line for each connection of the guest, on the goroutine of
	// the run.
	Log func(line string)
}

// Bounds of the resources that a guest can use.
const (
	maxFlows    = 256
	chunk       = 16 << 10
	dialTimeout = 10 * time.Second
	udpIdle     = 60 * time.Second
)

// Uplink implements lan.Uplink. Goroutines wait for sockets and append events to a
// queue, which Poll processes on the goroutine of the run.
type Uplink struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{} // one per flow
	listen []net.Listener

	mu     sync.Mutex
	events []func(in lan.Inbound)
	flows  map[udpFlow]*net.UDPConn
}

type udpFlow struct{ station, to netip.AddrPort }

// New listens on the forwarded ports.
func New(cfg Config) (*Uplink, error) {
	ctx, cancel := context.WithCancel(context.Background())
	u := &Uplink{cfg: cfg, ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxFlows), flows: map[udpFlow]*net.UDPConn{}}
	for _, f := range cfg.Forward {
		l, err := net.Listen("tcp", f.Listen)
		if err != nil {
			u.Close()
			return nil, fmt.Errorf("forwarding %s: %w", f.Listen, err)
		}
		u.listen = append(u.listen, l)
		u.wg.Go(func() { u.accept(l, f.Port) })
	}
	return u, nil
}

// Addrs returns the addresses of the listeners in the order of Config.Forward.
func (u *Uplink) Addrs() []net.Addr {
	var out []net.Addr
	for _, l := range u.listen {
		out = append(out, l.Addr())
	}
	return out
}

// Close closes all connections and waits for the goroutines.
func (u *Uplink) Close() {
	u.cancel()
	for _, l := range u.listen {
		l.Close()
	}
	u.mu.Lock()
	for _, c := range u.flows {
		c.Close()
	}
	u.mu.Unlock()
	u.wg.Wait()
}

// Busy implements lan.Uplink: there may be an event at any time.
func (u *Uplink) Busy() bool { return true }

// Poll implements lan.Uplink.
func (u *Uplink) Poll(in lan.Inbound) {
	u.mu.Lock()
	events := u.events
	u.events = nil
	u.mu.Unlock()
	for _, e := range events {
		e(in)
	}
}

func (u *Uplink) post(e func(in lan.Inbound)) {
	u.mu.Lock()
	u.events = append(u.events, e)
	u.mu.Unlock()
}

// start runs f in a goroutine unless there are maxFlows already.
func (u *Uplink) start(f func()) bool {
	select {
	case u.slots <- struct{}{}:
		u.wg.Go(func() {
			defer func() { <-u.slots }()
			f()
		})
		return true
	default:
		return false
	}
}

func (u *Uplink) log(format string, args ...any) {
	if u.cfg.Log != nil {
		u.cfg.Log(fmt.Sprintf(format, args...))
	}
}

// Resolve implements lan.Uplink with the host's resolver.
func (u *Uplink) Resolve(name string, done func(addrs []netip.Addr, rcode byte)) {
	const servFail, nxDomain = 2, 3
	ok := u.cfg.Out && u.start(func() {
		ctx, cancel := context.WithTimeout(u.ctx, dialTimeout)
		defer cancel()
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		rcode := byte(0)
		if err != nil {
			rcode = servFail
			if e := (*net.DNSError)(nil); errors.As(err, &e) && e.IsNotFound {
				rcode = nxDomain
			}
		}
		u.post(func(lan.Inbound) { done(addrs, rcode) })
	})
	if !ok {
		done(nil, servFail)
	}
}

// Datagram implements lan.Uplink with one socket per pair of addresses, which is
// closed after a minute without an answer or a datagram.
func (u *Uplink) Datagram(station, to netip.AddrPort, payload []byte) {
	if !u.cfg.Out {
		return
	}
	key := udpFlow{station, to}
	u.mu.Lock()
	c := u.flows[key]
	u.mu.Unlock()
	if c == nil {
		var err error
		if c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)); err != nil {
			return
		}
		u.mu.Lock()
		u.flows[key] = c
		u.mu.Unlock()
		if !u.start(func() { u.listenUDP(key, c) }) {
			u.forget(key, c)
			return
		}
		u.log("udp %s", to)
	}
	_ = c.SetReadDeadline(time.Now().Add(udpIdle))
	_, _ = c.Write(payload)
}

func (u *Uplink) forget(key udpFlow, c *net.UDPConn) {
	u.mu.Lock()
	delete(u.flows, key)
	u.mu.Unlock()
	c.Close()
}

func (u *Uplink) listenUDP(key udpFlow, c *net.UDPConn) {
	defer u.forget(key, c)
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		data := append([]byte(nil), b[:n]...)
		u.post(func(in lan.Inbound) { in.Datagram(key.to, key.station, data) })
	}
}

// Dial implements lan.Uplink.
func (u *Uplink) Dial(to netip.AddrPort, s lan.Stream) lan.Peer {
	p := newPeer(u)
	ok := u.cfg.Out && u.start(func() {
		d := net.Dialer{Timeout: dialTimeout}
		c, err := d.DialContext(u.ctx, "tcp", to.String())
		if err != nil {
			u.post(func(lan.Inbound) { s.Fail() })
			return
		}
		u.post(func(lan.Inbound) { s.Connected() })
		p.run(c, s)
	})
	if !ok {
		u.post(func(lan.Inbound) { s.Fail() })
	} else {
		u.log("tcp %s", to)
	}
	return p
}

// accept accepts connections of the host and opens them on the guest.
func (u *Uplink) accept(l net.Listener, port uint16) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p := newPeer(u)
		opened := make(chan lan.Stream, 1)
		u.post(func(in lan.Inbound) {
			station, ok := in.Station()
			if !ok {
				p.Close()
				close(opened)
				return
			}
			opened <- in.Open(netip.AddrPortFrom(station, port), p)
		})
		if !u.start(func() {
			select {
			case s, ok := <-opened:
				if ok {
					p.run(c, s)
					return
				}
			case <-u.ctx.Done():
			}
			c.Close()
		}) {
			p.Close()
			c.Close()
		}
	}
}

// peer is a connection of the host: a queue of bytes of the guest, and a goroutine
// for each direction.
type peer struct {
	u      *Uplink
	mu     sync.Mutex
	signal *sync.Cond
	out    []byte
	eof    bool // the guest sends no more
	closed bool
	conn   net.Conn
}

func newPeer(u *Uplink) *peer {
	p := &peer{u: u}
	p.signal = sync.NewCond(&p.mu)
	return p
}

// Write implements lan.Peer.
func (p *peer) Write(b []byte) {
	p.mu.Lock()
	p.out = append(p.out, b...)
	p.mu.Unlock()
	p.signal.Signal()
}

// Pending implements lan.Peer.
func (p *peer) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out)
}

// CloseWrite implements lan.Peer.
func (p *peer) CloseWrite() {
	p.mu.Lock()
	p.eof = true
	p.mu.Unlock()
	p.signal.Signal()
}

// Close implements lan.Peer. Bytes that were written before are still sent unless
// the connection has failed.
func (p *peer) Close() {
	p.mu.Lock()
	p.closed = true
	c := p.conn
	idle := len(p.out) == 0
	p.mu.Unlock()
	p.signal.Signal()
	if c != nil && idle {
		c.Close()
	}
}

// run copies bytes until both directions are closed.
func (p *peer) run(c net.Conn, s lan.Stream) {
	defer c.Close()
	stop := context.AfterFunc(p.u.ctx, func() {
		c.Close()
		p.Close()
	})
	defer stop()
	p.mu.Lock()
	p.conn = c
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.send(c) })
	p.receive(c, s)
	wg.Wait()
}

// send writes the bytes of the guest.
func (p *peer) send(c net.Conn) {
	for {
		p.mu.Lock()
		for len(p.out) == 0 && !p.eof && !p.closed {
			p.signal.Wait()
		}
		b := p.out
		eof, closed := p.eof, p.closed
		p.mu.Unlock()
		if len(b) > 0 {
			n, err := c.Write(b[:min(len(b), chunk)])
			p.mu.Lock()
			p.out = p.out[n:]
			p.mu.Unlock()
			if err != nil {
				c.Close()
				return
			}
			continue
		}
		if closed {
			c.Close()
			return
		}
		if eof {
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			p.mu.Lock()
			for !p.closed {
				p.signal.Wait()
			}
			p.mu.Unlock()
			c.Close()
			return
		}
	}
}

// receive delivers bytes to the guest as it has room for them.
func (p *peer) receive(c net.Conn, s lan.Stream) {
	b := make([]byte, chunk)
	for {
		n, err := c.Read(b)
		if n > 0 && !p.deliver(s, append([]byte(nil), b[:n]...)) {
			return
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			p.u.post(func(lan.Inbound) { s.EOF() })
			return
		default:
			p.u.post(func(lan.Inbound) { s.Fail() })
			return
		}
	}
}

// deliver waits until the guest has taken the bytes. It returns false when the
// connection is closed.
func (p *peer) deliver(s lan.Stream, data []byte) bool {
	taken := make(chan struct{})
	var try func(lan.Inbound)
	try = func(lan.Inbound) {
		p.mu.Lock()
		closed := p.closed
		p.mu.Unlock()
		if closed {
			close(taken)
			return
		}
		if n := min(s.Room(), len(data)); n > 0 {
			s.Deliver(data[:n])
			data = data[n:]
		}
		if len(data) == 0 {
			close(taken)
			return
		}
		p.u.post(try)
	}
	p.u.post(try)
	select {
	case <-taken:
	case <-p.u.ctx.Done():
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed
}
