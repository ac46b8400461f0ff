package c3

import "espalier.dev/espalier/emu/chip"

// rmtTx is a transmitting channel. An entry of its memory is two pulses: bits 14:0
// the length, bit 15 the level, and the same in the upper half. A length of 0
// ends the train.
type rmtTx struct {
	*rmt
	n uint32
	s struct {
		Active  bool
		Pending bool // started, waits for the other channel of TX_SIM
		High    bool // level of the pulse or at rest
		At      uint32
		Second  bool   // the next pulse is in the upper half
		Count   uint32 // entries since the last threshold event
		Loops   uint32
		APB     uint32
		Begin   chip.Time // of the pulse
		End     chip.Time
		Frac    uint64 // of End, in 1/65536 tick
		Empty   bool   // the memory ended without an end marker
	}
	next *chip.Timer // the end of the pulse
	edge *chip.Timer // the next change by the carrier
}

func (t *rmtTx) init(r *rmt, n int) {
	t.rmt, t.n = r, uint32(n)
	t.next = r.soc.m.NewTimer(t.advance)
	t.edge = r.soc.m.NewProbe(t.show)
	r.soc.gpio.lazily(t.signal(), t.level, func(on bool) {
		t.edge.Stop()
		if on {
			t.show()
		}
	})
}

func (t *rmtTx) signal() signal { return sigRMT0 + signal(t.n) }
func (t *rmtTx) conf() uint32   { return t.get(rmtTxConf0 + 4*t.n) }

// configure is a write to CHnCONF0.
func (t *rmtTx) configure(v uint32) {
	t.set(rmtTxConf0+4*t.n, v&^rmtTxSelf)
	if v&rmtTxMemRdRst != 0 {
		t.s.At, t.s.Second = 0, false
	}
	if v&rmtTxAPBRst != 0 {
		t.s.APB = 0
	}
	if v&rmtTxStop != 0 && (t.s.Active || t.s.Pending) {
		t.s.Pending = false
		t.rest(t.s.High)
	}
	if v&rmtTxStart != 0 {
		t.start()
	}
	if !t.s.Active {
		t.rest(t.s.High) // IDLE_OUT may have changed
	}
}

// start begins a train; channels in TX_SIM begin together.
func (t *rmtTx) start() {
	sim := t.get(rmtTxSim)
	if sim&rmtSimEn == 0 || sim>>t.n&1 == 0 {
		t.begin()
		return
	}
	t.s.Pending = true
	for n := range t.tx {
		if sim>>n&1 != 0 && !t.tx[n].s.Pending {
			return
		}
	}
	for n := range t.tx {
		if sim>>n&1 != 0 {
			t.tx[n].begin()
		}
	}
}

func (t *rmtTx) begin() {
	t.s.Active, t.s.Pending, t.s.Empty = true, false, false
	t.s.Count, t.s.Loops = 0, 0
	t.s.End, t.s.Frac = t.soc.m.Now(), 0
	t.pulse()
}

// advance is the end of a pulse.
func (t *rmtTx) advance() {
	if !t.s.Active {
		return
	}
	if t.s.Second = !t.s.Second; !t.s.Second { // both halves are sent
		t.s.At++
		if t.s.Count++; t.s.Count >= max(1, t.get(rmtTxLim+4*t.n)&0x1ff) {
			t.s.Count = 0
			t.intr.raise(rmtIntThr << t.n)
		}
		if t.s.At >= t.size(t.n) {
			t.s.At = 0
			if t.conf()&rmtTxWrap == 0 {
				t.s.Empty = true
				t.intr.raise(rmtIntErr << t.n)
				t.rest(t.s.High)
				return
			}
		}
	}
	t.pulse()
}

// pulse begins the next pulse, or what follows an end marker.
func (t *rmtTx) pulse() {
	for restarted := false; ; restarted = true {
		half := t.word(t.n, t.s.At, t.size(t.n))
		if t.s.Second {
			half >>= 16
		}
		length, high := half&0x7fff, half>>15&1 != 0
		if length != 0 {
			total := t.s.Frac + uint64(t.divided(t.conf()>>8))*uint64(length)
			t.s.Begin = t.s.End
			t.s.End, t.s.Frac = t.s.End+chip.Time(total>>16), total&0xffff
			t.s.High = high
			t.next.Set(t.s.End)
			t.show()
			return
		}
		if t.conf()&rmtTxConti == 0 || restarted {
			t.intr.raise(rmtIntEnd << t.n)
			t.rest(high)
			return
		}
		t.s.At, t.s.Second = 0, false
		lim := t.get(rmtTxLim + 4*t.n)
		if t.s.Loops++; lim&rmtLimLoopEn != 0 && t.s.Loops >= max(1, field(lim, 18, 9)) {
			t.s.Loops = 0
			t.intr.raise(rmtIntLoop << t.n)
		}
	}
}

// rest ends the train. The output has the level of IDLE_OUT_LV or, without
// IDLE_OUT_EN, that of the end marker.
func (t *rmtTx) rest(high bool) {
	t.s.Active = false
	t.next.Stop()
	if c := t.conf(); c&rmtTxIdleEn != 0 {
		high = c&rmtTxIdleLevel != 0
	}
	t.s.High = high
	t.show()
}

// level returns the level of the output now: of the pulse, modulated by the
// carrier if the pulse has the level that carries it.
func (t *rmtTx) level() bool {
	high, low, on := t.carrier()
	if !on {
		return t.s.High
	}
	phase := uint64(t.soc.m.Now().Sub(t.s.Begin)) << 16 / uint64(t.clock()) % (high + low)
	return t.s.High == (phase < high)
}

// carrier returns the two parts of the carrier's period in cycles of RMT_SCLK,
// and whether the pulse is modulated.
func (t *rmtTx) carrier() (high, low uint64, on bool) {
	c, duty := t.conf(), t.get(rmtCarrier+4*t.n)
	on = t.s.Active && c&rmtTxCarrierEn != 0 && t.s.High == (c&rmtTxCarrierLv != 0)
	return uint64(duty>>16) + 1, uint64(duty&0xffff) + 1, on
}

// show drives the output if something depends on it.
func (t *rmtTx) show() {
	g := t.soc.gpio
	if !g.isWatched(t.signal()) {
		return
	}
	t.edge.Stop()
	g.drive(t.signal(), t.level())
	high, low, on := t.carrier()
	if !on {
		return
	}
	clock := uint64(t.clock())
	n := uint64(t.soc.m.Now().Sub(t.s.Begin)) << 16 / clock
	next := n - n%(high+low) + high
	if next <= n {
		next += low
	}
	if at := t.s.Begin.Add(chip.Duration((next*clock + 1<<16 - 1) >> 16)); at < t.s.End {
		t.edge.Set(at)
	}
}

// status returns CHnSTATUS.
func (t *rmtTx) status() uint32 {
	v := t.n*rmtBlockWords + t.s.At | (t.n*rmtBlockWords+t.s.APB%t.size(t.n))<<12
	if t.s.Active {
		v |= 1 << 9
	}
	if t.s.Empty {
		v |= 1 << 22
	}
	return v
}

func (t *rmtTx) reset() {
	t.next.Stop()
	t.edge.Stop()
	t.s.Active, t.s.Pending, t.s.Empty, t.s.High = false, false, false, false
	t.s.At, t.s.Second, t.s.APB, t.s.Count, t.s.Loops = 0, false, 0, 0, 0
	t.show()
}
