package radio

import (
	"container/heap"
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
)

// MediumConfig describes the medium.
type MediumConfig struct {
	// Capture sees every frame when its last bit has been sent, as a packet
	// with radiotap header and without FCS (LINKTYPE_IEEE802_11_RADIOTAP). The
	// slice is only valid during the call.
	Capture func(at emu.Time, packet []byte)
}

// channels is one more than the highest channel.
const channels = 15

// Air is the 2.4 GHz band: one frame at a time on each channel, heard by all
// that are tuned to it. It is not safe for concurrent use: chips that share it
// run in turns, and their turns should be no longer than a frame (1 ms).
type Medium struct {
	cfg      MediumConfig
	now      emu.Time
	busy     [channels]emu.Time // until when the medium of a channel is taken
	aps      []*AccessPoint
	antennas []*Antenna
	flights  flights
	count    uint64
}

// NewMedium returns an empty band.
func NewMedium(cfg MediumConfig) *Medium { return &Medium{cfg: cfg} }

// Add puts an access point into reach of all antennas.
func (a *Medium) Add(ap *AccessPoint) {
	ap.air = a
	a.aps = append(a.aps, ap)
}

// Antenna returns the antenna of another chip.
func (a *Medium) Antenna() *Antenna {
	n := &Antenna{air: a}
	a.antennas = append(a.antennas, n)
	return n
}

// flight is a frame on its way.
type flight struct {
	end     emu.Time // of its last bit
	count   uint64
	frame   dot11.Frame
	channel int
	rate    int
	level   int8
	from    *Antenna       // nil: an access point's
	heard   []*AccessPoint // which of them understand it
}

type flights []flight

func (q flights) Len() int { return len(q) }
func (q flights) Less(i, j int) bool {
	return q[i].end < q[j].end || q[i].end == q[j].end && q[i].count < q[j].count
}
func (q flights) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *flights) Push(x any)   { *q = append(*q, x.(flight)) }
func (q *flights) Pop() any {
	old := *q
	f := old[len(old)-1]
	*q = old[:len(old)-1]
	return f
}

func (a *Medium) push(f flight) {
	a.count++
	f.count = a.count
	heap.Push(&a.flights, f)
}

// send puts a frame on the medium as soon as it is free, and returns when it
// ends.
func (a *Medium) send(f flight) emu.Time {
	start := a.now
	if b := a.busy[f.channel]; b > start {
		start = b.Add(difs)
	}
	f.end = start.Add(airtime(len(f.frame)+fcsLen, f.rate))
	a.busy[f.channel] = f.end
	a.push(f)
	return f.end
}

// acknowledge follows a frame with its acknowledgement.
func (a *Medium) acknowledge(f flight, end emu.Time, level int8) emu.Time {
	done := end.Add(ackTime(f.rate))
	ack := append(dot11.Frame{dot11.ACK<<4 | dot11.Control<<2, 0, 0, 0}, f.frame[10:16]...)
	a.push(flight{end: done, frame: ack, channel: f.channel, rate: rate1M, level: level})
	a.busy[f.channel] = max(a.busy[f.channel], done)
	return done
}

// next is when advance has something to do.
func (a *Medium) next() emu.Time {
	at := emu.Never
	if len(a.flights) > 0 {
		at = a.flights[0].end
	}
	for _, ap := range a.aps {
		at = min(at, ap.next())
	}
	return at
}

// advance lets time pass.
func (a *Medium) advance(now emu.Time) {
	for {
		at := a.next()
		if at > now {
			break
		}
		a.now = max(a.now, at)
		if len(a.flights) > 0 && a.flights[0].end <= a.now {
			a.land(heap.Pop(&a.flights).(flight))
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

// land is the end of a frame: everybody who listens has it now.
func (a *Medium) land(f flight) {
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
	for _, ap := range f.heard {
		ap.receive(a.now, f.frame)
	}
}

// listens reports whether some antenna would acknowledge a frame to an address.
func (a *Medium) listens(to dot11.Addr, channel int) bool {
	for _, n := range a.antennas {
		if n.channel == channel && n.addr == to {
			return true
		}
	}
	return false
}
