package lan

import "espalier.dev/espalier/emu"

// sendState is the sending half of a TCP connection: the send sequence space
// (RFC 9293 3.3.1), congestion control with slow start, fast retransmit and
// fast recovery (RFC 5681, initial window of RFC 6928), and the retransmission
// timeout. It decides what to send; it sends nothing and owns no timer.
type sendState struct {
	una, nxt, max uint32 // SND.UNA, SND.NXT, SND.MAX (highest SND.NXT so far)
	wnd           uint32 // SND.WND
	wl1, wl2      uint32 // SND.WL1, SND.WL2
	mss           int    // of the peer

	// queue holds the bytes from SND.UNA on, sent or not. It is used once the
	// SYN is acknowledged.
	queue     []byte
	finQueued bool // a FIN follows queue
	finAcked  bool

	cwnd, ssthresh int
	dupAcks        int
	recovering     bool // fast recovery

	rto rtoEstimator
}

// maxCwnd bounds the congestion window, which the peer's window limits to
// 64 KiB anyway.
const maxCwnd = 1 << 20

func newSendState(iss uint32) sendState {
	return sendState{una: iss, nxt: iss, max: iss, rto: rtoEstimator{rto: initialRTO}}
}

// setMSS takes the MSS option of the peer's SYN, 0 when it had none; limit is
// the largest payload of a segment in one Ethernet frame.
func (s *sendState) setMSS(option, limit int) {
	s.mss = 536 // RFC 9293 3.7.1
	if option > 0 {
		s.mss = min(max(option, 64), limit)
	}
	s.cwnd = 10 * s.mss
	s.ssthresh = maxWindow
}

// sentSYN records that the SYN was sent, for the first time or again.
func (s *sendState) sentSYN() {
	s.nxt = s.una + 1
	s.max = s.nxt
}

// synAcked records that the peer has acknowledged the SYN.
func (s *sendState) synAcked(seg segment) {
	s.una++
	s.nxt, s.max = s.una, s.una
	s.wnd, s.wl1, s.wl2 = seg.window, seg.seq, seg.ack
	s.rto.rto = initialRTO
}

// chunk is a part of the queue that is to be sent as one segment.
type chunk struct {
	seq  uint32
	data []byte
	push bool // it is the end of the queue
	fin  bool
}

func (c chunk) length() uint32 {
	n := uint32(len(c.data))
	if c.fin {
		n++
	}
	return n
}

func (s *sendState) chunk(offset, size int, fin bool) chunk {
	return chunk{s.una + uint32(offset), s.queue[offset : offset+size], size > 0 && offset+size == len(s.queue), fin}
}

// next returns what the send window and the congestion window allow to be sent
// at SND.NXT.
func (s *sendState) next() (chunk, bool) {
	offset := int(s.nxt - s.una)
	if offset > len(s.queue) || s.finAcked {
		return chunk{}, false // everything was sent, with the FIN
	}
	left := len(s.queue) - offset
	usable := min(int(s.wnd), s.cwnd) - offset
	size := min(left, usable, s.mss)
	if size < left && size < s.mss && offset > 0 {
		return chunk{}, false // silly window avoidance (RFC 9293 3.8.6.2.1)
	}
	fin := s.finQueued && size == left && usable > size
	if size <= 0 && !fin {
		return chunk{}, false
	}
	return s.chunk(offset, max(size, 0), fin), true
}

// oldest returns the segment at SND.UNA, for a fast retransmission.
func (s *sendState) oldest() chunk {
	size := min(len(s.queue), s.mss)
	return s.chunk(0, size, s.finQueued && size == len(s.queue))
}

// windowProbe returns the segment that asks whether a zero window has opened
// (RFC 9293 3.8.6.1).
func (s *sendState) windowProbe() chunk {
	size := min(1, len(s.queue))
	return s.chunk(0, size, size == 0 && s.finQueued)
}

// sent records that a chunk was sent and moves SND.NXT to its end.
func (s *sendState) sent(c chunk, now emu.Time) {
	s.nxt = c.seq + c.length()
	if seqLess(s.max, s.nxt) {
		s.rto.begin(s.nxt, now)
		s.max = s.nxt
	}
}

// flight is how many sequence numbers are sent and not acknowledged.
func (s *sendState) flight() int { return int(s.max - s.una) }

// pending reports whether the peer has something to acknowledge or to be sent.
func (s *sendState) pending() bool {
	return s.una != s.max || len(s.queue) > 0 || s.finQueued && !s.finAcked
}

// acknowledge takes an acknowledgement of new data, SND.UNA < ack <= SND.MAX,
// and returns how many bytes of the queue it acknowledges.
func (s *sendState) acknowledge(ack uint32, now emu.Time) int {
	acked := int(ack - s.una)
	data := min(acked, len(s.queue))
	s.queue = s.queue[data:]
	if acked > data {
		s.finAcked = true
	}
	s.una = ack
	if seqLess(s.nxt, s.una) {
		s.nxt = s.una
	}
	s.rto.acknowledged(ack, now)
	switch {
	case s.recovering:
		s.cwnd, s.recovering = s.ssthresh, false
	case s.cwnd < s.ssthresh:
		s.cwnd += min(acked, s.mss)
	default:
		s.cwnd += max(s.mss*s.mss/s.cwnd, 1)
	}
	s.cwnd = min(s.cwnd, maxCwnd)
	s.dupAcks = 0
	return data
}

// duplicateACK takes a duplicate acknowledgement (RFC 5681 2) and reports
// whether the oldest segment is to be retransmitted now.
func (s *sendState) duplicateACK() (retransmit bool) {
	s.dupAcks++
	switch {
	case s.recovering:
		s.cwnd += s.mss
	case s.dupAcks == 3:
		s.ssthresh = max(s.flight()/2, 2*s.mss)
		s.cwnd = s.ssthresh + 3*s.mss
		s.recovering = true
		s.rto.cancel()
		return true
	}
	return false
}

// timeout takes the expiry of the retransmission timer: everything from SND.UNA
// on is to be sent again.
func (s *sendState) timeout() {
	s.ssthresh = max(s.flight()/2, 2*s.mss)
	s.cwnd = s.mss
	s.dupAcks, s.recovering = 0, false
	s.nxt = s.una
}

// updateWindow takes the window of a segment unless it is older than the one in
// use (RFC 9293 3.10.7.4).
func (s *sendState) updateWindow(seg segment) {
	if seqLess(s.wl1, seg.seq) || s.wl1 == seg.seq && seqLessEq(s.wl2, seg.ack) {
		s.wnd, s.wl1, s.wl2 = seg.window, seg.seq, seg.ack
	}
}
