package lan

// input takes a segment of the station (RFC 9293 3.10.7).
func (c *conn) input(s segment) {
	c.lastReceived = c.table.n.now
	c.keepalive.probes = 0
	switch c.state {
	case tcpListen:
		if s.flags&tcpRST != 0 && s.seq == c.rcv.nxt {
			c.remove(true)
		}
		return
	case tcpSynSent:
		c.inputSynSent(s)
		return
	}
	if s.flags&tcpSYN != 0 && c.state == tcpSynReceived && s.seq+1 == c.rcv.nxt {
		c.sendSYN() // the SYN-ACK was lost
		return
	}
	if !c.acceptable(s) {
		return
	}
	if c.state == tcpSynReceived {
		if s.ack != c.snd.una+1 {
			c.table.refuse(s)
			return
		}
		c.establish(s)
	}
	if !c.inputACK(s) {
		return
	}
	if c.state == tcpTimeWait {
		if s.length() > 0 {
			c.sendACK()
		}
		return
	}
	c.inputData(s)
	if c.state == tcpEstablished {
		c.output()
	}
	c.checkClosed()
}

// acceptable handles reset segments and those outside the receive window, and
// reports whether the segment is to be processed further.
func (c *conn) acceptable(s segment) bool {
	inWindow := func(seq uint32) bool { return seqLessEq(c.rcv.nxt, seq) && seqLess(seq, c.rcv.nxt+maxWindow) }
	size := s.length()
	switch {
	case s.flags&tcpRST != 0:
		if s.seq == c.rcv.nxt {
			c.remove(true)
		} else if inWindow(s.seq) {
			c.sendACK() // RFC 5961 3.2
		}
		return false
	case !inWindow(s.seq) && (size == 0 || !inWindow(s.seq+size-1)), s.flags&tcpSYN != 0:
		c.sendACK()
		return false
	}
	return s.flags&tcpACK != 0
}

func (c *conn) inputSynSent(s segment) {
	if s.flags&tcpACK != 0 && s.ack != c.snd.una+1 {
		c.table.refuse(s)
		return
	}
	if s.flags&tcpRST != 0 {
		if s.flags&tcpACK != 0 {
			c.remove(true)
		}
		return
	}
	if s.flags&(tcpSYN|tcpACK) != tcpSYN|tcpACK {
		return
	}
	c.rcv.nxt = s.seq + 1
	c.snd.setMSS(s.mss, c.maxSegment())
	c.establish(s)
	c.ackNow = true
	c.output()
}

// establish enters ESTABLISHED: the station has acknowledged the SYN.
func (c *conn) establish(s segment) {
	c.snd.synAcked(s)
	c.state = tcpEstablished
	c.retries = 0
	c.table.n.timers.stop(c.timer)
	c.startKeepalive()
	c.endpoint.connected(c)
}

// inputACK processes the acknowledgement and the window of a segment, and
// reports whether the connection is still there.
func (c *conn) inputACK(s segment) bool {
	if seqLess(c.snd.max, s.ack) {
		c.sendACK() // for data that was never sent
		return false
	}
	switch {
	case seqLess(c.snd.una, s.ack):
		c.acknowledged(s.ack)
	case s.ack == c.snd.una && s.length() == 0 && s.window == c.snd.wnd && c.snd.flight() > 0:
		if c.snd.duplicateACK() {
			c.retransmitOldest()
		}
	}
	c.snd.updateWindow(s)
	return c.state != tcpClosed
}

func (c *conn) acknowledged(ack uint32) {
	data := c.snd.acknowledge(ack, c.table.n.now)
	c.retries = 0
	c.table.n.timers.stop(c.timer)
	if c.snd.flight() > 0 {
		c.startTimer()
	}
	if data > 0 {
		c.endpoint.acknowledged(c)
	}
}

// retransmitOldest sends the segment at SND.UNA again and leaves SND.NXT where
// it is.
func (c *conn) retransmitOldest() {
	nxt := c.snd.nxt
	c.send(c.snd.oldest())
	if seqLess(c.snd.nxt, nxt) {
		c.snd.nxt = nxt
	}
}

// inputData takes the data of a segment and of queued ones that now follow.
func (c *conn) inputData(s segment) {
	f := fragment{s.seq, s.data, s.flags&tcpFIN != 0}
	if len(f.data) == 0 && !f.fin {
		return
	}
	c.ackNow = true
	if c.rcv.ended {
		return
	}
	if seqLess(c.rcv.nxt, f.seq) {
		c.rcv.insert(f)
		return
	}
	for ok := true; ok && c.state == tcpEstablished; f, ok = c.rcv.pop() {
		c.deliver(f)
	}
}

func (c *conn) deliver(f fragment) {
	data, fin := c.rcv.take(f, c.endpoint.window())
	if len(data) > 0 {
		c.endpoint.received(c, data)
	}
	if fin && c.state == tcpEstablished {
		c.rcv.finish()
		c.endpoint.endOfStream(c)
	}
}

// checkClosed enters TIME-WAIT when both ends have closed, and bounds
// FIN-WAIT-2.
func (c *conn) checkClosed() {
	if c.state != tcpEstablished || !c.snd.finAcked {
		return
	}
	n := c.table.n
	if !c.rcv.ended {
		if !c.timer.armed() {
			n.timers.set(c.timer, n.now.Add(finWait))
		}
		return
	}
	c.state = tcpTimeWait
	n.timers.stop(c.keepalive.timer)
	n.timers.set(c.timer, n.now.Add(timeWait))
	c.endpoint.disconnected(c, false)
}
