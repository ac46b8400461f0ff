package lan

import (
	"fmt"
	"net/netip"
	"testing"

	"espalier.dev/espalier/emu"
)

// A connection whose station has disappeared ends after the keepalive probes; a
// station that answers them keeps it.
func TestKeepalive(t *testing.T) {
	s := newStation(t, Config{})
	s.join()
	c := s.connect(netip.AddrPortFrom(gateway4, portEcho))
	c.write("hello")
	c.wait(emu.Second)
	s.wait(keepaliveIdle - 10*emu.Second)
	if len(s.got) != 0 {
		t.Fatalf("%d frames on an idle connection", len(s.got))
	}
	s.wait(20 * emu.Second)
	probes := s.packets()
	if len(probes) != 1 {
		t.Fatalf("%d probes", len(probes))
	}
	if p, ok := parseTCP(probes[0]); !ok || p.seq != c.ack-1 || len(p.data) != 0 || p.flags != tcpACK {
		t.Errorf("probe %+v", p)
	}
	c.send(tcpACK, nil)
	s.wait(keepaliveIdle - 20*emu.Second)
	if len(s.n.tcp.order) != 1 || len(s.got) != 0 {
		t.Fatalf("%d connections, %d frames after an answer", len(s.n.tcp.order), len(s.got))
	}
	s.wait(21*emu.Second + keepaliveProbes*keepaliveInterval)
	sent := s.packets()
	last, ok := parseTCP(sent[len(sent)-1])
	if len(sent) != keepaliveProbes+1 || !ok || last.flags&tcpRST == 0 {
		t.Errorf("%d segments, the last %+v", len(sent), last)
	}
	if len(s.n.tcp.order) != 0 || len(s.n.timers.heap) != 0 {
		t.Errorf("%d connections and %d timers are left", len(s.n.tcp.order), len(s.n.timers.heap))
	}
}

// A SYN whose SYN-ACK is never acknowledged is forgotten after a minute.
func TestHalfOpenSYN(t *testing.T) {
	s := newStation(t, Config{})
	s.join()
	s.sendIP(gateway4, protoTCP, appendTCP(nil, segment{
		src: netip.AddrPortFrom(s.ip, 1024), dst: netip.AddrPortFrom(gateway4, portEcho), seq: 5, flags: tcpSYN, window: 1,
	}))
	s.wait(62 * emu.Second)
	if got := len(s.packets()); got != 1+maxSYNRetries {
		t.Errorf("%d SYN-ACK segments", got)
	}
	s.wait(4 * emu.Second)
	if len(s.n.tcp.order) != 0 {
		t.Error("the connection is still there")
	}
}

func TestReassembly(t *testing.T) {
	const start = 0xfffffff0 // sequence numbers wrap
	text := []byte("abcdefghijklmnopqrstuvwxyz")
	for _, order := range [][][2]int{
		{{0, 26}},
		{{10, 26}, {0, 10}},
		{{20, 26}, {10, 20}, {5, 12}, {0, 8}},
		{{4, 6}, {2, 10}, {8, 26}, {0, 3}},
		{{25, 26}, {25, 26}, {1, 25}, {0, 1}, {0, 1}},
	} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			r := reassembly{nxt: start}
			var got []byte
			deliver := func(f fragment) {
				data, fin := r.take(f, maxWindow)
				got = append(got, data...)
				if fin {
					r.finish()
				}
			}
			for _, part := range order {
				f := fragment{start + uint32(part[0]), text[part[0]:part[1]], part[1] == len(text)}
				if seqLess(r.nxt, f.seq) {
					r.insert(f)
					continue
				}
				for ok := true; ok; f, ok = r.pop() {
					deliver(f)
				}
			}
			if end := uint32(0xfffffff0); string(got) != string(text) || !r.ended || r.nxt != end+uint32(len(text))+1 {
				t.Errorf("%q, RCV.NXT %08x, ended %v, %d fragments are left", got, r.nxt, r.ended, len(r.queue))
			}
		})
	}
	r := reassembly{}
	for i := range 2 * maxFragments {
		r.insert(fragment{seq: uint32(10 + 2*i), data: []byte{1}})
	}
	if len(r.queue) != maxFragments {
		t.Errorf("%d fragments are kept", len(r.queue))
	}
	if data, fin := r.take(fragment{0, text, true}, 5); string(data) != "abcde" || fin || r.nxt != 5 {
		t.Errorf("%q, FIN %v, RCV.NXT %d with a window of 5", data, fin, r.nxt)
	}
}

// established returns the sending half of a connection with an MSS of 1000.
func established(window uint32) *sendState {
	s := newSendState(99)
	s.setMSS(1000, 1460)
	s.sentSYN()
	s.synAcked(segment{seq: 1, ack: 100, window: window})
	return &s
}

// drain returns the sizes of the segments that may be sent now.
func drain(s *sendState, now emu.Time) (sizes []int) {
	for {
		c, ok := s.next()
		if !ok {
			return sizes
		}
		s.sent(c, now)
		sizes = append(sizes, len(c.data))
	}
}

func TestSendWindows(t *testing.T) {
	for _, tc := range []struct {
		window uint32
		queue  int
		want   []int
	}{
		{65535, 2500, []int{1000, 1000, 500}},
		{65535, 20000, []int{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}}, // RFC 6928
		{2500, 20000, []int{1000, 1000}},                                                  // no small segment after full ones
		{300, 20000, []int{300}},
		{0, 20000, nil},
	} {
		s := established(tc.window)
		s.queue = make([]byte, tc.queue)
		if got := drain(s, 0); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("window %d, %d bytes: segments %v, want %v", tc.window, tc.queue, got, tc.want)
		}
	}
	s := established(65535)
	s.queue, s.finQueued = make([]byte, 10), true
	c, ok := s.next()
	if !ok || !c.fin || !c.push || c.length() != 11 {
		t.Errorf("the last segment: %+v", c)
	}
	s.sent(c, 0)
	if _, ok := s.next(); ok || s.flight() != 11 {
		t.Errorf("%d in flight", s.flight())
	}
	if n := s.acknowledge(100+11, 1); n != 10 || !s.finAcked || s.pending() {
		t.Errorf("%d bytes acknowledged, FIN %v", n, s.finAcked)
	}
}

// Three duplicate acknowledgements cause a retransmission (RFC 5681 3.2), a
// timeout starts again with one segment (3.1).
func TestCongestion(t *testing.T) {
	s := established(65535)
	s.queue = make([]byte, 10000)
	drain(s, 0)
	for i := range 5 {
		if got := s.duplicateACK(); got != (i == 2) {
			t.Errorf("duplicate %d: retransmit %v", i+1, got)
		}
	}
	if s.ssthresh != 5000 || s.cwnd != 5000+3*1000+2*1000 {
		t.Errorf("ssthresh %d, cwnd %d", s.ssthresh, s.cwnd)
	}
	if c := s.oldest(); c.seq != 100 || len(c.data) != 1000 {
		t.Errorf("oldest segment %d with %d bytes", c.seq, len(c.data))
	}
	s.acknowledge(100+10000, 1)
	if s.cwnd != 5000 || s.recovering {
		t.Errorf("cwnd %d after recovery", s.cwnd)
	}
	s.queue = make([]byte, 10000)
	drain(s, 2)
	s.timeout()
	if s.cwnd != 1000 || s.nxt != s.una || fmt.Sprint(drain(s, 3)) != "[1000]" {
		t.Errorf("cwnd %d, SND.NXT-SND.UNA %d after a timeout", s.cwnd, s.nxt-s.una)
	}
}

// The example of RFC 6298 2 with a constant round trip, and Karn's algorithm.
func TestRTO(t *testing.T) {
	e := rtoEstimator{rto: initialRTO}
	e.begin(10, 0)
	e.begin(20, emu.Time(50*emu.Millisecond)) // one measurement at a time
	e.acknowledged(10, emu.Time(100*emu.Millisecond))
	if e.srtt != 100*emu.Millisecond || e.rttvar != 50*emu.Millisecond || e.rto != 300*emu.Millisecond {
		t.Errorf("srtt %v, rttvar %v, rto %v", e.srtt, e.rttvar, e.rto)
	}
	e.backOff()
	if e.rto != 600*emu.Millisecond {
		t.Errorf("rto %v after a timeout", e.rto)
	}
	for range 20 {
		e.backOff()
	}
	if e.rto != maxRTO {
		t.Errorf("rto %v", e.rto)
	}
	e.begin(30, emu.Time(emu.Second))
	e.cancel() // retransmitted
	e.acknowledged(30, emu.Time(50*emu.Second))
	if e.srtt != 100*emu.Millisecond || e.rto != 300*emu.Millisecond {
		t.Errorf("srtt %v, rto %v: a retransmitted segment was measured", e.srtt, e.rto)
	}
	for range 100 {
		e.sample(emu.Millisecond)
	}
	if e.rto != minRTO {
		t.Errorf("rto %v, want the minimum", e.rto)
	}
}
