package radio

import (
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
)

// Antenna connects a chip with the air: it is the emu.Radio of its Config.
type Antenna struct {
	air     *Medium
	channel int        // 0: deaf
	addr    dot11.Addr // the chip's, as its frames say
	inbox   []arrival
}

// arrival is a frame that has been received.
type arrival struct {
	at emu.Time
	rx emu.RadioRX
}

// maxWait is how long a chip waits for the medium before it gives up.
const maxWait = 200 * emu.Millisecond

// levelOfChip is how well a chip is heard, in dBm.
const levelOfChip = -42

var _ emu.Radio = (*Antenna)(nil)

// Tune implements emu.Radio.
func (n *Antenna) Tune(now emu.Time, channel int) {
	n.air.advance(now)
	n.channel = channel
}

// Next implements emu.Radio. A chip that hears nothing is not woken; the air
// catches up when it listens again.
func (n *Antenna) Next() emu.Time {
	switch {
	case len(n.inbox) > 0:
		return n.inbox[0].at
	case n.channel == 0:
		return emu.Never
	}
	return n.air.next()
}

// Receive implements emu.Radio.
func (n *Antenna) Receive(now emu.Time) (emu.RadioRX, bool) {
	n.air.advance(now)
	if len(n.inbox) == 0 {
		return emu.RadioRX{}, false
	}
	rx := n.inbox[0].rx
	n.inbox = n.inbox[1:]
	return rx, true
}

// Transmit implements emu.Radio.
func (n *Antenna) Transmit(now emu.Time, tx emu.RadioTX) (emu.Time, bool) {
	a := n.air
	a.advance(now)
	frame := dot11.Frame(slices.Clone(tx.Frame))
	if tx.Channel < 1 || tx.Channel >= channels || !frame.Valid() {
		return a.now.Add(airtime(len(frame)+fcsLen, tx.Rate)), false
	}
	if a.busy[tx.Channel] > a.now.Add(maxWait) {
		return a.now.Add(maxWait), false
	}
	f := flight{frame: frame, channel: tx.Channel, rate: tx.Rate, level: levelOfChip, from: n}
	if frame.Type() != dot11.Control {
		n.addr = frame.A2()
	}
	level, acked := int8(0), false
	for _, ap := range a.aps {
		if !ap.hears(a.now, f) {
			continue
		}
		f.heard = append(f.heard, ap)
		if frame.A1() == ap.bssid {
			level, acked = ap.level(a.now), true
		}
	}
	if !acked && !frame.A1().Group() && a.listens(frame.A1(), tx.Channel) {
		level, acked = levelOfChip, true
	}
	end := a.send(f)
	switch {
	case acked:
		return a.acknowledge(f, end, level), true
	case tx.WaitACK:
		return end.Add(ackTimeout), false
	}
	return end, false
}
