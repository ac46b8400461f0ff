package lan

import (
	"net/netip"
	"slices"

	"espalier.dev/espalier/emu"
)

// app is a program at the router's end of a connection. It may use the link
// from these methods, and later.
type app interface {
	opened(l link)
	received(l link, data []byte) // data is only valid during the call
	ended(l link)                 // the station has sent all it had
	acked(l link)                 // the station has taken some of what was written
	gone(l link, failed bool)     // over: reset, given up, or closed by both
	window() int                  // how many bytes the app would take now
}

// link is a connection as an app sees it: one of TCP, or TLS on top of that.
type link interface {
	write(b []byte)    // b is kept as a copy
	close()            // nothing more will be written
	abort()            // the connection breaks
	unsent() int       // bytes that the station has not acknowledged
	over() bool        // it was gone
	reopen()           // the window may be open again
	local() netip.Addr // whom the station has called
	peer() netip.Addr  // the station
}

// tcpState is the state of a connection; what RFC 9293 tells apart after
// ESTABLISHED is in the flags of conn.
type tcpState uint8

const (
	tcpDialed      tcpState = iota // SYN is here, the app has not accepted
	tcpSynReceived                 // SYN-ACK sent
	tcpSynSent
	tcpEstablished // and everything that follows
	tcpTimeWait
	tcpClosed
)

// conn is one connection (RFC 9293), with slow start, fast retransmit and fast
// recovery (RFC 5681) and measured retransmission times (RFC 6298). There is
// no window scaling: 64 KiB are plenty on one link.
type conn struct {
	t            *tcpTable
	here, remote netip.AddrPort
	app          app
	state        tcpState

	// Sending. buf begins at una, once the SYN is acknowledged.
	buf            []byte
	una, nxt, most uint32 // oldest not acknowledged, next to send, highest sent
	wnd            uint32
	wl1, wl2       uint32 // segment of the last window update
	mss            int
	closing        bool // FIN follows buf
	finAcked       bool
	cwnd, ssthresh int
	dupAcks        int
	recovering     bool

	// Retransmission.
	timer        *timer
	rto          emu.Duration
	srtt, rttvar emu.Duration
	timed        bool // a segment is being timed
	timedSeq     uint32
	timedAt      emu.Time
	retries      int

	// Receiving.
	rcv      uint32 // next expected
	parts    []part // beyond it
	ended    bool   // FIN received
	ackNow   bool
	heldBack bool // the last window was too small for a full segment
}

type part struct {
	seq  uint32
	data []byte
	fin  bool
}

const (
	initialRTO = emu.Second
	minRTO     = 200 * emu.Millisecond
	maxRTO     = 60 * emu.Second
	maxRetries = 8
	timeWait   = 10 * emu.Second
	// finWait is how long a station may keep its half open when nobody
	// listens any more.
	finWait   = 60 * emu.Second
	maxParts  = 64
	maxWindow = 0xffff
)

func (c *conn) mssHere() int {
	if c.here.Addr().Is4() {
		return mtu - ipv4Header - tcpHeader
	}
	return mtu - ipv6Header - tcpHeader
}

// local, peer, unsent and over make it a link.
func (c *conn) local() netip.Addr { return c.here.Addr() }
func (c *conn) peer() netip.Addr  { return c.remote.Addr() }
func (c *conn) unsent() int       { return len(c.buf) }
func (c *conn) over() bool        { return c.state == tcpClosed }

// write sends b to the station. It is kept as a copy.
func (c *conn) write(b []byte) {
	if c.closing || c.state == tcpClosed || c.state == tcpTimeWait {
		return
	}
	c.buf = append(c.buf, b...)
	c.output()
}

// close says that nothing more will be written.
func (c *conn) close() {
	if c.closing || c.state == tcpClosed {
		return
	}
	c.closing = true
	c.output()
}

// abort resets the connection.
func (c *conn) abort() {
	if c.state == tcpClosed {
		return
	}
	flags := byte(tcpRST | tcpACK)
	c.t.emit(segment{src: c.here, dst: c.remote, seq: c.nxt, ack: c.rcv, flags: flags})
	c.finish(true)
}

// finish forgets the connection.
func (c *conn) finish(failed bool) {
	if c.state == tcpClosed {
		return
	}
	told := c.state == tcpTimeWait
	c.state = tcpClosed
	c.t.n.timers.stop(c.timer)
	c.t.remove(c)
	c.buf, c.parts = nil, nil
	if !told {
		c.app.gone(c, failed)
	}
}

func (c *conn) advertised() uint32 {
	w := min(max(c.app.window(), 0), maxWindow)
	c.heldBack = w < c.mssHere()
	return uint32(w)
}

// accept answers the SYN of a station.
func (c *conn) accept() {
	if c.state == tcpDialed {
		c.state = tcpSynReceived
		c.sendSYN()
	}
}

// sendSYN sends SYN, or SYN-ACK, for the first time or again.
func (c *conn) sendSYN() {
	s := segment{src: c.here, dst: c.remote, seq: c.una, flags: tcpSYN, window: c.advertised(), mss: c.mssHere()}
	if c.state == tcpSynReceived {
		s.flags, s.ack = tcpSYN|tcpACK, c.rcv
	}
	c.nxt = c.una + 1
	c.most = c.nxt
	c.t.emit(s)
	c.arm()
}

func (c *conn) arm() { c.t.n.timers.set(c.timer, c.t.n.now.Add(c.rto)) }

// output sends what the windows allow, and an acknowledgement if one is due.
func (c *conn) output() {
	if c.state != tcpEstablished {
		return
	}
	for {
		off := int(c.nxt - c.una)
		if off > len(c.buf) || c.finAcked {
			break // the FIN is on its way
		}
		left := len(c.buf) - off
		room := min(int(c.wnd), c.cwnd) - off
		size := min(left, room, c.mss)
		if size < left && size < c.mss && off > 0 {
			break // a full segment soon is better than a silly one now
		}
		fin := c.closing && size == left && room > size
		if size <= 0 && !fin {
			break
		}
		c.sendData(off, max(size, 0), fin)
	}
	if c.ackNow {
		c.sendACK()
	}
	if waiting := c.una != c.most || len(c.buf) > 0 || c.closing && !c.finAcked; waiting && c.timer.pos < 0 {
		c.arm()
	}
}

// sendData sends size bytes of buf from off on.
func (c *conn) sendData(off, size int, fin bool) {
	s := segment{
		src: c.here, dst: c.remote, seq: c.una + uint32(off), ack: c.rcv,
		flags: tcpACK, window: c.advertised(), data: c.buf[off : off+size],
	}
	if size > 0 && off+size == len(c.buf) {
		s.flags |= tcpPSH
	}
	if fin {
		s.flags |= tcpFIN
	}
	c.nxt = s.seq + s.length()
	if !c.timed && c.nxt == s.seq+s.length() && less(c.most, c.nxt) {
		c.timed, c.timedSeq, c.timedAt = true, c.nxt, c.t.n.now
	}
	if less(c.most, c.nxt) {
		c.most = c.nxt
	}
	c.ackNow = false
	c.t.emit(s)
}

func (c *conn) sendACK() {
	c.ackNow = false
	c.t.emit(segment{src: c.here, dst: c.remote, seq: c.nxt, ack: c.rcv, flags: tcpACK, window: c.advertised()})
}

// expired is the retransmission, persist, or last timer.
func (c *conn) expired() {
	switch c.state {
	case tcpTimeWait:
		c.finish(false)
		return
	case tcpDialed, tcpClosed:
		return
	}
	if c.finAcked { // nobody listens, and the station does not end
		c.abort()
		return
	}
	if c.retries++; c.retries > maxRetries {
		c.abort()
		return
	}
	c.rto = min(2*c.rto, maxRTO)
	c.timed = false
	if c.state != tcpEstablished {
		c.sendSYN()
		return
	}
	flight := int(c.most - c.una)
	c.ssthresh = max(flight/2, 2*c.mss)
	c.cwnd = c.mss
	c.dupAcks, c.recovering = 0, false
	c.nxt = c.una
	if c.wnd == 0 { // probe it
		size := min(1, len(c.buf))
		c.sendData(0, size, size == 0 && c.closing)
	} else {
		c.output()
	}
	c.arm()
}

// input takes a segment of the station.
func (c *conn) input(s segment) {
	switch c.state {
	case tcpDialed:
		if s.flags&tcpRST != 0 && s.seq == c.rcv {
			c.finish(true)
		}
		return
	case tcpSynSent:
		c.inputSynSent(s)
		return
	}
	if s.flags&tcpSYN != 0 && c.state == tcpSynReceived && s.seq+1 == c.rcv {
		c.sendSYN() // ours was lost
		return
	}
	const window = maxWindow
	inWindow := func(seq uint32) bool { return lessEq(c.rcv, seq) && less(seq, c.rcv+window) }
	size := s.length()
	acceptable := inWindow(s.seq) || size > 0 && inWindow(s.seq+size-1)
	switch {
	case s.flags&tcpRST != 0:
		if s.seq == c.rcv {
			c.finish(true)
		} else if inWindow(s.seq) {
			c.sendACK() // RFC 5961 3.2
		}
		return
	case !acceptable || s.flags&tcpSYN != 0:
		c.sendACK()
		return
	case s.flags&tcpACK == 0:
		return
	}
	if c.state == tcpSynReceived {
		if s.ack != c.una+1 {
			c.t.refuse(s)
			return
		}
		c.established(s)
	}
	if !c.inputACK(s) {
		return
	}
	if c.state == tcpTimeWait {
		if size > 0 {
			c.sendACK()
		}
		return
	}
	c.inputData(s)
	if c.state == tcpEstablished {
		c.output()
	}
	c.settle()
}

func (c *conn) inputSynSent(s segment) {
	if s.flags&tcpACK != 0 && s.ack != c.una+1 {
		c.t.refuse(s)
		return
	}
	if s.flags&tcpRST != 0 {
		if s.flags&tcpACK != 0 {
			c.finish(true)
		}
		return
	}
	if s.flags&(tcpSYN|tcpACK) != tcpSYN|tcpACK {
		return
	}
	c.rcv = s.seq + 1
	c.setMSS(s.mss)
	c.established(s)
	c.ackNow = true
	c.output()
}

func (c *conn) setMSS(option int) {
	c.mss = 536
	if option > 0 {
		c.mss = min(max(option, 64), c.mssHere())
	}
	c.cwnd = 10 * c.mss // RFC 6928
	c.ssthresh = maxWindow
}

// established is reached with the acknowledgement of our SYN.
func (c *conn) established(s segment) {
	c.una++
	c.nxt = c.una
	c.most = c.una
	c.wnd, c.wl1, c.wl2 = s.window, s.seq, s.ack
	c.state = tcpEstablished
	c.retries, c.rto = 0, initialRTO
	c.t.n.timers.stop(c.timer)
	c.app.opened(c)
}

// inputACK reports whether the segment is to be processed further.
func (c *conn) inputACK(s segment) bool {
	if less(c.most, s.ack) {
		c.sendACK() // for something that was never sent
		return false
	}
	flight := int(c.most - c.una)
	switch acked := int(s.ack - c.una); {
	case acked > 0 && less(c.una, s.ack):
		c.acknowledged(s, acked)
	case s.ack == c.una && len(s.data) == 0 && s.flags&tcpFIN == 0 && s.window == c.wnd && flight > 0:
		c.duplicate(flight)
	}
	if less(c.wl1, s.seq) || c.wl1 == s.seq && lessEq(c.wl2, s.ack) {
		c.wnd, c.wl1, c.wl2 = s.window, s.seq, s.ack
	}
	return c.state != tcpClosed
}

func (c *conn) acknowledged(s segment, acked int) {
	data := min(acked, len(c.buf))
	c.buf = c.buf[data:]
	if acked > data {
		c.finAcked = true
	}
	c.una = s.ack
	if less(c.nxt, c.una) {
		c.nxt = c.una
	}
	c.retries = 0
	if c.timed && lessEq(c.timedSeq, s.ack) {
		c.timed = false
		c.measure(c.t.n.now.Sub(c.timedAt))
	} else if c.srtt > 0 {
		c.rto = c.timeout()
	}
	switch {
	case c.recovering:
		c.cwnd, c.recovering = c.ssthresh, false
	case c.cwnd < c.ssthresh:
		c.cwnd += min(acked, c.mss)
	default:
		c.cwnd += max(c.mss*c.mss/c.cwnd, 1)
	}
	c.cwnd = min(c.cwnd, 1<<20)
	c.dupAcks = 0
	c.t.n.timers.stop(c.timer)
	if c.una != c.most {
		c.arm()
	}
	if data > 0 {
		c.app.acked(c)
	}
}

// duplicate is another acknowledgement of the same: three mean a lost segment.
func (c *conn) duplicate(flight int) {
	c.dupAcks++
	switch {
	case c.dupAcks == 3 && !c.recovering:
		c.ssthresh = max(flight/2, 2*c.mss)
		c.cwnd = c.ssthresh + 3*c.mss
		c.recovering, c.timed = true, false
		next := c.nxt
		size := min(len(c.buf), c.mss)
		c.sendData(0, size, c.closing && size == len(c.buf))
		if less(c.nxt, next) {
			c.nxt = next
		}
	case c.recovering:
		c.cwnd += c.mss
	}
}

// measure takes a round trip (RFC 6298).
func (c *conn) measure(r emu.Duration) {
	if c.srtt == 0 {
		c.srtt, c.rttvar = max(r, 1), r/2
	} else {
		d := c.srtt - r
		if d < 0 {
			d = -d
		}
		c.rttvar = (3*c.rttvar + d) / 4
		c.srtt = max((7*c.srtt+r)/8, 1)
	}
	c.rto = c.timeout()
}

func (c *conn) timeout() emu.Duration {
	return min(max(c.srtt+max(4*c.rttvar, emu.Millisecond), minRTO), maxRTO)
}

// inputData takes the data of a segment, and that of earlier ones which it
// makes complete.
func (c *conn) inputData(s segment) {
	fin := s.flags&tcpFIN != 0
	if len(s.data) == 0 && !fin {
		return
	}
	c.ackNow = true
	if c.ended {
		return
	}
	if less(c.rcv, s.seq) {
		c.keep(part{s.seq, s.data, fin})
		return
	}
	c.take(part{s.seq, s.data, fin})
	for len(c.parts) > 0 && lessEq(c.parts[0].seq, c.rcv) && c.state == tcpEstablished && !c.ended {
		p := c.parts[0]
		c.parts = c.parts[1:]
		c.take(p)
	}
}

// keep puts a part that is too early in order.
func (c *conn) keep(p part) {
	if len(c.parts) == maxParts {
		return
	}
	p.data = slices.Clone(p.data)
	i, _ := slices.BinarySearchFunc(c.parts, p.seq, func(e part, seq uint32) int {
		return int(int32(e.seq - seq))
	})
	c.parts = slices.Insert(c.parts, i, p)
}

// take delivers what is new of a part that begins at or before rcv.
func (c *conn) take(p part) {
	old := c.rcv - p.seq
	if old > uint32(len(p.data)) {
		return
	}
	data := p.data[old:]
	// More than was offered is not taken: the station will send it again.
	if offered := max(c.app.window(), 0); len(data) > offered {
		data, p.fin = data[:offered], false
	}
	c.rcv += uint32(len(data))
	if len(data) > 0 {
		c.app.received(c, data)
	}
	if p.fin && c.state == tcpEstablished {
		c.rcv++
		c.ended = true
		c.app.ended(c)
	}
}

// settle ends a connection that both have closed, and bounds the wait for the
// station's end.
func (c *conn) settle() {
	if c.state != tcpEstablished || !c.finAcked {
		return
	}
	n := c.t.n
	if !c.ended {
		if c.timer.pos < 0 {
			n.timers.set(c.timer, n.now.Add(finWait))
		}
		return
	}
	c.state = tcpTimeWait
	n.timers.set(c.timer, n.now.Add(timeWait))
	c.app.gone(c, false)
}

// reopen tells the station that the window is open again.
func (c *conn) reopen() {
	if c.heldBack && c.state == tcpEstablished && c.app.window() >= c.mssHere() {
		c.sendACK()
	}
}
