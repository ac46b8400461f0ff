package lan

import "espalier.dev/espalier/emu"

// Keepalive times of every connection (RFC 9293 3.8.4; the values of Linux). A
// station that was reset or has lost its network is noticed that late where the
// server has no timeout of its own.
const (
	keepaliveIdle     = 2 * 3600 * emu.Second
	keepaliveInterval = 75 * emu.Second
	keepaliveProbes   = 9
)

// keepalive is the state of the probes of an idle connection.
type keepalive struct {
	timer  *timer
	probes int // sent since the last segment of the station
}

func (c *conn) startKeepalive() {
	c.lastReceived = c.table.n.now
	c.table.n.timers.set(c.keepalive.timer, c.lastReceived.Add(keepaliveIdle))
}

// keepaliveExpired probes an idle connection, or aborts it after the last
// probe. Receiving does not move the timer, which would cost an operation on
// the heap for each segment: the timer is moved when it expires.
func (c *conn) keepaliveExpired() {
	n := c.table.n
	if c.state != tcpEstablished {
		return
	}
	if idle := c.lastReceived.Add(keepaliveIdle); c.keepalive.probes == 0 && idle > n.now {
		n.timers.set(c.keepalive.timer, idle)
		return
	}
	if c.keepalive.probes++; c.keepalive.probes > keepaliveProbes {
		c.abort()
		return
	}
	c.emit(segment{seq: c.snd.una - 1, ack: c.rcv.nxt, flags: tcpACK, window: c.advertise()})
	n.timers.set(c.keepalive.timer, n.now.Add(keepaliveInterval))
}
