package radio

import (
	"bytes"

	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// handshake is the state of the 4-way handshake with a station, 12.7.6, and of
// the group key handshake that may follow it.
type handshake struct {
	replay uint64 // of the last message sent
	anonce []byte
	step   handshakeStep
	group  bool // the group key message is out
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
	return groupKey{id: id, tk: ap.randomBytes(dot11.CCMPKey)}
}

// startHandshake sends message 1.
func (ap *AccessPoint) startHandshake(st *station) {
	if ap.station(st.addr) != st {
		return
	}
	st.hs = handshake{replay: 1, anonce: ap.randomBytes(32), step: sentM1}
	st.Keyed = false
	ap.sendEAPOL(st, newEAPOLKey(keyVersionAES|keyPairwise|keyACK, dot11.CCMPKey, st.hs.replay, st.hs.anonce, nil))
}

// key takes an EAPOL-Key frame of a station.
func (ap *AccessPoint) key(st *station, k eapolKey) {
	info := k.info()
	if info&keyMIC == 0 || info&(keyACK|keyRequest|keyError) != 0 || k.replay() != st.hs.replay && k.replay() != st.hs.replay-1 {
		return
	}
	switch {
	case info&keyPairwise == 0:
		if st.hs.step == complete && st.hs.group && k.signed(st.ptk.kck[:]) {
			st.hs.group = false
		}
	case st.hs.step == sentM1 || st.hs.step == sentM3 && info&keySecure == 0:
		ap.message2(st, k)
	case st.hs.step == sentM3 && info&keySecure != 0 && k.signed(st.ptk.kck[:]):
		st.hs.step = complete
		st.Keyed = true
	}
}

// message2 checks that the station has the same key, and answers with message
// 3. A station with another passphrase is not answered.
func (ap *AccessPoint) message2(st *station, k eapolKey) {
	pmk := ap.pmk
	if ap.fault(faults.WrongPassphrase) && ap.badPMK != nil {
		pmk = ap.badPMK
	}
	keys := derivePTK(pmk, ap.bssid, st.addr, st.hs.anonce, k.nonce())
	if !k.signed(keys.kck[:]) {
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
}

// changeGroupKey makes a new group key and tells it to every station, 12.7.7.
// Frames are sent with it from then on.
func (ap *AccessPoint) changeGroupKey() {
	ap.group = ap.newGroupKey(3 - ap.group.id)
	for _, st := range ap.stations {
		if st.hs.step != complete {
			continue
		}
		st.hs.replay++
		st.hs.group = true
		data := wrap(st.ptk.kek[:], padKeyData(gtkKDE(ap.group.id, ap.group.tk)))
		k := newEAPOLKey(keyVersionAES|keyACK|keyMIC|keySecure|keyEncrypted, dot11.CCMPKey, st.hs.replay, make([]byte, 32), data)
		k.sign(st.ptk.kck[:])
		ap.sendEAPOL(st, k)
	}
}

// quirk is how an access point of a test misbehaves.
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
	quirkM3Twice       // message 3 is repeated
	quirkEAPOLVersion1 // EAPOL frames have version 1
)
