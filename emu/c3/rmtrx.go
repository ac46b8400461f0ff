package c3

import "espalier.dev/espalier/emu/chip"

// rmtRx is a receiving channel: it measures the pulses of its input in periods of
// its counter and writes them as entries into its memory. A level that lasts
// longer than IDLE_THRES ends the train with a length of 0.
type rmtRx struct {
	*rmt
	m uint32 // 0 is channel 2
	s struct {
		On      bool // waits for the first edge, or measures
		Running bool
		High    bool      // accepted level
		Epoch   chip.Time // the counter's phase
		Last    chip.Time // the last accepted edge
		At      uint32
		Second  bool
		Count   uint32 // entries since the last threshold event
		APB     uint32
		// An edge that the filter has not accepted yet.
		Pending   bool
		PendingAt chip.Time
		Full      bool
		OwnerErr  bool
	}
	idle   *chip.Timer
	accept *chip.Timer
}

func (x *rmtRx) init(r *rmt, m int) {
	x.rmt, x.m = r, uint32(m)
	x.idle = r.soc.m.NewTimer(x.end)
	x.accept = r.soc.m.NewTimer(x.settled)
	r.soc.gpio.observe(sigRMT0+signal(m), x.changed)
}

func (x *rmtRx) conf0() uint32   { return x.get(rmtRxConf0 + 8*x.m) }
func (x *rmtRx) conf1() uint32   { return x.get(rmtRxConf1 + 8*x.m) }
func (x *rmtRx) tick() period    { return x.divided(x.conf0()) }
func (x *rmtRx) channel() uint32 { return x.m + 2 }

// configure is a write to CHmCONF1.
func (x *rmtRx) configure(v uint32) {
	old := x.conf1()
	x.set(rmtRxConf1+8*x.m, v&^rmtRxSelf)
	if v&rmtRxMemWrRst != 0 {
		x.s.At, x.s.Second, x.s.Count = 0, false, 0
		x.s.Full, x.s.OwnerErr = false, false
	}
	if v&rmtRxAPBRst != 0 {
		x.s.APB = 0
	}
	switch {
	case v&rmtRxEn == 0:
		x.stop()
	case old&rmtRxEn == 0 || v&rmtRxMemWrRst != 0:
		x.stop()
		x.s.On, x.s.High = true, x.soc.gpio.input(sigRMT0+signal(x.m))
		x.s.Epoch = x.soc.m.Now()
	}
}

func (x *rmtRx) stop() {
	x.s.On, x.s.Running, x.s.Pending = false, false, false
	x.idle.Stop()
	x.accept.Stop()
}

// filter returns how long a new level must last to be taken for one: the glitch
// filter and, for the gaps of a carrier, the thresholds of its removal.
func (x *rmtRx) filter(high bool) chip.Duration {
	var d chip.Duration
	if c := x.conf1(); c&rmtRxFilterEn != 0 {
		d = x.clock().times(uint64(field(c, 12, 5)))
	}
	if c := x.conf0(); c&rmtRxCarrierEn != 0 && x.get(rmtRxCarrier+4*x.m) != 0 {
		rm := x.get(rmtRxCarrier + 4*x.m)
		gap := uint64(rm & 0xffff)
		if carried := c&rmtRxCarrierLv != 0; !carried {
			gap = uint64(rm >> 16)
		}
		if high != (c&rmtRxCarrierLv != 0) {
			d = max(d, x.tick().times(gap+1))
		}
	}
	return d
}

// changed is called when the input changes.
func (x *rmtRx) changed(high bool) {
	if !x.s.On {
		return
	}
	now := x.soc.m.Now()
	if x.s.Pending { // the level that was tried did not last
		x.s.Pending = false
		x.accept.Stop()
		if high == x.s.High {
			return
		}
	}
	if high == x.s.High {
		return
	}
	if d := x.filter(high); d > 0 {
		x.s.Pending, x.s.PendingAt = true, now
		x.accept.Set(now.Add(d))
		return
	}
	x.pulse(now)
}

// settled accepts an edge that has lasted.
func (x *rmtRx) settled() {
	if x.s.Pending {
		x.s.Pending = false
		x.pulse(x.s.PendingAt)
	}
}

// pulse is an edge at at: the end of a pulse, except for the first.
func (x *rmtRx) pulse(at chip.Time) {
	level := x.s.High
	x.s.High = !level
	if x.s.Running {
		count := x.counts(at) - x.counts(x.s.Last)
		if !x.store(min(count, 0x7fff), level) {
			return
		}
	}
	x.s.Running, x.s.Last = true, at
	idle := at.Add(x.tick().times(uint64(field(x.conf0(), 22, 8)) + 1))
	x.idle.Set(max(idle, x.soc.m.Now()))
}

// counts returns the counter at a time.
func (x *rmtRx) counts(at chip.Time) uint64 {
	return scale(uint64(at.Sub(x.s.Epoch)), 1<<16, uint64(x.tick()))
}

// store writes half an entry. It reports whether the train goes on.
func (x *rmtRx) store(length uint64, high bool) bool {
	n, size := x.channel(), x.size(x.channel())
	if x.conf1()&rmtRxOwner == 0 {
		x.s.OwnerErr = true
		x.fail()
		return false
	}
	half := uint32(length) | b2n(high)<<15
	if !x.s.Second {
		x.setWord(n, x.s.At, size, half)
		x.s.Second = true
		return true
	}
	x.setWord(n, x.s.At, size, x.word(n, x.s.At, size)&0xffff|half<<16)
	x.s.Second = false
	return x.written(length == 0)
}

// written counts an entry.
func (x *rmtRx) written(last bool) bool {
	if x.s.Count++; x.s.Count >= max(1, x.get(rmtRxLim+4*x.m)&0x1ff) {
		x.s.Count = 0
		x.intr.raise(rmtIntThr << x.channel())
	}
	if x.s.At++; x.s.At == x.size(x.channel()) {
		if x.conf1()&rmtRxWrap != 0 {
			x.s.At = 0
		} else if !last {
			x.s.Full = true
			x.fail()
			return false
		}
	}
	return true
}

func (x *rmtRx) fail() {
	x.stop()
	x.intr.raise(rmtIntErr << x.channel())
}

// end is the end of a train: the level has lasted for IDLE_THRES.
func (x *rmtRx) end() {
	if !x.s.Running {
		return
	}
	if x.s.Second {
		x.store(0, x.s.High)
	} else if x.store(0, x.s.High) {
		x.s.Second = false
		x.written(true)
	}
	if x.s.On {
		x.stop()
		x.intr.raise(rmtIntEnd << x.channel())
	}
}

// status returns CHmSTATUS.
func (x *rmtRx) status() uint32 {
	base := x.channel() * rmtBlockWords
	v := base + x.s.At | (base+x.s.APB%x.size(x.channel()))<<12
	v |= b2n(x.s.On)<<22 | b2n(x.s.OwnerErr)<<25 | b2n(x.s.Full)<<26
	return v
}

func (x *rmtRx) reset() {
	x.stop()
	x.s.At, x.s.Second, x.s.Count, x.s.APB = 0, false, 0, 0
	x.s.Full, x.s.OwnerErr = false, false
}
