package radio

import (
	"container/heap"
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
)

// MediumConfig describes the medium.
type MediumConfig struct {
	// Capture receives every frame at the end of its transmission, as a packet
	// with radiotap header and without FCS (LINKTYPE_IEEE802_11_RADIOTAP). The
	// slice is only valid during the call.
	Capture func(at emu.Time, packet []byte)
}

// channels is one more than the highest channel number.
const channels = 15

// Medium is the 2.4 GHz band: one frame at a time on each channel, received by
// every chip and access point that is tuned to it. It is not safe for concurrent
// use: chips that share it run in turns of no more than the length of a frame
// (1 ms).
type Medium struct {
	cfg           MediumConfig
	now           emu.Time
	busy          [channels]emu.Time // until when a channel is busy
	aps           []*AccessPoint
	antennas      []*Antenna
	transmissions transmissions
	count         uint64
}

// NewMedium returns a medium without access points and antennas.
func NewMedium(cfg MediumConfig) *Medium { return &Medium{cfg: cfg} }

// Add connects an access point.
func (a *Medium) Add(ap *AccessPoint) {
	ap.medium = a
	a.aps = append(a.aps, ap)
}

// Antenna connects another chip and returns its antenna.
func (a *Medium) Antenna() *Antenna {
	n := &Antenna{medium: a}
	a.antennas = append(a.antennas, n)
	return n
}

// transmission is a frame that is being transmitted.
type transmission struct {
	end       emu.Time // of its last bit
	count     uint64
	frame     dot11.Frame
	channel   int
	rate      int
	level     int8
	from      *Antenna       // nil: from an access point
	receivers []*AccessPoint // access points that receive it
}

type transmissions []transmission

func (q transmissions) Len() int { return len(q) }
func (q transmissions) Less(i, j int) bool {
	return q[i].end < q[j].end || q[i].end == q[j].end && q[i].count < q[j].count
}
func (q transmissions) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *transmissions) Push(x any)   { *q = append(*q, x.(transmission)) }
func (q *transmissions) Pop() any {
	old := *q
	f := old[len(old)-1]
	*q = old[:len(old)-1]
	return f
}

func (a *Medium) push(f transmission) {
	a.count++
	f.count = a.count
	heap.Push(&a.transmissions, f)
}

// send transmits a frame as soon as its channel is idle, and returns when the
// transmission ends.
func (a *Medium) send(f transmission) emu.Time {
	start := a.now
	if b := a.busy[f.channel]; b > start {
		start = b.Add(difs)
	}
	f.end = start.Add(airtime(len(f.frame)+fcsLen, f.rate))
	a.busy[f.channel] = f.end
	a.push(f)
	return f.end
}

// acknowledge transmits the acknowledgement of a frame that ends at end, and
// returns when that ends.
func (a *Medium) acknowledge(f transmission, end emu.Time, level int8) emu.Time {
	done := end.Add(ackTime(f.rate))
	ack := append(dot11.Frame{dot11.ACK<<4 | dot11.Control<<2, 0, 0, 0}, f.frame[10:16]...)
	a.push(transmission{end: done, frame: ack, channel: f.channel, rate: rate1M, level: level})
	a.busy[f.channel] = max(a.busy[f.channel], done)
	return done
}

// next returns when advance must be called.
func (a *Medium) next() emu.Time {
	at := emu.Never
	if len(a.transmissions) > 0 {
		at = a.transmissions[0].end
	}
	for _, ap := range a.aps {
		at = min(at, ap.next())
	}
	return at
}

// advance does what is due up to now.
func (a *Medium) advance(now emu.Time) {
	for {
		at := a.next()
		if at > now {
			break
		}
		a.now = max(a.now, at)
		if len(a.transmissions) > 0 && a.transmissions[0].end <= a.now {
			a.deliver(heap.Pop(&a.transmissions).(transmission))
			continue
		}
		for _, ap := range a.aps {
			if ap.next() <= a.now {
				ap.run(a.now)
			}
		}
	}
	a.now = max(a.now, now)
}

// deliver passes a frame to its receivers at the end of the transmission.
func (a *Medium) deliver(f transmission) {
	if a.cfg.Capture != nil {
		packet := appendRadiotap(nil, f.end, f.channel, f.rate, f.level)
		a.cfg.Capture(f.end, append(packet, f.frame...))
	}
	for _, n := range a.antennas {
		if n == f.from || n.channel != f.channel || f.level < sensitivity || f.frame.Type() == dot11.Control {
			continue
		}
		n.inbox = append(n.inbox, arrival{f.end, emu.RadioRX{Frame: slices.Clone(f.frame), Channel: f.channel, Level: f.level}})
	}
	for _, ap := range f.receivers {
		ap.receive(a.now, f.frame)
	}
}

// hasReceiver reports whether a chip with an address is tuned to a channel and
// acknowledges frames.
func (a *Medium) hasReceiver(to dot11.Addr, channel int) bool {
	for _, n := range a.antennas {
		if n.channel == channel && n.addr == to {
			return true
		}
	}
	return false
}
