package radio

import (
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// Times of an access point.
const (
	timeUnit       = 1024 * emu.Microsecond
	beaconInterval = 100 // time units
	probeDelay     = 1500 * emu.Microsecond
	managementTime = 300 * emu.Microsecond
	firstKeyTime   = 2 * emu.Millisecond // from the association response to message 1
	keyTime        = emu.Millisecond
)

// AccessPoint is an access point with its basic service set. It is driven by the
// Medium that it was added to.
type AccessPoint struct {
	cfg    Config
	bssid  dot11.Addr
	pmk    []byte // nil: an open network
	badPMK []byte // of the fault WrongPassphrase
	rsn    []byte // the RSN element, nil in an open network
	random *faults.Random
	loss   *faults.Random
	quirk  quirk

	medium   *Medium
	now      emu.Time
	tasks    tasks
	beacon   emu.Time // when the next one is due
	applied  emu.Time // up to when the fault schedule was applied
	applyAt  emu.Time // when it must be applied again
	rekey    emu.Time
	stations []*station
	group    groupKey
	groups   int // group keys so far
	sequence uint16

	queue        []dot11.Frame // to be transmitted
	transmitting bool          // one is on its way
	groupBuffer  []dot11.Frame // group frames to be sent after the next beacon
}

// NewAccessPoint returns an access point. The error is a *ConfigError.
func NewAccessPoint(cfg Config) (*AccessPoint, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	ap := &AccessPoint{
		cfg:     cfg,
		bssid:   cfg.BSSID,
		random:  faults.NewRandom(cfg.Seed, "access point "+string(cfg.BSSID[:])),
		loss:    faults.NewRandom(cfg.Seed, "radio loss "+string(cfg.BSSID[:])),
		applied: emu.Never,
		rekey:   emu.Never,
	}
	if cfg.Passphrase != "" {
		ap.protect(pmkOf(cfg.Passphrase, cfg.SSID))
		if cfg.Faults.Has(faults.WrongPassphrase) {
			ap.badPMK = pmkOf(cfg.Passphrase[1:]+"*", cfg.SSID)
		}
	}
	return ap, nil
}

// protect makes the network WPA2-Personal.
func (ap *AccessPoint) protect(pmk []byte) {
	ap.pmk = pmk
	ap.rsn = rsnElement()
	ap.group = ap.newGroupKey(1)
	if ap.cfg.GroupRekey > 0 {
		ap.rekey = emu.Time(0).Add(ap.cfg.GroupRekey)
	}
}

// next returns when run must be called.
func (ap *AccessPoint) next() emu.Time {
	at := min(ap.beacon, ap.applyAt, ap.rekey, ap.tasks.next(), ap.nextKeyRetransmission())
	if ap.cfg.DS != nil {
		if t, ok := ap.cfg.DS.Next(); ok {
			at = min(at, t)
		}
	}
	return at
}

// run does what is due at now.
func (ap *AccessPoint) run(now emu.Time) {
	ap.now = now
	ap.applySchedule()
	for ap.tasks.next() <= now {
		ap.tasks.pop()()
	}
	ap.retransmitKeys()
	if ap.rekey <= now {
		ap.rekey = now.Add(ap.cfg.GroupRekey)
		ap.changeGroupKey()
	}
	if ap.beacon <= now {
		ap.beacon = ap.beacon.Add(beaconInterval * timeUnit)
		ap.sendBeacon()
	}
	if ds := ap.cfg.DS; ds != nil {
		if t, ok := ds.Next(); ok && t <= now {
			ds.Advance(now, ap.fromDS)
		}
	}
}

// applySchedule does what faults do at the instant at which they begin.
func (ap *AccessPoint) applySchedule() {
	if ap.applyAt > ap.now {
		return
	}
	s := ap.cfg.Faults
	for range s.Due(faults.NoNetwork, ap.applied, ap.now) {
		ap.stations, ap.queue, ap.groupBuffer = nil, nil, nil
	}
	for _, f := range s.Due(faults.Deauth, ap.applied, ap.now) {
		reason := f.Reason
		if reason == 0 {
			reason = reasonClass3
		}
		for _, st := range slices.Clone(ap.stations) {
			ap.deauthenticate(st, reason)
		}
	}
	ap.applied = ap.now
	ap.applyAt = s.Next(ap.now)
}

// later calls f after d.
func (ap *AccessPoint) later(d emu.Duration, f func()) { ap.tasks.add(ap.now.Add(d), f) }

func (ap *AccessPoint) fault(k faults.Kind) bool {
	_, ok := ap.cfg.Faults.Active(k, ap.now)
	return ok
}

// level returns the level at which the access point is received.
func (ap *AccessPoint) level(now emu.Time) int8 {
	if f, ok := ap.cfg.Faults.Active(faults.WeakSignal, now); ok {
		return f.Level
	}
	return ap.cfg.RSSI
}

// canReceive reports whether a transmission reaches the access point, which then
// acknowledges a frame that is addressed to it.
func (ap *AccessPoint) canReceive(now emu.Time, f transmission) bool {
	if f.channel != ap.cfg.Channel || ap.level(now) < sensitivity {
		return false
	}
	s := ap.cfg.Faults
	if _, off := s.Active(faults.NoNetwork, now); off {
		return false
	}
	return !ap.isLost(now)
}

// receive processes a frame at its end.
func (ap *AccessPoint) receive(now emu.Time, f dot11.Frame) {
	ap.now = max(ap.now, now)
	if !f.Valid() {
		return
	}
	switch f.Type() {
	case dot11.Management:
		if a := f.A1(); a == ap.bssid || a.Group() {
			ap.management(f)
		}
	case dot11.Data:
		if f.A1() == ap.bssid && f.Has(dot11.ToDS) && !f.Has(dot11.FromDS) {
			ap.data(f)
		}
	case dot11.Control:
		if f.Subtype() == dot11.PSPoll && f.A1() == ap.bssid {
			if st := ap.station(f.A2()); st != nil {
				ap.release(st, 1)
			}
		}
	}
}

// maxQueue bounds the frames that wait for the medium; further ones are dropped.
const maxQueue = 256

// transmit queues a frame. Beacons go first.
func (ap *AccessPoint) transmit(f dot11.Frame) {
	if len(ap.queue) >= maxQueue {
		return
	}
	if f.Is(dot11.Beacon) {
		ap.queue = slices.Insert(ap.queue, 0, f)
	} else {
		ap.queue = append(ap.queue, f)
	}
	ap.transmitNext()
}

// transmitNext transmits the next frame of the queue unless one is being
// transmitted, so that stations get the medium in between.
func (ap *AccessPoint) transmitNext() {
	if ap.transmitting || len(ap.queue) == 0 {
		return
	}
	f := ap.queue[0]
	ap.queue = ap.queue[1:]
	ap.transmitting = true
	ap.attempt(f, 1)
}

// retryLimit is the number of transmissions of a frame that is not acknowledged:
// dot11ShortRetryLimit, C.3.
const retryLimit = 7

// attempt transmits a frame for the nth time. There is no acknowledgement when no
// station receives the frame, and when the acknowledgement is lost. Probe
// responses are not retransmitted: the station may have left the channel.
func (ap *AccessPoint) attempt(f dot11.Frame, n int) {
	out := transmission{frame: f, channel: ap.cfg.Channel, rate: rateOf(f), level: ap.level(ap.now)}
	end := ap.medium.send(out)
	over := n == retryLimit || f.A1().Group() || f.Is(dot11.ProbeResponse)
	if !f.A1().Group() && out.level >= sensitivity && ap.medium.hasReceiver(f.A1(), ap.cfg.Channel) {
		end = ap.medium.acknowledge(out, end, chipLevel)
		over = over || !ap.isLost(ap.now)
	} else if !over {
		end = end.Add(ackTimeout)
	}
	ap.tasks.add(end, func() {
		if !over {
			again := slices.Clone(f) // f may be in a receive queue
			again[1] |= dot11.Retry >> 8
			ap.attempt(again, n+1)
			return
		}
		ap.transmitting = false
		ap.transmitNext()
	})
}

// isLost reports whether the fault RadioLoss hits a frame or an acknowledgement
// for the access point.
func (ap *AccessPoint) isLost(now emu.Time) bool {
	loss, ok := ap.cfg.Faults.Active(faults.RadioLoss, now)
	return ok && ap.loss.Hit(loss.PPM)
}

// header appends the header of a frame of this access point.
func (ap *AccessPoint) header(control uint16, to, from dot11.Addr) dot11.Frame {
	a2, a3 := ap.bssid, from
	ap.sequence = (ap.sequence + 1) & 0xfff
	return dot11.AppendHeader(make([]byte, 0, 256), control, to, a2, a3, ap.sequence<<4)
}

// randomBytes returns n bytes of the seed's stream.
func (ap *AccessPoint) randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(ap.random.Uint64())
	}
	return b
}
