package c3

import (
	"bytes"
	"encoding/binary"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/internal/devtest"
)

// fakeRadio is a radio environment that records transmitted frames and delivers
// prepared ones.
type fakeRadio struct {
	sent    []emu.RadioTX
	acked   bool
	tuned   []int
	arrives []emu.RadioRX
	at      emu.Time
}

func (r *fakeRadio) Tune(_ emu.Time, ch int) { r.tuned = append(r.tuned, ch) }
func (r *fakeRadio) Transmit(now emu.Time, f emu.RadioTX) (emu.Time, bool) {
	f.Frame = bytes.Clone(f.Frame)
	r.sent = append(r.sent, f)
	return now.Add(100 * emu.Microsecond), r.acked
}
func (r *fakeRadio) Next() emu.Time {
	if len(r.arrives) == 0 {
		return emu.Never
	}
	return r.at
}
func (r *fakeRadio) Receive(now emu.Time) (emu.RadioRX, bool) {
	if len(r.arrives) == 0 || now < r.at {
		return emu.RadioRX{}, false
	}
	rx := r.arrives[0]
	r.arrives = r.arrives[1:]
	return rx, true
}

const (
	mac             = 0x60033000
	plcp            = 0x60034000
	wifiClockEnable = 0x60026014
	ringA           = 0x3fc90000 // descriptors
	bufs            = 0x3fca0000
)

var (
	bssid   = dot11.Addr{2, 0x53, 0x49, 0x4d, 0, 1}
	station = dot11.Addr{2, 0, 0, 0, 0, 1}
)

func newWiFiChip(t *testing.T) (*testChip, *fakeRadio) {
	r := &fakeRadio{acked: true}
	c := newTestChip(t, emu.Config{Radio: r})
	c.w(wifiClockEnable, modemClocks)
	c.w(0x6000e150, 12<<20) // channel 1
	c.w(mac+macOwn, binary.LittleEndian.Uint32(station[:]))
	c.w(mac+macOwn+4, uint32(binary.LittleEndian.Uint16(station[4:])))
	c.w(mac+macBSSID, binary.LittleEndian.Uint32(bssid[:]))
	c.w(mac+macBSSID+4, uint32(binary.LittleEndian.Uint16(bssid[4:])))
	for _, mask := range []uint32{macOwnMask, macBSSIDMask} {
		c.w(mac+mask, 0xffffffff)
		c.w(mac+mask+4, 0x1ffff)
	}
	c.w(mac+macDMABase, dramBase)
	return c, r
}

func (c *testChip) poke(addr uint32, words ...uint32) {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	if !c.soc.m.CPU.Memory().Write(addr, b) {
		c.t.Fatalf("no memory at 0x%08x", addr)
	}
}

func (c *testChip) peek(addr uint32, n int) []byte {
	b := make([]byte, n)
	if !c.soc.m.CPU.Memory().Read(addr, b) {
		c.t.Fatalf("no memory at 0x%08x", addr)
	}
	return b
}

func (c *testChip) ring(n int) {
	for i := range uint32(n) {
		next := uint32(ringA + wifiDescriptor*(i+1))
		if int(i) == n-1 {
			next = 0
		}
		c.poke(ringA+wifiDescriptor*i, 0x80640640, bufs+1600*i, next)
	}
	c.w(mac+macRXBase, ringA)
	c.w(mac+macRXCtrl, macRXEnable)
}

func (c *testChip) doorbell(q int, frame []byte, plcp1, flags uint32) {
	c.poke(ringA+0x800, 0xc0000000|uint32(len(frame)+fcsLen)<<12|20, bufs+0x8000, 0)
	if !c.soc.m.CPU.Memory().Write(bufs+0x8000, frame) {
		c.t.Fatal("no memory")
	}
	c.w(plcp+plcpLength+plcpStride*uint32(4-q), plcp1)
	c.w(mac+macPLCP0+8*uint32(4-q), plcp0Enable|plcp0Valid|flags|(ringA+0x800)&macAddress20)
}

func beaconFrame(n int) dot11.Frame {
	return append(dot11.AppendHeader(nil, 0x80, dot11.Broadcast(), bssid, bssid, 0), make([]byte, n)...)
}

func TestWiFiTransmit(t *testing.T) {
	c, r := newWiFiChip(t)
	frame := append(dot11.AppendHeader(nil, 0xb0, bssid, station, bssid, 0x10), 0, 0, 1, 0, 0, 0)
	for q := range 5 {
		r.acked = q != 3
		c.doorbell(q, frame, uint32(len(frame)+4)|0xc<<12, plcp0WaitACK)
		c.want(mac+macTXDone, 0)
		c.run(200 * emu.Microsecond)
		c.want(mac+macTXDone, 1<<q)
		c.want(mac+macIntStatus, macIntTXDone)
		pmd := c.r(plcp+plcpResult+plcpStride*uint32(4-q)) >> 12 & 15
		if want := map[bool]uint32{true: pmdOK, false: pmdACKMissed}[r.acked]; pmd != want {
			t.Errorf("queue %d: result %d, want %d", q, pmd, want)
		}
		if v := c.r(mac + macPLCP0 + 8*uint32(4-q)); v&(plcp0Enable|plcp0Valid) != 0 {
			t.Errorf("queue %d: still enabled", q)
		}
		c.want(mac+macTXDoneClear, 0)
		c.w(mac+macTXDoneClear, 1<<q)
		c.want(mac+macTXDone, 0)
		c.w(mac+macIntClear, macIntTXDone)
		c.want(mac+macIntStatus, 0)
	}
	if len(r.sent) != 5 || !bytes.Equal(r.sent[0].Frame, frame) || r.sent[0].Channel != 1 || r.sent[0].Rate != 108 || !r.sent[0].WaitACK {
		t.Errorf("sent %+v", r.sent)
	}
}

// A descriptor with an invalid address causes a failed transmission; the slot
// is free again.
func TestWiFiTransmitNonsense(t *testing.T) {
	c, r := newWiFiChip(t)
	for _, d := range [][3]uint32{
		{0xc0000000, bufs, 0}, {0xc0fff000, bufs, 0}, {0xc001a000, 0x40000000, 0}, {0xc001a000, 0x3fcdfff8, 0}, {0xc001a000, 0, 0}, {0xc0006000, bufs, 0}, {0xc0ffffff, 0xfffffff0, 0},
	} {
		c.poke(ringA, d[:]...)
		c.w(mac+macPLCP0, plcp0Enable|plcp0WaitACK|ringA&macAddress20)
		c.run(emu.Millisecond)
		c.want(mac+macTXDone, 1<<4)
		c.w(mac+macTXDoneClear, 1<<4)
	}
	c.w(mac+macPLCP0, plcp0Enable|0x00001) // no memory there
	c.run(emu.Millisecond)
	c.want(mac+macTXDone, 1<<4)
	for _, tx := range r.sent {
		if !dot11.Frame(tx.Frame).Valid() {
			t.Errorf("sent %x", tx.Frame)
		}
	}
}

func TestWiFiReceive(t *testing.T) {
	c, r := newWiFiChip(t)
	c.ring(3)
	for n := range 5 {
		r.arrives = append(r.arrives, emu.RadioRX{Frame: beaconFrame(10 * n), Channel: 1, Level: -40 - int8(n)})
	}
	c.run(emu.Microsecond)
	// Three frames are in the ring, two are lost.
	c.want(mac+macIntStatus, macIntRXDone)
	c.want(mac+macRXNext, 0)
	c.want(mac+macRXLast, macLastPrefix|(ringA+2*wifiDescriptor)&macAddress20)
	if c.soc.wifi.s.Dropped != 2 {
		t.Errorf("%d dropped", c.soc.wifi.s.Dropped)
	}
	for i := range uint32(3) {
		total := rxHeader + dot11.HeaderSize + 10*i + fcsLen
		word := binary.LittleEndian.Uint32(c.peek(ringA+wifiDescriptor*i, 4))
		if want := 0xc0000640 | total<<12; word != want {
			t.Errorf("descriptor %d is 0x%08x, want 0x%08x", i, word, want)
		}
		buf := c.peek(bufs+1600*i, int(total))
		if int8(buf[0]) != -40-int8(i) || buf[3]&0x10 == 0 || binary.LittleEndian.Uint32(buf[44:]) != total-rxHeader || !bytes.Equal(buf[48:total-4], beaconFrame(10*int(i))) {
			t.Errorf("buffer %d: %x", i, buf)
		}
	}
	// The driver appends the first two descriptors again and reloads: reception
	// continues after LAST.
	c.w(mac+macIntClear, macIntRXDone)
	c.poke(ringA, 0x80640640, bufs, ringA+wifiDescriptor)
	c.poke(ringA+wifiDescriptor, 0x80640640, bufs+1600, 0)
	c.poke(ringA+2*wifiDescriptor+8, ringA)
	c.w(mac+macRXCtrl, macRXEnable|macRXReload)
	c.want(mac+macRXCtrl, macRXEnable)
	c.want(mac+macRXNext, ringA&macAddress20)
	r.arrives = []emu.RadioRX{{Frame: beaconFrame(1), Channel: 1, Level: -40}}
	c.run(emu.Microsecond)
	c.want(mac+macRXNext, (ringA+wifiDescriptor)&macAddress20)
	// Reloading a list that has not ended has no effect.
	c.w(mac+macRXCtrl, macRXEnable|macRXReload)
	c.want(mac+macRXNext, (ringA+wifiDescriptor)&macAddress20)
	c.w(mac+macRXBase, ringA+2*wifiDescriptor)
	c.want(mac+macRXNext, (ringA+2*wifiDescriptor)&macAddress20)
}

func TestWiFiFilter(t *testing.T) {
	other := dot11.Addr{2, 9, 9, 9, 9, 9}
	data := func(control uint16, a1, a2 dot11.Addr) dot11.Frame {
		return append(dot11.AppendHeader(nil, control, a1, a2, other, 0), 1, 2, 3)
	}
	for _, x := range []struct {
		name    string
		frame   dot11.Frame
		channel int
		want    bool
	}{
		{"beacon", beaconFrame(10), 1, true},
		{"beacon of another channel", beaconFrame(10), 2, false},
		{"data for us", data(0x208, station, bssid), 1, true},
		{"data for another", data(0x208, other, bssid), 1, false},
		{"group data of our network", data(0x208, dot11.Broadcast(), bssid), 1, true},
		{"group data of another network", data(0x208, dot11.Broadcast(), other), 1, false},
		{"probe response for another", data(0x50, other, bssid), 1, false},
		{"acknowledgement", dot11.Frame{0xd4, 0, 0, 0, 2, 0, 0, 0, 0, 1}, 1, false},
		{"protected without a key", data(0x4208, station, bssid), 1, false},
		{"cut off", dot11.Frame{0x80, 0, 0}, 1, false},
		{"too long for the buffer", beaconFrame(1600), 1, false},
	} {
		c, r := newWiFiChip(t)
		c.ring(2)
		r.arrives = []emu.RadioRX{{Frame: x.frame, Channel: x.channel, Level: -40}}
		c.run(emu.Microsecond)
		if got := c.r(mac+macIntStatus) != 0; got != x.want {
			t.Errorf("%s: received: %v", x.name, got)
		}
	}
}

// Keys in slots are used: by number when sending, by address and key identifier
// when receiving.
func TestWiFiKeys(t *testing.T) {
	for name, pairwise := range map[string]uint32{"today's driver": 0x086c0100, "esp-wifi-sys 0.1": 0x084c0100} {
		t.Run(name, func(t *testing.T) { testWiFiKeys(t, pairwise) })
	}
}

func testWiFiKeys(t *testing.T, pairwise uint32) {
	c, r := newWiFiChip(t)
	c.ring(4)
	key := func(fill byte) []byte { return bytes.Repeat([]byte{fill}, 16) }
	install := func(slot, high uint32, k []byte) {
		at := uint32(plcp + plcpKeySlots + plcpKeySize*slot)
		c.w(at, binary.LittleEndian.Uint32(bssid[:]))
		c.w(at+4, high)
		for i := range uint32(4) {
			c.w(at+8+4*i, binary.LittleEndian.Uint32(k[4*i:]))
		}
		c.w(mac+macKeyState, c.r(mac+macKeyState)|1<<slot)
	}
	install(4, pairwise, key(1)) // as the firmware writes them
	install(0, 0x48cc0100, key(2))

	plain := []byte("payload of some length")
	f := dot11.AppendCCMPHeader(dot11.AppendHeader(nil, 0x4108, bssid, station, bssid, 0x20), 3, 0)
	f = append(append(f, plain...), make([]byte, 8)...)
	c.doorbell(0, f, uint32(len(f)+4)|4<<17, plcp0WaitACK)
	got := dot11.Frame(r.sent[0].Frame)
	if bytes.Contains(got, plain[:8]) {
		t.Error("sent in the clear")
	}
	if err := dot11.OpenCCMP(key(1), got); err != nil || !bytes.Equal(got[32:len(got)-8], plain) {
		t.Errorf("%v: %q", err, got)
	}

	for _, x := range []struct {
		name string
		to   dot11.Addr
		id   byte
		key  []byte
		want bool
	}{
		{"pairwise", station, 0, key(1), true},
		{"group", dot11.Broadcast(), 1, key(2), true},
		{"group with another key identifier", dot11.Broadcast(), 2, key(2), false},
		{"pairwise with the group key", station, 0, key(2), false},
	} {
		f := dot11.Frame(dot11.AppendCCMPHeader(dot11.AppendHeader(nil, 0x4208, x.to, bssid, bssid, 0), 9, x.id))
		f = append(append(f, plain...), make([]byte, 8)...)
		if err := dot11.SealCCMP(x.key, f); err != nil {
			t.Fatal(err)
		}
		c.ring(1)
		c.w(mac+macIntClear, macIntRXDone)
		r.arrives = []emu.RadioRX{{Frame: f, Channel: 1, Level: -40}}
		c.run(emu.Microsecond)
		if ok := c.r(mac+macIntStatus)&macIntRXDone != 0; ok != x.want {
			t.Errorf("%s: received: %v", x.name, ok)
		} else if ok && !bytes.Equal(c.peek(bufs+rxHeader+32, len(plain)), plain) {
			t.Errorf("%s: not decrypted", x.name)
		}
	}
}

// The radio is informed of every channel and of a receiver that is off or has
// no clock, and a board without a radio still completes its transmissions.
func TestWiFiTuning(t *testing.T) {
	c, r := newWiFiChip(t)
	c.ring(1)
	for _, mhz := range []uint32{17, 20, 37, 72, 84} {
		c.w(0x6000e150, mhz<<20)
	}
	c.w(0x6000e150, 12<<20)
	c.w(wifiClockEnable, modemClocks&^1) // like a driver in power save mode
	c.w(wifiClockEnable, modemClocks)
	c.w(mac+macRXCtrl, 0)
	if want := []int{1, 2, 0, 6, 13, 14, 1, 0, 1, 0}; !equalInts(r.tuned, want) {
		t.Errorf("tuned to %v, want %v", r.tuned, want)
	}

	bare := newTestChip(t, emu.Config{})
	bare.doorbell(0, beaconFrame(10), 0, plcp0WaitACK)
	bare.run(emu.Millisecond)
	bare.want(mac+macTXDone, 1)
	if pmd := bare.r(plcp+plcpResult+plcpStride*4) >> 12 & 15; pmd != pmdACKMissed {
		t.Errorf("result %d", pmd)
	}
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestWiFiTime(t *testing.T) {
	c, _ := newWiFiChip(t)
	const wdev = 0x60035000
	before := c.r(wdev)
	c.run(1000 * emu.Microsecond)
	if d := c.r(wdev) - before; d != 1000 {
		t.Errorf("MAC_TIME advanced by %d", d)
	}
	c.w(wdev+wdevTSFLoadLo, 5000)
	c.w(wdev+wdevTSFLoadHi, 7)
	c.w(wdev+wdevTSFCtrl, 1<<4)
	c.run(100 * emu.Microsecond)
	c.w(wdev+wdevTSFCtrl, 1)
	c.want(wdev+wdevTSFTimeLo, 5100)
	c.want(wdev+wdevTSFTimeHi, 7)
	if a, b := c.r(wdev+wdevRandom), c.r(wdev+wdevRandom); a == b {
		t.Error("random numbers repeat")
	}
}

// A day after START the TBTT still occurs with every beacon: the register has
// the lower 26 bits of a time, a minute's worth.
func TestWiFiTBTTForADay(t *testing.T) {
	devtest.Long(t, "a day of guest time")
	const wdev, early, beacons = 0x60035000, 3000, 3
	c, _ := newWiFiChip(t)
	c.w(wdev+wdevTBTTStart, 204800)
	c.w(wdev+wdevTBTTCfg, early<<16|100*beacons)
	c.w(wdev+wdevTSFCtrl, 0x110)
	c.w(wdev+wdevTSFCfg, tsfOn|tsfTBTTOn)
	c.w(wdev+wdevPwrEnable, pwrTBTT0)
	c.run(200 * emu.Millisecond)
	for n := range uint64(24 * 3600 * 1000 / (102.4 * beacons)) {
		at := emu.Time(204800+n*beacons*102400-early) * emu.Time(emu.Microsecond)
		c.run(at.Sub(c.m.Now()) - 20*emu.Microsecond)
		c.want(wdev+wdevPwrStatus, 0)
		c.run(40 * emu.Microsecond)
		c.want(wdev+wdevPwrStatus, pwrTBTT0)
		c.w(wdev+wdevPwrClear, pwrTBTT0)
		if t.Failed() {
			t.Fatalf("beacon %d", n)
		}
	}
}

// The TBTT interrupts some time before each beacon is due, for any START; load
// bits clear themselves.
func TestWiFiTBTT(t *testing.T) {
	const wdev, early, interval = 0x60035000, 3000, 102400
	for _, start := range []uint32{204800, 0, 1<<26 - 102400} {
		c, _ := newWiFiChip(t)
		c.w(wdev+wdevTSFLoadLo, 250_000)
		c.w(wdev+wdevTBTTStart, start)
		c.w(wdev+wdevTBTTCfg, early<<16|100)
		c.w(wdev+wdevTSFCtrl, 0x110)
		c.want(wdev+wdevTSFCtrl, 0)
		c.w(wdev+wdevTSFCfg, tsfOn|tsfTBTTOn)
		c.w(wdev+wdevPwrEnable, pwrTBTT0)
		first := uint64(start)
		if start != 204800 {
			first = 0
		}
		first += (250_000-first)/interval*interval + interval - early
		for n := range uint64(3) {
			at := emu.Time(first+n*interval-250_000) * emu.Time(emu.Microsecond)
			c.run(at.Sub(c.m.Now()) - 20*emu.Microsecond)
			c.want(wdev+wdevPwrStatus, 0)
			c.run(40 * emu.Microsecond)
			c.want(wdev+wdevPwrStatus, pwrTBTT0)
			if !c.soc.wifi.wdev.intr.high() {
				t.Error("no interrupt")
			}
			c.w(wdev+wdevPwrClear, pwrTBTT0)
			if c.soc.wifi.wdev.intr.high() {
				t.Error("the interrupt stays")
			}
		}
	}
}
