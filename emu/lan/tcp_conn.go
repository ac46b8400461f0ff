package lan

import (
	"net/netip"

	"espalier.dev/espalier/emu"
)

// tcpState is the state of a connection. What RFC 9293 distinguishes from
// ESTABLISHED to LAST-ACK is in sendState.finQueued, sendState.finAcked and
// reassembly.ended.
type tcpState uint8

const (
	tcpListen      tcpState = iota // the SYN has arrived and is not answered: the Uplink is dialling
	tcpSynReceived                 // SYN-ACK sent
	tcpSynSent
	tcpEstablished // up to LAST-ACK
	tcpTimeWait
	tcpClosed
)

// conn is a connection (RFC 9293): the state machine between segments and an
// endpoint. Sending is decided by sendState, receiving by reassembly. There is
// no window scaling and no selective acknowledgement: one link with a window of
// 64 KiB does not need them.
type conn struct {
	table      *tcpTable
	addr, peer netip.AddrPort
	endpoint   endpoint
	state      tcpState
	snd        sendState
	rcv        reassembly

	timer     *timer // retransmission, window probe, FIN-WAIT-2 or TIME-WAIT
	retries   int    // expiries of timer without progress
	keepalive keepalive

	ackNow       bool
	smallWindow  bool // the last advertised window was below one segment
	lastReceived emu.Time
}

const (
	maxSYNRetries = 5 // tcp_synack_retries of Linux: 63 s
	maxRetries    = 8
	timeWait      = 10 * emu.Second
	// finWait bounds FIN-WAIT-2: how long a station may keep its half open
	// after the endpoint has closed.
	finWait   = 60 * emu.Second
	maxWindow = 0xffff
)

// maxSegment is the largest payload of a segment in one Ethernet frame.
func (c *conn) maxSegment() int {
	if c.addr.Addr().Is4() {
		return mtu - ipv4Header - tcpHeader
	}
	return mtu - ipv6Header - tcpHeader
}

// A conn is a transport.
func (c *conn) local() netip.Addr  { return c.addr.Addr() }
func (c *conn) remote() netip.Addr { return c.peer.Addr() }
func (c *conn) unacked() int       { return len(c.snd.queue) }
func (c *conn) closed() bool       { return c.state == tcpClosed }

func (c *conn) write(b []byte) {
	if c.snd.finQueued || c.state == tcpClosed || c.state == tcpTimeWait {
		return
	}
	c.snd.queue = append(c.snd.queue, b...)
	c.output()
}

func (c *conn) closeWrite() {
	if c.snd.finQueued || c.state == tcpClosed {
		return
	}
	c.snd.finQueued = true
	c.output()
}

func (c *conn) abort() {
	if c.state == tcpClosed {
		return
	}
	c.emit(segment{seq: c.snd.nxt, ack: c.rcv.nxt, flags: tcpRST | tcpACK})
	c.remove(true)
}

// windowUpdate informs the station that a window which was too small for a full
// segment has opened.
func (c *conn) windowUpdate() {
	if c.smallWindow && c.state == tcpEstablished && c.endpoint.window() >= c.maxSegment() {
		c.sendACK()
	}
}

// remove deletes the connection and tells the endpoint, if it was not told at
// the beginning of TIME-WAIT.
func (c *conn) remove(failed bool) {
	if c.state == tcpClosed {
		return
	}
	told := c.state == tcpTimeWait
	c.state = tcpClosed
	c.table.n.timers.stop(c.timer)
	c.table.n.timers.stop(c.keepalive.timer)
	c.table.remove(c)
	c.snd.queue, c.rcv.queue = nil, nil
	if !told {
		c.endpoint.disconnected(c, failed)
	}
}

func (c *conn) emit(s segment) {
	s.src, s.dst = c.addr, c.peer
	c.table.emit(s)
}

// advertise returns the window for a segment.
func (c *conn) advertise() uint32 {
	w := min(max(c.endpoint.window(), 0), maxWindow)
	c.smallWindow = w < c.maxSegment()
	return uint32(w)
}

// accept answers the SYN of a station.
func (c *conn) accept() {
	if c.state == tcpListen {
		c.state = tcpSynReceived
		c.sendSYN()
	}
}

// sendSYN sends SYN, or SYN-ACK, for the first time or again.
func (c *conn) sendSYN() {
	s := segment{seq: c.snd.una, flags: tcpSYN, window: c.advertise(), mss: c.maxSegment()}
	if c.state == tcpSynReceived {
		s.flags, s.ack = tcpSYN|tcpACK, c.rcv.nxt
	}
	c.snd.sentSYN()
	c.emit(s)
	c.startTimer()
}

func (c *conn) startTimer() { c.table.n.timers.set(c.timer, c.table.n.now.Add(c.snd.rto.rto)) }

// output sends what the windows allow, and an acknowledgement if one is due.
func (c *conn) output() {
	if c.state != tcpEstablished {
		return
	}
	for {
		chunk, ok := c.snd.next()
		if !ok {
			break
		}
		c.send(chunk)
	}
	if c.ackNow {
		c.sendACK()
	}
	if c.snd.pending() && !c.timer.armed() {
		c.startTimer()
	}
}

func (c *conn) send(d chunk) {
	s := segment{seq: d.seq, ack: c.rcv.nxt, flags: tcpACK, window: c.advertise(), data: d.data}
	if d.push {
		s.flags |= tcpPSH
	}
	if d.fin {
		s.flags |= tcpFIN
	}
	c.snd.sent(d, c.table.n.now)
	c.ackNow = false
	c.emit(s)
}

func (c *conn) sendACK() {
	c.ackNow = false
	c.emit(segment{seq: c.snd.nxt, ack: c.rcv.nxt, flags: tcpACK, window: c.advertise()})
}

// expired handles the timer.
func (c *conn) expired() {
	switch c.state {
	case tcpTimeWait:
		c.remove(false)
		return
	case tcpListen, tcpClosed:
		return
	}
	if c.snd.finAcked { // FIN-WAIT-2
		c.abort()
		return
	}
	limit := maxRetries
	if c.state != tcpEstablished {
		limit = maxSYNRetries
	}
	if c.retries++; c.retries > limit {
		c.abort()
		return
	}
	c.snd.rto.backOff()
	c.snd.rto.cancel()
	if c.state != tcpEstablished {
		c.sendSYN()
		return
	}
	c.snd.timeout()
	if c.snd.wnd == 0 {
		c.send(c.snd.windowProbe())
	} else {
		c.output()
	}
	c.startTimer()
}
