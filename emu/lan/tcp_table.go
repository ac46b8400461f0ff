package lan

import (
	"net/netip"
	"slices"

	"espalier.dev/espalier/emu/faults"
)

// tcpTable holds the connections of a network, in the order in which they were
// opened.
type tcpTable struct {
	n        *Network
	byTuple  map[tuple]*conn
	order    []*conn
	lastPort uint16 // offset of the last local port of a connection to a station
}

// tuple identifies a connection.
type tuple struct{ local, remote netip.AddrPort }

// maxConns bounds the memory that a hostile guest can make the host use.
const maxConns = 512

// firstPort is the first of the dynamic ports (RFC 6335).
const firstPort = 49152

func (t *tcpTable) handle(p packet) {
	if _, active := t.n.fault(faults.HalfOpen); active {
		return
	}
	s, ok := parseTCP(p)
	if !ok {
		return
	}
	c := t.byTuple[tuple{s.dst, s.src}]
	if c != nil && c.state == tcpTimeWait && s.flags&(tcpSYN|tcpACK|tcpRST) == tcpSYN && seqLess(c.rcv.nxt, s.seq) {
		c.remove(false) // RFC 9293 3.6.1: a new connection with the same tuple
		c = nil
	}
	if c == nil {
		t.listen(s)
		return
	}
	c.input(s)
	if len(s.data) > 0 && c.state == tcpEstablished {
		if f, reset := t.n.fault(faults.TCPReset); reset && f.From != f.To {
			c.abort()
		}
	}
}

// listen handles a segment that belongs to no connection: a SYN for a server or
// for the Uplink opens one.
func (t *tcpTable) listen(s segment) {
	if s.flags&tcpRST != 0 {
		return
	}
	if s.flags&(tcpSYN|tcpACK|tcpFIN) != tcpSYN || len(t.order) >= maxConns {
		t.refuse(s)
		return
	}
	n := t.n
	if e := t.server(s); e != nil {
		t.passiveOpen(s, e).accept()
		return
	}
	if !n.hasOutside() || !outsideAddr(s.dst.Addr()) {
		n.log("connection refused: no server at %s", s.dst)
		t.refuse(s)
		return
	}
	u := &uplinkStream{}
	u.conn = t.passiveOpen(s, u)
	u.peer = n.cfg.Uplink.Dial(s.dst, u)
}

// server returns the server at the destination of a SYN, nil if there is none.
func (t *tcpTable) server(s segment) endpoint {
	n := t.n
	if !n.answersFor(s.dst.Addr()) {
		return nil
	}
	switch s.dst.Port() {
	case portHTTP:
		return newHTTPServer(n, s.src, nil)
	case portHTTPS:
		return newTLSServer(n, s.src)
	case portEcho:
		return &echoServer{n: n}
	case portDiscard:
		return discardServer{}
	}
	return nil
}

// passiveOpen makes a connection from the SYN of a station.
func (t *tcpTable) passiveOpen(s segment, e endpoint) *conn {
	c := t.add(s.dst, s.src, e)
	c.state = tcpListen
	c.rcv.nxt = s.seq + 1
	c.snd.setMSS(s.mss, c.maxSegment())
	return c
}

// activeOpen makes a connection to a station for a peer of the Uplink.
func (t *tcpTable) activeOpen(station netip.AddrPort, p Peer) Stream {
	u := &uplinkStream{peer: p}
	t.lastPort++
	local := netip.AddrPortFrom(gateway4, firstPort+t.lastPort%(1<<16-firstPort))
	if station.Addr().Is6() {
		local = netip.AddrPortFrom(gateway6, local.Port())
	}
	if len(t.order) >= maxConns || t.byTuple[tuple{local, station}] != nil {
		p.Close()
		return u
	}
	c := t.add(local, station, u)
	u.conn = c
	c.state = tcpSynSent
	c.snd.setMSS(0, c.maxSegment())
	c.sendSYN()
	return u
}

func (t *tcpTable) add(local, remote netip.AddrPort, e endpoint) *conn {
	c := &conn{table: t, addr: local, peer: remote, endpoint: e, snd: newSendState(uint32(t.n.isn.Uint64()))}
	c.timer = newTimer(c.expired)
	c.keepalive.timer = newTimer(c.keepaliveExpired)
	if t.byTuple == nil {
		t.byTuple = map[tuple]*conn{}
	}
	t.byTuple[tuple{local, remote}] = c
	t.order = append(t.order, c)
	return c
}

func (t *tcpTable) remove(c *conn) {
	delete(t.byTuple, tuple{c.addr, c.peer})
	t.order = slices.DeleteFunc(t.order, func(o *conn) bool { return o == c })
}

// refuse answers a segment that belongs to no connection with a reset (RFC 9293
// 3.10.7.1).
func (t *tcpTable) refuse(s segment) {
	if s.flags&tcpRST != 0 {
		return
	}
	r := segment{src: s.dst, dst: s.src, flags: tcpRST}
	if s.flags&tcpACK != 0 {
		r.seq = s.ack
	} else {
		r.flags, r.ack = tcpRST|tcpACK, s.seq+s.length()
	}
	t.emit(r)
}

func (t *tcpTable) emit(s segment) {
	if _, active := t.n.fault(faults.HalfOpen); active {
		return
	}
	t.n.send(s.src.Addr(), s.dst.Addr(), protoTCP, appendTCP(nil, s))
}

// resetAll is the fault tcp-reset at an instant.
func (t *tcpTable) resetAll() {
	for _, c := range slices.Clone(t.order) {
		if c.state != tcpTimeWait {
			c.abort()
		}
	}
}
