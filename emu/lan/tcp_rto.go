package lan

import "espalier.dev/espalier/emu"

// Bounds of the retransmission timeout. RFC 6298 recommends a minimum of 1 s;
// 200 ms is what Linux uses.
const (
	initialRTO = emu.Second
	minRTO     = 200 * emu.Millisecond
	maxRTO     = 60 * emu.Second
)

// rtoEstimator computes the retransmission timeout of a connection from
// measured round-trip times (RFC 6298). It measures one segment at a time and,
// after Karn's algorithm, never a segment that was sent twice.
type rtoEstimator struct {
	rto          emu.Duration
	srtt, rttvar emu.Duration // 0: nothing measured yet
	timing       bool
	endSeq       uint32 // the acknowledgement that ends the measurement
	start        emu.Time
}

// begin starts a measurement with a segment that ends before sequence number
// end, unless one is running.
func (e *rtoEstimator) begin(end uint32, now emu.Time) {
	if !e.timing {
		e.timing, e.endSeq, e.start = true, end, now
	}
}

// cancel ends a measurement whose segment may be retransmitted.
func (e *rtoEstimator) cancel() { e.timing = false }

// acknowledged takes an acknowledgement of new data, which also ends the
// back-off of earlier timeouts once a round trip was measured.
func (e *rtoEstimator) acknowledged(ack uint32, now emu.Time) {
	switch {
	case e.timing && seqLessEq(e.endSeq, ack):
		e.timing = false
		e.sample(now.Sub(e.start))
	case e.srtt > 0:
		e.rto = e.computed()
	}
}

// backOff doubles the timeout (RFC 6298 5.5).
func (e *rtoEstimator) backOff() { e.rto = min(2*e.rto, maxRTO) }

// sample updates the estimate with a round-trip time (RFC 6298 2).
func (e *rtoEstimator) sample(r emu.Duration) {
	if e.srtt == 0 {
		e.srtt, e.rttvar = max(r, 1), r/2
	} else {
		d := e.srtt - r
		if d < 0 {
			d = -d
		}
		e.rttvar = (3*e.rttvar + d) / 4
		e.srtt = max((7*e.srtt+r)/8, 1)
	}
	e.rto = e.computed()
}

func (e *rtoEstimator) computed() emu.Duration {
	return min(max(e.srtt+max(4*e.rttvar, emu.Millisecond), minRTO), maxRTO)
}
