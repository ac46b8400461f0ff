package radio

import (
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/lan"
)

// flood is a network that drops TCP segments, so that firmware waits and polls,
// and can send a burst of ARP requests.
type flood struct {
	*lan.Network
	queue   [][]byte
	station []byte
	at      emu.Time
	gap     emu.Duration
	replies int
}

func (w *flood) Receive(now emu.Time, f []byte) {
	switch {
	case len(f) >= 34 && f[12] == 8 && f[13] == 0 && f[23] == 6: // TCP
		w.station = append([]byte(nil), f[6:12]...)
		w.station = append(w.station, f[26:30]...)
		return
	case len(f) >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 2 && f[41] == 77: // ARP reply to us
		w.replies++
	}
	w.Network.Receive(now, f)
}

func (w *flood) Next() (emu.Time, bool) {
	at, ok := w.Network.Next()
	if len(w.queue) > 0 && (!ok || w.at < at) {
		return w.at, true
	}
	return at, ok
}

func (w *flood) Advance(now emu.Time, deliver func([]byte)) {
	w.Network.Advance(now, deliver)
	for len(w.queue) > 0 && w.at <= now {
		deliver(w.queue[0])
		w.queue = w.queue[1:]
		w.at = w.at.Add(w.gap)
	}
}

// burst sends n ARP requests for the station's address, in frames of a size.
func (w *flood) burst(at emu.Time, n, size int, gap emu.Duration) {
	w.at, w.gap = at, gap
	for range n {
		f := make([]byte, 0, size)
		f = append(f, w.station[:6]...)
		f = append(f, 2, 0x53, 0x49, 0x4d, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0x53, 0x49, 0x4d, 0, 2, 192, 168, 71, 77, 0, 0, 0, 0, 0, 0)
		f = append(f, w.station[6:]...)
		w.queue = append(w.queue, append(f, make([]byte, size-len(f))...))
	}
}

// A burst of full frames arrives without loss. A burst that is faster than the
// firmware loses frames in its own queue, after which reception works again.
func TestBurst(t *testing.T) {
	both(t, func(t *testing.T, firmware string, isNew bool) {
		network, err := lan.New(lan.Config{})
		if err != nil {
			t.Fatal(err)
		}
		w := &flood{Network: network}
		s := newTestbed(t, setup{firmware: firmware, ap: Config{DS: w}})
		s.until(choose(isNew, "GET http", "got ip"), 3*emu.Second)
		s.board.Run(t.Context(), emu.Limit(50*time.Millisecond))
		if w.station == nil {
			t.Fatal("no connection was tried")
		}
		w.burst(emu.At(s.board.Now()), 32, 1476+ethernetHeader, 400*emu.Microsecond)
		s.board.Run(t.Context(), emu.Limit(100*time.Millisecond))
		if w.replies != 32 {
			t.Errorf("%d of 32 frames were answered", w.replies)
		}
		w.replies = 0
		w.burst(emu.At(s.board.Now()), 200, 60, 0)
		s.board.Run(t.Context(), emu.Limit(200*time.Millisecond))
		if w.replies < 10 || w.replies > 200 {
			t.Errorf("%d of 200 frames were answered", w.replies)
		}
		lost := 200 - w.replies
		w.replies = 0
		w.burst(emu.At(s.board.Now()), 32, 1476+ethernetHeader, 400*emu.Microsecond)
		s.board.Run(t.Context(), emu.Limit(100*time.Millisecond))
		if w.replies != 32 {
			t.Errorf("after a flood that lost %d: %d of 32 frames were answered", lost, w.replies)
		}
	})
}

// BenchmarkIdle is an hour of an associated station, which fetches a page every
// 30 s, with a new group key every ten minutes.
func BenchmarkIdle(b *testing.B) {
	s := newTestbed(b, setup{firmware: newLine, ap: Config{GroupRekey: 600 * emu.Second}})
	s.until("200 OK", 3*emu.Second)
	for b.Loop() {
		s.board.Run(b.Context(), emu.Limit(3600*time.Second))
	}
	if !s.ap.Stations()[0].Keyed {
		b.Error("the station is gone")
	}
	b.ReportMetric(24*b.Elapsed().Seconds()/float64(b.N), "s/day")
}
