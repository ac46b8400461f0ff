package lan

import (
	"net/netip"
	"slices"

	"espalier.dev/espalier/emu/faults"
)

// tcpTable holds the connections, in the order in which they were opened.
type tcpTable struct {
	n     *Network
	byEnd map[ends]*conn
	order []*conn
	port  uint16 // of the last connection to a station
}

type ends struct{ local, remote netip.AddrPort }

// maxConns bounds what a hostile guest can make the host remember.
const maxConns = 512

// firstPort is the first of the dynamic ports (RFC 6335).
const firstPort = 49152

func (t *tcpTable) handle(p packet) {
	if _, dead := t.n.fault(faults.HalfOpen); dead {
		return
	}
	s, ok := parseTCP(p)
	if !ok {
		return
	}
	c := t.byEnd[ends{s.dst, s.src}]
	if c != nil && c.state == tcpTimeWait && s.flags&(tcpSYN|tcpACK|tcpRST) == tcpSYN && less(c.rcv, s.seq) {
		c.finish(false) // RFC 9293 3.6.1: a new one between the same ports
		c = nil
	}
	if c == nil {
		t.first(s)
		return
	}
	c.input(s)
	if len(s.data) > 0 && c.state == tcpEstablished {
		if f, reset := t.n.fault(faults.TCPReset); reset && f.From != f.To {
			c.abort()
		}
	}
}

// first is a segment that belongs to no connection.
func (t *tcpTable) first(s segment) {
	if s.flags&tcpRST != 0 {
		return
	}
	if s.flags&(tcpSYN|tcpACK|tcpFIN) != tcpSYN || len(t.order) >= maxConns {
		t.refuse(s)
		return
	}
	n := t.n
	local := n.answersFor(s.dst.Addr())
	var a app
	switch port := s.dst.Port(); {
	case local && port == portHTTP:
		a = &httpServer{n: n, scheme: "http"}
	case local && port == portHTTPS:
		a = newTLSServer(n, &httpServer{n: n, scheme: "https"})
	case local && port == portEcho:
		a = &echoServer{n: n}
	case local && port == portDiscard:
		a = discardServer{}
	case n.outside() && leaves(s.dst.Addr()):
		c := t.passive(s, nil)
		st := &stream{c: c}
		c.app = st
		st.peer = n.cfg.Uplink.Dial(s.dst, st)
		return
	default:
		n.log("no server at %s", s.dst)
		t.refuse(s)
		return
	}
	t.passive(s, a).accept()
}

// passive makes a connection from the SYN of a station.
func (t *tcpTable) passive(s segment, a app) *conn {
	c := t.add(s.dst, s.src, a)
	c.state = tcpDialed
	c.rcv = s.seq + 1
	c.setMSS(s.mss)
	return c
}

// open makes a connection to a station for somebody outside.
func (t *tcpTable) open(station netip.AddrPort, p Peer) Stream {
	st := &stream{peer: p}
	if len(t.order) >= maxConns {
		p.Close()
		return st
	}
	t.port++
	local := netip.AddrPortFrom(gateway4, firstPort+t.port%(1<<16-firstPort))
	if station.Addr().Is6() {
		local = netip.AddrPortFrom(gateway6, local.Port())
	}
	if t.byEnd[ends{local, station}] != nil {
		p.Close()
		return st
	}
	c := t.add(local, station, st)
	st.c = c
	c.state = tcpSynSent
	c.setMSS(0)
	c.sendSYN()
	return st
}

func (t *tcpTable) add(local, remote netip.AddrPort, a app) *conn {
	iss := uint32(t.n.isn.Uint64())
	c := &conn{t: t, here: local, remote: remote, app: a, una: iss, nxt: iss, most: iss, rto: initialRTO}
	c.timer = newTimer(c.expired)
	if t.byEnd == nil {
		t.byEnd = map[ends]*conn{}
	}
	t.byEnd[ends{local, remote}] = c
	t.order = append(t.order, c)
	return c
}

func (t *tcpTable) remove(c *conn) {
	delete(t.byEnd, ends{c.here, c.remote})
	t.order = slices.DeleteFunc(t.order, func(o *conn) bool { return o == c })
}

// refuse answers a segment that belongs nowhere (RFC 9293 3.10.7.1).
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
	if _, dead := t.n.fault(faults.HalfOpen); dead {
		return
	}
	t.n.send(s.src.Addr(), s.dst.Addr(), protoTCP, appendTCP(nil, s))
}

// resetAll is the fault: every connection breaks.
func (t *tcpTable) resetAll() {
	for _, c := range slices.Clone(t.order) {
		if c.state != tcpTimeWait {
			c.abort()
		}
	}
}

// stream joins a connection and the outside.
type stream struct {
	c    *conn
	peer Peer
	lost bool
}

// sendRoom is how much of the outside may wait for the station.
const sendRoom = 64 << 10

func (s *stream) opened(link) {}
func (s *stream) received(_ link, data []byte) {
	if s.peer != nil {
		s.peer.Write(data)
	}
}
func (s *stream) ended(link) {
	if s.peer != nil {
		s.peer.CloseWrite()
	}
}
func (s *stream) acked(link) {}
func (s *stream) gone(link, bool) {
	if s.peer != nil {
		s.peer.Close()
	}
	s.lost = true
}
func (s *stream) window() int {
	if s.peer == nil {
		return maxWindow
	}
	return maxWindow - s.peer.Pending()
}

func (s *stream) live() bool { return s.c != nil && !s.lost }

func (s *stream) Connected() {
	if s.live() {
		s.c.accept()
	}
}
func (s *stream) Room() int {
	if !s.live() || s.c.state != tcpEstablished {
		return 0
	}
	s.c.reopen()
	return sendRoom - len(s.c.buf)
}
func (s *stream) Deliver(b []byte) {
	if s.live() {
		s.c.write(b)
	}
}
func (s *stream) EOF() {
	if s.live() {
		s.c.close()
	}
}
func (s *stream) Fail() {
	if s.live() {
		s.c.abort()
	}
}
