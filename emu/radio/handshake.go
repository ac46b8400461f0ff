package radio

import (
	"bytes"
	"slices"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// handshake is the state of the 4-way handshake with a station, 12.7.6, and of
// the group key handshake that may follow it.
type handshake struct {
	replay uint64 // of the last message sent
	anonce []byte
	step   handshakeStep
	group  bool // a group key message is not answered yet

	sent uint64   // transmissions of the message that is not answered yet; 0: there is none
	due  emu.Time // when it is sent again
}

// A message that is not answered is sent again with the next replay counter, as
// common access points do: after 100 ms (500 ms for a group key message) and then
// every second, four times in all. After that a station without a pairwise key
// is left to its own timeout, and one that does not confirm the group key is
// deauthenticated.
const (
	keyTransmissions   = 4
	keyTimeoutFirst    = 100 * emu.Millisecond
	keyTimeoutGroup    = 500 * emu.Millisecond
	keyTimeout         = emu.Second
	reasonGroupTimeout = 16 // 9.4.1.7
)

// waitForAnswer records that a message was sent and when it is to be sent again.
func (h *handshake) waitForAnswer(now emu.Time, first emu.Duration) {
	if h.sent++; h.sent == 1 {
		h.due = now.Add(first)
	} else {
		h.due = now.Add(keyTimeout)
	}
}

// expects reports whether an answer may have a replay counter: that of any
// transmission of the message, or the one before.
func (h *handshake) expects(replay uint64) bool {
	return replay <= h.replay && replay+max(h.sent, 1) >= h.replay
}

// nextKeyRetransmission returns when a message is to be sent again.
func (ap *AccessPoint) nextKeyRetransmission() emu.Time {
	at := emu.Never
	for _, st := range ap.stations {
		if st.hs.sent > 0 {
			at = min(at, st.hs.due)
		}
	}
	return at
}

// retransmitKeys sends messages again that were not answered in time.
func (ap *AccessPoint) retransmitKeys() {
	for _, st := range slices.Clone(ap.stations) {
		h := &st.hs
		if h.sent == 0 || h.due > ap.now {
			continue
		}
		switch {
		case h.sent >= keyTransmissions:
			h.sent = 0
			if h.group {
				ap.deauthenticate(st, reasonGroupTimeout)
			}
		case h.group:
			h.replay++
			ap.groupMessage(st)
		case h.step == sentM1:
			h.replay++
			ap.message1(st)
		case h.step == sentM3:
			h.replay++
			ap.message3(st)
		}
	}
}

type handshakeStep uint8

const (
	notStarted handshakeStep = iota
	sentM1
	sentM3
	complete
)

// groupKey is a GTK.
type groupKey struct {
	id byte
	tk []byte
	pn dot11.PN
}

func (ap *AccessPoint) newGroupKey(id byte) groupKey {
	ap.groups++
	return groupKey{id: id, tk: ap.randomBytes(dot11.CCMPKey)}
}

// startHandshake sends message 1.
func (ap *AccessPoint) startHandshake(st *station) {
	if ap.station(st.addr) != st {
		return
	}
	st.hs = handshake{replay: 1, anonce: ap.randomBytes(32), step: sentM1}
	st.Keyed = false
	ap.message1(st)
}

func (ap *AccessPoint) message1(st *station) {
	ap.sendEAPOL(st, newEAPOLKey(keyVersionAES|keyPairwise|keyACK, dot11.CCMPKey, st.hs.replay, st.hs.anonce, nil))
	st.hs.waitForAnswer(ap.now, keyTimeoutFirst)
}

// key processes an EAPOL-Key frame of a station.
func (ap *AccessPoint) key(st *station, k eapolKey) {
	info := k.info()
	if info&keyMIC == 0 || info&(keyACK|keyRequest|keyError) != 0 || !st.hs.expects(k.replay()) {
		return
	}
	switch {
	case info&keyPairwise == 0:
		if st.hs.step == complete && st.hs.group && k.signed(st.ptk.kck[:]) {
			st.hs.group, st.hs.sent = false, 0
		}
	case st.hs.step == sentM1 || st.hs.step == sentM3 && info&keySecure == 0:
		ap.message2(st, k)
	case st.hs.step == sentM3 && info&keySecure != 0 && k.signed(st.ptk.kck[:]):
		st.hs.step, st.hs.sent = complete, 0
		st.Keyed = true
	}
}

// message2 verifies the MIC, which proves that the station has the passphrase, and
// answers with message 3. A station with another passphrase gets no answer.
func (ap *AccessPoint) message2(st *station, k eapolKey) {
	pmk := ap.pmk
	if ap.fault(faults.WrongPassphrase) && ap.badPMK != nil {
		pmk = ap.badPMK
	}
	keys := derivePTK(pmk, ap.bssid, st.addr, st.hs.anonce, k.nonce())
	if !k.signed(keys.kck[:]) {
		st.hs.sent = 0 // message 1 was received; sending it again gives the same answer
		return
	}
	if rsn, ok := dot11.Element(k.data(), dot11.ElementRSN); !ok || !sameSuites(rsn, ap.rsn[2:]) {
		return
	}
	again := st.hs.step == sentM3 && keys == st.ptk
	st.ptk = keys
	if !again {
		st.txPN, st.rxPN = 0, [17]dot11.PN{}
		st.hs.replay++
		st.hs.sent = 0
	}
	st.hs.step = sentM3
	ap.later(keyTime, func() {
		if ap.station(st.addr) == st && st.hs.step == sentM3 {
			ap.message3(st)
		}
	})
}

func (ap *AccessPoint) message3(st *station) {
	anonce := st.hs.anonce
	rsn := ap.rsn
	gtk := gtkKDE(ap.group.id, ap.group.tk)
	replay := st.hs.replay
	switch ap.quirk {
	case quirkNoRSN:
		rsn = nil
	case quirkOtherRSN:
		rsn = bytes.Clone(rsn)
		rsn[len(rsn)-2] ^= 0x0c
	case quirkNoGTK:
		gtk = nil
	case quirkOtherANonce:
		anonce = bytes.Clone(anonce)
		anonce[0] ^= 1
	case quirkSameReplay:
		replay--
		st.hs.replay--
	}
	data := padKeyData(append(bytes.Clone(rsn), gtk...))
	wrapped := wrap(st.ptk.kek[:], data)
	if ap.quirk == quirkWrappedFlip {
		wrapped[9] ^= 1
	}
	k := newEAPOLKey(keyVersionAES|keyPairwise|keyInstall|keyACK|keyMIC|keySecure|keyEncrypted, dot11.CCMPKey, replay, anonce, wrapped)
	k.sign(st.ptk.kck[:])
	if ap.quirk == quirkBadMIC {
		k.mic()[0] ^= 1
	}
	ap.sendEAPOL(st, k)
	st.hs.waitForAnswer(ap.now, keyTimeoutFirst)
}

// changeGroupKey makes a new group key and sends it to every station, 12.7.7. It
// is used from then on.
func (ap *AccessPoint) changeGroupKey() {
	ap.group = ap.newGroupKey(3 - ap.group.id)
	for _, st := range ap.stations {
		if st.hs.step != complete {
			continue
		}
		st.hs.replay++
		st.hs.group, st.hs.sent = true, 0
		ap.groupMessage(st)
	}
}

func (ap *AccessPoint) groupMessage(st *station) {
	data := wrap(st.ptk.kek[:], padKeyData(gtkKDE(ap.group.id, ap.group.tk)))
	k := newEAPOLKey(keyVersionAES|keyACK|keyMIC|keySecure|keyEncrypted, dot11.CCMPKey, st.hs.replay, make([]byte, 32), data)
	k.sign(st.ptk.kck[:])
	ap.sendEAPOL(st, k)
	st.hs.waitForAnswer(ap.now, keyTimeoutGroup)
}

// quirk is a deviation of an access point from the standard, for tests.
type quirk uint8

const (
	noQuirk quirk = iota
	quirkNoRSN
	quirkOtherRSN
	quirkNoGTK
	quirkOtherANonce
	quirkSameReplay
	quirkWrappedFlip
	quirkBadMIC
	quirkPlainData     // data is not protected
	quirkSamePN        // the packet number does not advance
	quirkGroupKeyID    // group frames carry another key identifier
	quirkM3Twice       // message 3 is sent twice
	quirkEAPOLVersion1 // EAPOL frames have version 1
)
