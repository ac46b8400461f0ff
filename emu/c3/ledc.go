package c3

import "espalier.dev/espalier/emu/chip"

// LEDC registers, TRM 32.5: six channels of 0x14 bytes, four timers of 8 bytes.
const (
	ledcChannels  = 6
	ledcTimers    = 4
	ledcChannel   = 0x14 // bytes of a channel's registers
	ledcConf0     = 0x00
	ledcHPoint    = 0x04
	ledcDuty      = 0x08
	ledcConf1     = 0x0c
	ledcDutyR     = 0x10
	ledcTimer0    = 0xa0 // TIMERn_CONF, +8n; VALUE 4 after it
	ledcIntRaw    = 0xc0
	ledcIntSt     = 0xc4
	ledcIntEna    = 0xc8
	ledcIntClr    = 0xcc
	ledcConf      = 0xd0
	ledcDate      = 0xfc
	ledcConf1Init = 1 << 30

	ledcSigOutEn  = 1 << 2
	ledcIdleLevel = 1 << 3
	ledcParaUp    = 1 << 4
	ledcOvfCntEn  = 1 << 15
	ledcOvfReset  = 1 << 16
	ledcDutyInc   = 1 << 30
	ledcDutyStart = 1 << 31
	ledcPause     = 1 << 22
	ledcRst       = 1 << 23
	ledcTimerUp   = 1 << 25
	ledcDutyMax   = 1<<19 - 1

	ledcIntOvf    = 1 << 0 // of timer 0
	ledcIntChange = 1 << 4 // DUTY_CHNG_END of channel 0
	ledcIntCount  = 1 << 10
)

// ledc is LEDC, TRM 32: PWM with four timers and six channels, hardware fades and
// overflow counts. A new duty or fade is in force from the timer's next overflow
// on, as PARA_UP demands; a timer's own parameters at once.
type ledc struct {
	block
	soc      *soc
	intr     interrupts
	timers   [ledcTimers]ledcTimer
	channels [ledcChannels]ledcChan
}

// ledcTimer counts to 2^DUTY_RES again and again.
type ledcTimer struct {
	*ledc
	n uint32
	s struct {
		Running bool
		Div     uint32 // in 1/256
		Res     uint32 // bits
		Hz      uint64 // of the clock
		Base    uint64 // counts at Since, overflows included
		Since   chip.Time
	}
	flag *chip.Timer // the overflow that sets TIMERn_OVF
}

// ledcChan compares a timer's count with HPOINT and the duty.
type ledcChan struct {
	*ledc
	n uint32
	s struct {
		Duty    uint32 // with 4 fractional bits
		HPoint  uint32
		Pending bool   // an update waits for overflow At
		At      uint64 // in overflows of the timer
		Fading  bool
		Steps   uint32
		StepAt  uint64
		Counted uint64 // the overflow from which OVF_CNT counts
	}
	next *chip.Timer // the overflow at which something happens
	edge *chip.Timer
}

func newLEDC(c *soc) *ledc {
	l := &ledc{soc: c}
	l.intr.line = c.intc.source(srcLEDC)
	table := []reg{
		{ledcIntRaw, "INT_RAW", 0}, {ledcIntSt, "INT_ST", 0}, {ledcIntEna, "INT_ENA", 0}, {ledcIntClr, "INT_CLR", 0}, {ledcConf, "CONF", 0},
		{ledcDate, "DATE", 0x19061700},
	}
	for n := range uint32(ledcChannels) {
		b := n * ledcChannel
		table = append(table, reg{b + ledcConf0, "CH_CONF0", 0}, reg{b + ledcHPoint, "CH_HPOINT", 0}, reg{b + ledcDuty, "CH_DUTY", 0},
			reg{b + ledcConf1, "CH_CONF1", ledcConf1Init}, reg{b + ledcDutyR, "CH_DUTY_R", 0})
	}
	for n := range uint32(ledcTimers) {
		table = append(table, reg{ledcTimer0 + 8*n, "TIMER_CONF", ledcRst}, reg{ledcTimer0 + 8*n + 4, "TIMER_VALUE", 0})
	}
	l.block = newBlock("LEDC", 0x60019000, table)
	for n := range l.timers {
		t := &l.timers[n]
		t.ledc, t.n = l, uint32(n)
		t.flag = c.m.NewTimer(func() { l.intr.raise(ledcIntOvf << t.n) })
		l.mark(varies, ledcTimer0+8*t.n+4)
	}
	for n := range l.channels {
		ch := &l.channels[n]
		ch.ledc, ch.n = l, uint32(n)
		ch.next = c.m.NewTimer(ch.overflow)
		ch.edge = c.m.NewProbe(ch.show)
		c.gpio.lazily(ch.signal(), ch.level, func(on bool) {
			ch.edge.Stop()
			if on {
				ch.show()
			}
		})
	}
	return l
}

func (l *ledc) read(off uint32) uint32 {
	switch {
	case off == ledcIntRaw:
		return l.intr.Raw
	case off == ledcIntSt:
		return l.intr.status()
	case off == ledcIntEna:
		return l.intr.Ena
	case off == ledcIntClr:
		return 0
	case off >= ledcTimer0 && off < ledcIntRaw && off&4 != 0:
		t := &l.timers[(off-ledcTimer0)/8]
		return uint32(t.counts(l.soc.m.Now()) & (1<<t.s.Res - 1))
	case off < ledcTimer0 && off < ledcChannels*ledcChannel && off%ledcChannel == ledcDutyR:
		return l.channels[off/ledcChannel].s.Duty
	}
	return l.block.read(off)
}

func (l *ledc) write(off, v uint32) {
	switch {
	case off == ledcIntRaw, off == ledcIntSt:
	case off == ledcIntEna:
		l.intr.enable(v)
	case off == ledcIntClr:
		l.intr.clear(v)
		for n := range l.timers {
			l.timers[n].arm()
		}
	case off == ledcConf:
		l.set(off, v)
		for n := range l.timers {
			l.timers[n].configure()
		}
	case off >= ledcTimer0 && off < ledcIntRaw:
		if off&4 == 0 {
			l.set(off, v&^ledcTimerUp)
			l.timers[(off-ledcTimer0)/8].configure()
		}
	case off < ledcChannels*ledcChannel:
		l.channels[off/ledcChannel].write(off%ledcChannel, v)
	default:
		l.block.write(off, v)
	}
}

// hz returns the frequency of the clock of all timers, 0 without one.
func (l *ledc) hz() uint64 {
	switch l.get(ledcConf) & 3 {
	case 1:
		return uint64(l.soc.apbHz())
	case 2:
		return rcFastHz
	case 3:
		return xtalHz
	}
	return 0
}

// configure takes over the registers of a timer. The count goes on.
func (t *ledcTimer) configure() {
	now := t.soc.m.Now()
	t.s.Base, t.s.Since = t.counts(now), now
	conf := t.get(ledcTimer0 + 8*t.n)
	if res := min(14, field(conf, 3, 0)); res != t.s.Res {
		t.s.Base = t.s.Base & (1<<t.s.Res - 1) & (1<<res - 1)
		t.s.Res = res
		for n := range t.channels {
			t.channels[n].restart(t.n)
		}
	}
	t.s.Div = field(conf, 21, 4)
	if conf&ledcRst != 0 {
		t.s.Base = 0
		for n := range t.channels {
			t.channels[n].restart(t.n)
		}
	}
	t.s.Hz = t.hz()
	t.s.Running = conf&(ledcRst|ledcPause) == 0 && t.s.Div >= 256 && t.s.Res > 0 && t.s.Hz > 0
	t.arm()
	for n := range t.channels {
		if ch := &t.channels[n]; ch.timer() == t {
			ch.arm()
			ch.show()
		}
	}
}

// clockChanged is called after APB has changed its frequency.
func (l *ledc) clockChanged() {
	for n := range l.timers {
		l.timers[n].configure()
	}
}

// counts returns the counts since the timer's reset.
func (t *ledcTimer) counts(at chip.Time) uint64 {
	if !t.s.Running {
		return t.s.Base
	}
	return t.s.Base + scale(uint64(at.Sub(t.s.Since)), 256*t.s.Hz, uint64(t.s.Div)*chip.TicksPerSecond)
}

// when returns the time of a count.
func (t *ledcTimer) when(count uint64) chip.Time {
	if !t.s.Running {
		return chip.Never
	}
	num, den := uint64(t.s.Div)*chip.TicksPerSecond, 256*t.s.Hz
	n := count - min(count, t.s.Base)
	d := scale(n, num, den)
	for scale(d, den, num) < n {
		d++
	}
	if d > 1<<60 {
		return chip.Never
	}
	return t.s.Since.Add(chip.Duration(d))
}

func (t *ledcTimer) overflows(at chip.Time) uint64 { return t.counts(at) >> t.s.Res }

// arm waits for the overflow that sets the interrupt.
func (t *ledcTimer) arm() {
	t.flag.Stop()
	if t.s.Running && t.intr.Raw&(ledcIntOvf<<t.n) == 0 {
		t.flag.Set(t.when((t.overflows(t.soc.m.Now()) + 1) << t.s.Res))
	}
}

func (ch *ledcChan) signal() signal        { return sigLEDC0 + signal(ch.n) }
func (ch *ledcChan) reg(off uint32) uint32 { return ch.get(ch.n*ledcChannel + off) }
func (ch *ledcChan) timer() *ledcTimer     { return &ch.timers[ch.reg(ledcConf0)&3] }

func (ch *ledcChan) write(off, v uint32) {
	if off == ledcDutyR {
		return
	}
	now := ch.soc.m.Now()
	if off == ledcConf0 {
		if v&ledcOvfReset != 0 {
			ch.s.Counted = ch.timer().overflows(now)
		}
		up := v&ledcParaUp != 0
		v &^= ledcParaUp | ledcOvfReset
		old := ch.reg(ledcConf0)
		ch.set(ch.n*ledcChannel+off, v)
		if (old^v)&3 != 0 {
			ch.restart(v & 3)
		}
		if (old^v)&ledcOvfCntEn != 0 {
			ch.s.Counted = ch.timer().overflows(now)
		}
		if up {
			t := ch.timer()
			ch.s.Pending, ch.s.At = true, t.overflows(now)+1
			if !t.s.Running {
				ch.s.At = 0
				ch.overflow()
			}
		}
	} else {
		ch.set(ch.n*ledcChannel+off, v)
	}
	ch.arm()
	ch.show()
}

// restart makes what waits for an overflow of timer n wait for its next one:
// the count has begun again.
func (ch *ledcChan) restart(n uint32) {
	if ch.reg(ledcConf0)&3 != n {
		return
	}
	ch.s.At, ch.s.StepAt, ch.s.Counted = 0, 0, 0
}

// overflow does what is due at an overflow of the timer.
func (ch *ledcChan) overflow() {
	k := ch.timer().overflows(ch.soc.m.Now())
	if ch.s.Pending && k >= ch.s.At {
		ch.s.Pending = false
		ch.s.HPoint = ch.reg(ledcHPoint) & 0x3fff
		if conf := ch.reg(ledcConf1); conf&ledcDutyStart != 0 {
			ch.set(ch.n*ledcChannel+ledcConf1, conf&^ledcDutyStart)
			ch.s.Duty = ch.reg(ledcDuty) & ledcDutyMax
			ch.s.Fading, ch.s.Steps = true, max(1, field(conf, 29, 20))
			ch.s.StepAt = k + uint64(max(1, field(conf, 19, 10)))
		}
	}
	for ch.s.Fading && k >= ch.s.StepAt {
		conf := ch.reg(ledcConf1)
		step := field(conf, 9, 0) << 4
		if conf&ledcDutyInc != 0 {
			ch.s.Duty = min(ledcDutyMax, ch.s.Duty+step)
		} else {
			ch.s.Duty -= min(ch.s.Duty, step)
		}
		ch.s.StepAt += uint64(max(1, field(conf, 19, 10)))
		if ch.s.Steps--; ch.s.Steps == 0 {
			ch.s.Fading = false
			ch.intr.raise(ledcIntChange << ch.n)
		}
	}
	if n, on := ch.counting(); on && k >= ch.s.Counted+n {
		ch.s.Counted = k
		ch.intr.raise(ledcIntCount << ch.n)
	}
	ch.arm()
	ch.show()
}

// counting returns after how many overflows OVF_CNT is raised.
func (ch *ledcChan) counting() (n uint64, on bool) {
	c := ch.reg(ledcConf0)
	return uint64(field(c, 14, 5)) + 1, c&ledcOvfCntEn != 0
}

// arm waits for the next overflow at which something is due.
func (ch *ledcChan) arm() {
	t := ch.timer()
	at := ^uint64(0)
	if ch.s.Pending {
		at = min(at, ch.s.At)
	}
	if ch.s.Fading {
		at = min(at, ch.s.StepAt)
	}
	if n, on := ch.counting(); on {
		at = min(at, ch.s.Counted+n)
	}
	ch.next.Stop()
	if at != ^uint64(0) && t.s.Running {
		ch.next.Set(t.when(max(at, t.overflows(ch.soc.m.Now())+1) << t.s.Res))
	}
}

// width returns the counts for which the output is high in the period after
// overflow k: the fraction of the duty adds one in some of 16 periods.
func (ch *ledcChan) width(k uint64) uint64 {
	return uint64(ch.s.Duty>>4 + b2n(uint64(ch.s.Duty&15) > k&15))
}

// level returns the level of the output now.
func (ch *ledcChan) level() bool { return ch.levelAt(ch.timer().counts(ch.soc.m.Now())) }

func (ch *ledcChan) levelAt(count uint64) bool {
	c := ch.reg(ledcConf0)
	if c&ledcSigOutEn == 0 {
		return c&ledcIdleLevel != 0
	}
	t := ch.timer()
	period := uint64(1) << t.s.Res
	return (count-uint64(ch.s.HPoint))&(period-1) < ch.width(count>>t.s.Res)
}

// show drives the output if something depends on it.
func (ch *ledcChan) show() {
	g := ch.soc.gpio
	if !g.isWatched(ch.signal()) {
		return
	}
	ch.edge.Stop()
	t := ch.timer()
	now := t.counts(ch.soc.m.Now())
	high := ch.levelAt(now)
	g.drive(ch.signal(), high)
	if !t.s.Running || ch.reg(ledcConf0)&ledcSigOutEn == 0 {
		return
	}
	k, res := now>>t.s.Res, t.s.Res
	next := ^uint64(0)
	for i := range uint64(18) { // a fraction repeats after 16 periods
		start := (k+i)<<res + uint64(ch.s.HPoint)&(1<<res-1)
		for _, at := range [3]uint64{(k + i) << res, start, start + ch.width(k+i)} {
			if at > now && at < next && ch.levelAt(at) != high {
				next = at
			}
		}
		if next != ^uint64(0) {
			ch.edge.Set(t.when(next))
			return
		}
	}
}

func (l *ledc) reset() {
	l.block.reset()
	l.intr.reset(0)
	for n := range l.channels {
		ch := &l.channels[n]
		ch.next.Stop()
		ch.edge.Stop()
		ch.s.Duty, ch.s.HPoint, ch.s.Pending, ch.s.Fading = 0, 0, false, false
		ch.s.At, ch.s.StepAt, ch.s.Counted, ch.s.Steps = 0, 0, 0, 0
	}
	for n := range l.timers {
		l.timers[n].configure()
	}
	for n := range l.channels {
		l.channels[n].show()
	}
}

func (l *ledc) state(s *chip.State) {
	s.Fixed(&l.words, &l.intr.Raw, &l.intr.Ena)
	for n := range l.timers {
		s.Fixed(&l.timers[n].s)
	}
	for n := range l.channels {
		s.Fixed(&l.channels[n].s)
	}
}
