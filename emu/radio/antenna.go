package radio

import (
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
)

// Antenna connects a chip with the medium. It is the emu.Radio of the chip.
type Antenna struct {
	medium  *Medium
	channel int        // 0: the receiver is off
	addr    dot11.Addr // of the chip, learned from its frames
	inbox   []arrival
}

// arrival is a frame that has been received.
type arrival struct {
	at emu.Time
	rx emu.RadioRX
}

// maxWait bounds how long a chip waits for an idle channel.
const maxWait = 200 * emu.Millisecond

// chipLevel is the level at which chips are received, in dBm.
const chipLevel = -42

var _ emu.Radio = (*Antenna)(nil)

// Tune implements emu.Radio.
func (n *Antenna) Tune(now emu.Time, channel int) {
	n.medium.advance(now)
	n.channel = channel
}

// Next implements emu.Radio. A chip whose receiver is off is not woken; the
// medium catches up when the chip uses its radio again.
func (n *Antenna) Next() emu.Time {
	switch {
	case len(n.inbox) > 0:
		return n.inbox[0].at
	case n.channel == 0:
		return emu.Never
	}
	return n.medium.next()
}

// Receive implements emu.Radio.
func (n *Antenna) Receive(now emu.Time) (emu.RadioRX, bool) {
	n.medium.advance(now)
	if len(n.inbox) == 0 {
		return emu.RadioRX{}, false
	}
	rx := n.inbox[0].rx
	n.inbox = n.inbox[1:]
	return rx, true
}

// Transmit implements emu.Radio.
func (n *Antenna) Transmit(now emu.Time, tx emu.RadioTX) (emu.Time, bool) {
	a := n.medium
	a.advance(now)
	frame := dot11.Frame(slices.Clone(tx.Frame))
	if tx.Channel < 1 || tx.Channel >= channels || !frame.Valid() {
		return a.now.Add(airtime(len(frame)+fcsLen, tx.Rate)), false
	}
	if a.busy[tx.Channel] > a.now.Add(maxWait) {
		return a.now.Add(maxWait), false
	}
	f := transmission{frame: frame, channel: tx.Channel, rate: tx.Rate, level: chipLevel, from: n}
	if frame.Type() != dot11.Control {
		n.addr = frame.A2()
	}
	level, acked := int8(0), false
	for _, ap := range a.aps {
		if !ap.canReceive(a.now, f) {
			continue
		}
		f.receivers = append(f.receivers, ap)
		if frame.A1() == ap.bssid {
			level, acked = ap.level(a.now), true
		}
	}
	if !acked && !frame.A1().Group() && a.hasReceiver(frame.A1(), tx.Channel) {
		level, acked = chipLevel, true
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
