package radio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/internal/devtest"
)

// recordKeyMessages returns a network and the instants of the key messages that its
// access point sends.
func recordKeyMessages(t *testing.T, cfg Config) (*Medium, *AccessPoint, *[]emu.Time) {
	t.Helper()
	var at []emu.Time
	cfg.Passphrase = testPassphrase
	var ap *AccessPoint
	medium, ap, _ := newNetwork(t, cfg, MediumConfig{Capture: func(now emu.Time, p []byte) {
		f := dot11.Frame(p[radiotapLen:])
		if f.HasData() && f.A2() == ap.bssid && !f.A1().Group() {
			at = append(at, now)
		}
	}})
	return medium, ap, &at
}

// A key message that is not answered is sent four times in all, each time with
// another replay counter; the answer to any of them is accepted.
func TestKeyMessageRetransmission(t *testing.T) {
	for lost := range keyTransmissions + 1 {
		medium, ap, at := recordKeyMessages(t, Config{})
		c := newClient(t, medium, ap, 1)
		c.dropKeys = lost
		c.associate()
		c.run(5 * emu.Second)
		if joined := lost < keyTransmissions; c.keyed != joined || ap.Stations()[0].Keyed != joined {
			t.Errorf("the first %d messages lost: joined %v", lost, c.keyed)
		}
		for i, want := range []emu.Duration{keyTimeoutFirst, keyTimeoutFirst + keyTimeout, keyTimeoutFirst + 2*keyTimeout} {
			if i >= lost || lost == keyTransmissions && i == keyTransmissions-1 {
				break
			}
			about(t, "first retransmission", (*at)[i+1].Sub((*at)[0]), want, emu.Millisecond)
		}
		if want := min(lost, keyTransmissions) + 2; lost < keyTransmissions && len(*at) != want || lost == keyTransmissions && len(*at) != keyTransmissions {
			t.Errorf("the first %d messages lost: %d messages in all", lost, len(*at))
		}
	}
}

// Message 3 is retransmitted to a station that did not receive it.
func TestMessage3Retransmission(t *testing.T) {
	medium, ap, at := recordKeyMessages(t, Config{})
	c := newClient(t, medium, ap, 1)
	c.dropKey = func(k eapolKey) bool { return k.info()&keyInstall != 0 && len(*at) < 4 }
	c.associate()
	c.run(5 * emu.Second)
	if !c.keyed || !ap.Stations()[0].Keyed || len(*at) != 4 {
		t.Errorf("joined %v after %d messages", c.keyed, len(*at))
	}
}

// A station that does not confirm a new group key is deauthenticated.
func TestGroupKeyRetransmission(t *testing.T) {
	medium, ap, at := recordKeyMessages(t, Config{GroupRekey: 10 * emu.Second})
	c := newClient(t, medium, ap, 1)
	c.join()
	c.run(emu.Time(10*emu.Second - 1).Sub(c.now))
	*at, c.dropKeys = nil, 2
	c.run(5 * emu.Second)
	if len(*at) != 3 || ap.Stations()[0].Rekeying || !bytes.Equal(c.gtk[ap.group.id], ap.group.tk) {
		t.Errorf("%d messages; %+v", len(*at), ap.Stations()[0])
	}
	about(t, "first retransmission", (*at)[1].Sub((*at)[0]), keyTimeoutGroup, emu.Millisecond)
	about(t, "second retransmission", (*at)[2].Sub((*at)[1]), keyTimeout, emu.Millisecond)
	c.run(emu.Time(20*emu.Second - 1).Sub(c.now))
	*at, c.dropKeys = nil, 99
	c.run(5 * emu.Second)
	if last := c.received[slices.IndexFunc(c.received, func(f dot11.Frame) bool { return f.Is(dot11.Deauth) })]; len(*at) != keyTransmissions || len(ap.Stations()) != 0 || binary.LittleEndian.Uint16(last.Body()) != reasonGroupTimeout {
		t.Errorf("%d messages, %d stations, %x", len(*at), len(ap.Stations()), []byte(last))
	}
}

// A frame that is not acknowledged is transmitted seven times, with the Retry bit;
// one whose acknowledgement was lost arrives more than once.
func TestFrameRetransmission(t *testing.T) {
	var sent []dot11.Frame
	var ap *AccessPoint
	medium, ap, w := newNetwork(t, Config{Passphrase: testPassphrase, Faults: schedule(t, "from 2s to 3s radio-loss 40%")},
		MediumConfig{Capture: func(_ emu.Time, p []byte) {
			if f := dot11.Frame(p[radiotapLen:]); f.HasData() && f.A2() == ap.bssid {
				sent = append(sent, slices.Clone(f))
			}
		}})
	c := newClient(t, medium, ap, 1)
	c.join()
	host := dot11.Addr{2, 9, 9, 9, 9, 9}
	sent = nil
	c.antenna.Tune(c.now, 6)
	w.send = [][]byte{ethernet(c.addr, host, "while away")}
	c.run(50 * emu.Millisecond)
	c.antenna.Tune(c.now, 1)
	w.send = [][]byte{ethernet(c.addr, host, "to the station")}
	c.run(50 * emu.Millisecond)
	if len(sent) != retryLimit+1 {
		t.Fatalf("sent %d times", len(sent)-1)
	}
	for i, f := range sent {
		if again := i > 0 && i < retryLimit; f.Has(dot11.Retry) != again || again && f.Sequence() != sent[0].Sequence() {
			t.Errorf("frame %d: % x", i, f[:24])
		}
	}
	if len(c.data) != 1 || string(c.data[0][8:]) != "to the station" {
		t.Errorf("arrived: %q", c.data)
	}

	c.run(emu.Time(2 * emu.Second).Sub(c.now))
	c.data, sent = nil, nil
	const n = 100
	for i := range n {
		w.send = append(w.send, ethernet(c.addr, host, string(rune('A'+i))))
	}
	c.run(500 * emu.Millisecond)
	got := map[string]bool{}
	for _, p := range c.data {
		got[string(p[8:])] = true
	}
	if len(got) != n || len(c.data) < n*14/10 || len(sent) != len(c.data) {
		t.Errorf("%d of %d arrived, %d frames, %d sent", len(got), n, len(c.data), len(sent))
	}
}

// Firmware transfers a megabyte in each direction while frames and
// acknowledgements are lost: duplicates are detected on both sides.
func TestTransferWithLosses(t *testing.T) {
	devtest.Long(t, "firmware runs for seconds")
	s := newTestbed(t, setup{firmware: "transfer.elf", ap: Config{Faults: schedule(t, "radio-loss 20%")}})
	s.until("done", 60*emu.Second)
	text := s.text.String()
	var sent, received int
	if i := strings.Index(text, "sent "); i >= 0 {
		_, _ = fmt.Sscanf(text[i:], "sent %d bytes", &sent)
	}
	if i := strings.Index(text, "received "); i >= 0 {
		_, _ = fmt.Sscanf(text[i:], "received %d bytes", &received) // with the header of the answer
	}
	if sent != 1<<20 || received < 1<<20 || received > 1<<20+400 {
		t.Errorf("sent %d, received %d\n%s", sent, received, text)
	}
}
