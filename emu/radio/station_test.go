package radio

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// client is a station that is built from this package's own code, for behaviour
// of the access point that firmware does not trigger. That code is tested with
// the vectors of the standard, with firmware and with tshark.
type client struct {
	t        testing.TB
	antenna  *Antenna
	now      emu.Time
	addr     dot11.Addr
	bssid    dot11.Addr
	ssid     string
	pmk      []byte
	snonce   []byte
	ptk      ptk
	pn       dot11.PN
	seq      uint16
	aid      uint16
	gtk      map[byte][]byte
	data     [][]byte // payloads with their SNAP headers
	keyed    bool
	received []dot11.Frame
	dropKeys int                 // key messages to ignore
	dropKey  func(eapolKey) bool // reports whether to ignore a key message; nil: none
}

func newClient(t testing.TB, medium *Medium, ap *AccessPoint, last byte) *client {
	c := &client{t: t, antenna: medium.Antenna(), addr: dot11.Addr{2, 0, 0, 0, 0, last}, bssid: ap.bssid, ssid: ap.cfg.SSID, pmk: ap.pmk, gtk: map[byte][]byte{},
		snonce: bytes.Repeat([]byte{last}, 32)}
	c.antenna.Tune(0, ap.cfg.Channel)
	return c
}

func (c *client) send(f dot11.Frame) bool {
	done, acked := c.antenna.Transmit(c.now, emu.RadioTX{Frame: f, Channel: c.antenna.channel, Rate: rate24M, WaitACK: !f.A1().Group()})
	c.now = max(c.now, done)
	return acked
}

func (c *client) header(control uint16, to, third dot11.Addr) dot11.Frame {
	c.seq++
	return dot11.AppendHeader(nil, control, to, c.addr, third, c.seq<<4)
}

// run advances time by d and answers received frames.
func (c *client) run(d emu.Duration) {
	end := c.now.Add(d)
	for {
		at := min(c.antenna.Next(), end)
		c.now = max(c.now, at)
		rx, ok := c.antenna.Receive(c.now)
		if ok {
			c.take(rx.Frame)
		} else if c.now >= end {
			return
		}
	}
}

func (c *client) take(f dot11.Frame) {
	c.received = append(c.received, slices.Clone(f))
	if f.A1() != c.addr && !f.A1().Group() {
		return
	}
	switch {
	case f.Is(dot11.AssocResponse):
		if status := binary.LittleEndian.Uint16(f.Body()[2:]); status == 0 {
			c.aid = binary.LittleEndian.Uint16(f.Body()[4:])
			c.keyed = c.pmk == nil
		}
	case f.Is(dot11.Deauth):
		c.aid, c.keyed = 0, false
	case f.HasData():
		body := f.Body()
		if f.Has(dot11.Protected) {
			_, id, _ := f.CCMP()
			key := c.ptk.tk[:]
			if f.A1().Group() {
				key = c.gtk[id]
			}
			if key == nil || dot11.OpenCCMP(key, f) != nil {
				c.t.Errorf("a frame to %x does not decrypt with key %d", f.A1(), id)
				return
			}
			body = body[dot11.CCMPHeader : len(body)-dot11.CCMPMIC]
		}
		if binary.BigEndian.Uint16(body[6:]) == etherTypeEAPOL {
			c.key(body[snapHeader:])
			return
		}
		c.data = append(c.data, slices.Clone(body))
	}
}

func (c *client) key(b []byte) {
	k, ok := parseEAPOLKey(b)
	if !ok {
		c.t.Fatalf("not an EAPOL-Key frame: %x", b)
	}
	if c.dropKeys > 0 {
		c.dropKeys--
		return
	}
	if c.dropKey != nil && c.dropKey(k) {
		return
	}
	info := k.info()
	reply, data := uint16(keyVersionAES|keyMIC)|info&keyPairwise, []byte(nil)
	if info&keyMIC == 0 { // message 1
		c.ptk = derivePTK(c.pmk, c.bssid, c.addr, k.nonce(), c.snonce)
		data = rsnElement()
	} else {
		if !k.signed(c.ptk.kck[:]) {
			c.t.Fatal("a message has the wrong MIC")
		}
		plain, err := unwrap(c.ptk.kek[:], k.data())
		if err != nil {
			c.t.Fatal(err)
		}
		if kde, ok := dot11.Element(plain, 0xdd); ok {
			c.gtk[kde[4]&3] = slices.Clone(kde[6:22])
		}
		reply |= keySecure
	}
	out := newEAPOLKey(reply, 0, k.replay(), c.snonce, data)
	out.sign(c.ptk.kck[:])
	c.payload(dot11.Addr(c.bssid), etherTypeEAPOL, out)
	if info&keyInstall != 0 {
		c.keyed = true
	}
}

// payload sends data to an address.
func (c *client) payload(to dot11.Addr, etherType uint16, payload []byte) bool {
	control := uint16(dot11.Data<<2 | dot11.ToDS)
	if c.keyed && c.pmk != nil {
		control |= dot11.Protected
	}
	f := c.header(control, c.bssid, to)
	if c.keyed && c.pmk != nil {
		c.pn++
		f = dot11.AppendCCMPHeader(f, c.pn, 0)
	}
	f = append(f, 0xaa, 0xaa, 3, 0, 0, 0)
	f = binary.BigEndian.AppendUint16(f, etherType)
	f = append(f, payload...)
	if c.keyed && c.pmk != nil {
		f = append(f, make([]byte, dot11.CCMPMIC)...)
		if err := dot11.SealCCMP(c.ptk.tk[:], f); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.send(f)
}

func (c *client) null(asleep bool) {
	control := uint16(dot11.Data<<2 | 4<<4 | dot11.ToDS)
	if asleep {
		control |= dot11.PowerMgmt
	}
	c.send(c.header(control, c.bssid, c.bssid))
}

func (c *client) join() {
	c.t.Helper()
	c.associate()
	c.run(20 * emu.Millisecond)
	if !c.keyed {
		c.t.Fatal("not joined")
	}
}

// associate sends authentication and association request.
func (c *client) associate() {
	f := c.header(dot11.ManagementControl(dot11.Authentication), c.bssid, c.bssid)
	c.send(append(f, 0, 0, 1, 0, 0, 0))
	c.run(5 * emu.Millisecond)
	f = c.header(dot11.ManagementControl(dot11.AssocRequest), c.bssid, c.bssid)
	f = append(f, 0x31, 4, 3, 0)
	f = dot11.AppendElement(f, dot11.ElementSSID, []byte(c.ssid)...)
	f = appendRates(f)
	if c.pmk != nil {
		f = append(f, rsnElement()...)
	}
	c.send(f)
}

// recorder is a DistributionSystem that records frames and sends those of send.
type recorder struct {
	got  [][]byte
	send [][]byte
}

func (w *recorder) Receive(_ emu.Time, f []byte) { w.got = append(w.got, slices.Clone(f)) }
func (w *recorder) Next() (emu.Time, bool)       { return 0, len(w.send) > 0 }
func (w *recorder) Advance(_ emu.Time, deliver func([]byte)) {
	send := w.send
	w.send = nil
	for _, f := range send {
		deliver(f)
	}
}

func newNetwork(t testing.TB, cfg Config, configs ...MediumConfig) (*Medium, *AccessPoint, *recorder) {
	t.Helper()
	w := &recorder{}
	cfg.DS = w
	if cfg.SSID == "" {
		cfg.SSID = testSSID
	}
	ap, err := NewAccessPoint(cfg)
	if err != nil {
		t.Fatal(err)
	}
	medium := NewMedium(append(configs, MediumConfig{})[0])
	medium.Add(ap)
	return medium, ap, w
}

func ethernet(to, from dot11.Addr, payload string) []byte {
	return append(append(append(to[:len(to):len(to)], from[:]...), 0x08, 0x00), payload...)
}

// Data is forwarded in both directions and between stations, in open and in
// protected networks.
func TestBridging(t *testing.T) {
	for _, passphrase := range []string{"", "a trellis in the air"} {
		medium, ap, w := newNetwork(t, Config{Passphrase: passphrase})
		a, b := newClient(t, medium, ap, 1), newClient(t, medium, ap, 2)
		a.join()
		b.now = a.now
		b.join()
		a.now = b.now
		host := dot11.Addr{2, 9, 9, 9, 9, 9}
		if !a.payload(host, 0x800, []byte("to the network")) {
			t.Error("not acknowledged")
		}
		a.run(emu.Millisecond)
		if len(w.got) != 1 || !bytes.Equal(w.got[0], ethernet(host, a.addr, "to the network")) {
			t.Fatalf("the network received %q", w.got)
		}
		a.payload(b.addr, 0x800, []byte("to the other"))
		a.payload(dot11.Broadcast(), 0x800, []byte("to all"))
		w.send = [][]byte{ethernet(a.addr, host, "to the station")}
		a.run(20 * emu.Millisecond)
		b.run(a.now.Sub(b.now))
		if len(b.data) != 2 || string(b.data[0][8:]) != "to the other" || string(b.data[1][8:]) != "to all" {
			t.Errorf("the other station got %q", b.data)
		}
		if !slices.ContainsFunc(a.data, func(p []byte) bool { return string(p[8:]) == "to the station" }) {
			t.Errorf("the station got %q", a.data)
		}
		if len(w.got) != 2 {
			t.Errorf("the network received %d frames, the second should be the group frame", len(w.got))
		}
		if st := ap.Stations(); len(st) != 2 || !st[0].Keyed || st[0].AID != 1 || st[1].AID != 2 {
			t.Errorf("stations: %+v", st)
		}
	}
}

// Frames for a station in power save mode are buffered; group frames are sent
// after the next beacon.
func TestPowerSave(t *testing.T) {
	medium, ap, w := newNetwork(t, Config{Passphrase: testPassphrase})
	c := newClient(t, medium, ap, 1)
	c.join()
	host := dot11.Addr{2, 9, 9, 9, 9, 9}
	c.null(true)
	c.run(emu.Millisecond)
	w.send = [][]byte{ethernet(c.addr, host, "one"), ethernet(c.addr, host, "two"), ethernet(dot11.Broadcast(), host, "all")}
	c.received = nil
	c.run(150 * emu.Millisecond)
	if len(c.data) != 1 || string(c.data[0][8:]) != "all" {
		t.Fatalf("asleep: got %q", c.data)
	}
	i := slices.IndexFunc(c.received, func(f dot11.Frame) bool { return f.Is(dot11.Beacon) })
	if tim, _ := dot11.Element(c.received[i].Body()[12:], dot11.ElementTIM); !bytes.Equal(tim, []byte{0, 1, 1, 2}) {
		t.Errorf("TIM is %x: group traffic and station 1 expected", tim)
	}
	poll := dot11.Frame{dot11.PSPoll<<4 | dot11.Control<<2, 0, 1, 0xc0}
	poll = append(append(poll, c.bssid[:]...), c.addr[:]...)
	c.send(poll)
	c.run(5 * emu.Millisecond)
	if len(c.data) != 2 || string(c.data[1][8:]) != "one" {
		t.Fatalf("after PS-Poll: got %q", c.data)
	}
	if last := c.received[len(c.received)-1]; !last.Has(dot11.MoreData) {
		t.Error("the first frame has no More Data bit")
	}
	c.null(false)
	c.run(5 * emu.Millisecond)
	if len(c.data) != 3 || string(c.data[2][8:]) != "two" {
		t.Fatalf("awake: got %q", c.data)
	}
}

// A group key handshake changes the key, and group frames use the new one.
func TestGroupRekey(t *testing.T) {
	medium, ap, w := newNetwork(t, Config{Passphrase: testPassphrase, GroupRekey: emu.Second})
	c := newClient(t, medium, ap, 1)
	c.join()
	for range 5 {
		before := bytes.Clone(ap.group.tk)
		c.run(emu.Second)
		if bytes.Equal(before, ap.group.tk) || !bytes.Equal(c.gtk[ap.group.id], ap.group.tk) {
			t.Fatalf("station has %x, access point %x, before %x", c.gtk[ap.group.id], ap.group.tk, before)
		}
		if ap.stations[0].hs.group {
			t.Fatal("the group key is not confirmed")
		}
		w.send = [][]byte{ethernet(dot11.Broadcast(), c.bssid, "all")}
		c.run(10 * emu.Millisecond)
	}
	if len(c.data) != 5 {
		t.Errorf("%d group frames", len(c.data))
	}
}

// A retransmitted frame is forwarded once, and a frame with a used packet number
// is dropped.
func TestDuplicatesAndReplays(t *testing.T) {
	medium, ap, w := newNetwork(t, Config{Passphrase: testPassphrase})
	c := newClient(t, medium, ap, 1)
	c.join()
	host := dot11.Addr{2, 9, 9, 9, 9, 9}
	c.payload(host, 0x800, []byte("once"))
	c.seq--
	c.pn--
	c.payload(host, 0x800, []byte("once"))
	c.pn--
	c.payload(host, 0x800, []byte("replayed"))
	c.run(emu.Millisecond)
	if len(w.got) != 1 {
		t.Errorf("the network received %q", w.got)
	}
	// Unprotected frames and frames of other stations are dropped.
	c.keyed = false
	c.payload(host, 0x800, []byte("plain"))
	c.run(emu.Millisecond)
	if len(w.got) != 1 {
		t.Errorf("the network received %q", w.got)
	}
	other := newClient(t, medium, ap, 7)
	other.now = c.now
	other.payload(host, 0x800, []byte("other"))
	other.run(10 * emu.Millisecond)
	if len(w.got) != 1 {
		t.Errorf("the network received %q", w.got)
	}
	last := other.received[len(other.received)-1]
	if !last.Is(dot11.Deauth) || last.Body()[0] != reasonClass3 {
		t.Errorf("the answer to a station that is not associated is %x", []byte(last))
	}
}

// Faults of the radio side are active for the time in the schedule.
func TestRadioFaults(t *testing.T) {
	run := func(line string) (*client, *AccessPoint, *recorder) {
		f, err := faults.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		medium, ap, w := newNetwork(t, Config{Passphrase: testPassphrase, Faults: faults.New(f)})
		c := newClient(t, medium, ap, 1)
		c.join()
		return c, ap, w
	}
	beacons := func(c *client, d emu.Duration) (n int) {
		c.received = nil
		c.run(d)
		for _, f := range c.received {
			if f.Is(dot11.Beacon) {
				n++
			}
		}
		return n
	}
	host := dot11.Addr{2, 9, 9, 9, 9, 9}

	c, ap, _ := run("from 1s to 2s no-network")
	if n := beacons(c, emu.Second-emu.Duration(c.now)); n < 8 {
		t.Errorf("%d beacons before", n)
	}
	if n := beacons(c, emu.Second-emu.Millisecond); n > 1 {
		t.Errorf("%d beacons while the access point is off", n)
	}
	if c.payload(host, 0x800, []byte("x")) || len(ap.Stations()) != 0 {
		t.Error("the access point acknowledges, or has stations, while it is off")
	}
	if n := beacons(c, emu.Second); n < 9 {
		t.Errorf("%d beacons after", n)
	}

	c, _, w := run("from 1s to 2s beacon-loss")
	c.run(emu.Second - emu.Duration(c.now) + 5*emu.Millisecond)
	if n := beacons(c, 990*emu.Millisecond); n != 0 {
		t.Errorf("%d beacons", n)
	}
	if !c.payload(host, 0x800, []byte("x")) {
		t.Error("not acknowledged")
	}
	if c.run(emu.Millisecond); len(w.got) != 1 {
		t.Error("beacon loss loses data")
	}

	c, _, _ = run("from 1s to 2s weak-signal -60dBm")
	c.run(emu.Second)
	if l := c.antenna.medium.aps[0].level(c.now); l != -60 {
		t.Errorf("%d dBm", l)
	}

	c, _, w = run("from 1s to 3s radio-loss 40%")
	c.run(emu.Second)
	acked := 0
	for range 200 {
		if c.payload(host, 0x800, []byte("x")) {
			acked++
		}
	}
	c.run(emu.Millisecond)
	if acked < 100 || acked > 140 || len(w.got) != acked {
		t.Errorf("%d of 200 acknowledged, %d arrived", acked, len(w.got))
	}

	c, ap, _ = run("at 1s deauth reason 4")
	c.run(emu.Second)
	if last := c.received[len(c.received)-1]; c.keyed || len(ap.Stations()) != 0 {
		t.Errorf("still joined; last frame %x", []byte(last))
	}
}

// Message 2 of a station with another passphrase is not answered.
func TestWrongPassphrase(t *testing.T) {
	medium, ap, _ := newNetwork(t, Config{Passphrase: testPassphrase})
	c := newClient(t, medium, ap, 1)
	c.pmk = pmkOf("another passphrase", testSSID)
	f := c.header(dot11.ManagementControl(dot11.Authentication), c.bssid, c.bssid)
	c.send(append(f, 0, 0, 1, 0, 0, 0))
	c.run(5 * emu.Millisecond)
	f = append(c.header(dot11.ManagementControl(dot11.AssocRequest), c.bssid, c.bssid), 0x31, 4, 3, 0)
	f = append(dot11.AppendElement(f, dot11.ElementSSID, []byte(testSSID)...), rsnElement()...)
	c.send(f)
	c.run(emu.Second)
	if c.keyed || ap.Stations()[0].Keyed {
		t.Error("joined")
	}
}

func TestConfigErrors(t *testing.T) {
	for name, c := range map[string]Config{
		"no SSID":          {},
		"long SSID":        {SSID: string(make([]byte, 33))},
		"short passphrase": {SSID: "x", Passphrase: "1234567"},
		"long passphrase":  {SSID: "x", Passphrase: string(make([]byte, 64))},
		"channel":          {SSID: "x", Channel: 14},
		"BSSID":            {SSID: "x", BSSID: [6]byte{1}},
		"rekey":            {SSID: "x", GroupRekey: -1},
	} {
		if _, err := NewAccessPoint(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever a station sends in whatever state, the access point does not fail, its
// queues are bounded, and the network receives only frames of stations with a
// key.
func FuzzAccessPoint(f *testing.F) {
	f.Add([]byte{0}, true)
	var joined []byte
	medium, ap, _ := newNetwork(f, Config{Passphrase: testPassphrase}, MediumConfig{Capture: func(_ emu.Time, p []byte) {
		joined = append(binary.BigEndian.AppendUint16(joined, uint16(len(p)-radiotapLen)), p[radiotapLen:]...)
	}})
	newClient(f, medium, ap, 1).join()
	f.Add(joined, true)
	f.Add(joined, false)
	pmk := ap.pmk
	f.Fuzz(func(t *testing.T, b []byte, first bool) {
		medium, ap, w := newNetwork(t, Config{WMM: true, HT: true})
		ap.protect(pmk)
		c := newClient(t, medium, ap, 1)
		if first {
			c.join()
		}
		for len(b) >= 2 {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			frame := dot11.Frame(slices.Clone(b[2 : 2+n]))
			b = b[2+n:]
			if len(frame) >= 10 {
				copy(frame[4:], c.bssid[:])
			}
			done, _ := c.antenna.Transmit(c.now, emu.RadioTX{Frame: frame, Channel: 1, Rate: rate54M})
			c.now = max(c.now, done).Add(emu.Millisecond)
			for {
				if _, ok := c.antenna.Receive(c.now); !ok {
					break
				}
			}
		}
		c.now = c.now.Add(emu.Second)
		c.antenna.Receive(c.now)
		if len(w.got) > 0 && !first {
			t.Fatal("a frame of a station without a key reached the network")
		}
		if len(ap.stations) > maxStations || len(ap.queue) > maxQueue || len(ap.tasks) > 4*maxQueue {
			t.Fatalf("%d stations, %d frames", len(ap.stations), len(ap.queue))
		}
	})
}
