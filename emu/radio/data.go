package radio

import (
	"encoding/binary"
	"slices"

	"espalier.dev/espalier/emu/dot11"
)

const (
	etherTypeEAPOL = 0x888e
	ethernetHeader = 14
	snapHeader     = 8
	maxEthernet    = 1514
	minEtherType   = 0x600
)

// data processes a data frame of a station.
func (ap *AccessPoint) data(f dot11.Frame) {
	st := ap.station(f.A2())
	if st == nil || st.AID == 0 {
		ap.refuse(f.A2())
		return
	}
	if st.duplicate(f) {
		return
	}
	ap.setPowerSave(st, f.Has(dot11.PowerMgmt))
	if !f.HasData() || f.Has(dot11.MoreFrag) || f.Sequence()&15 != 0 {
		return
	}
	payload, protected, ok := ap.decrypt(st, f)
	if !ok || len(payload) < snapHeader || [6]byte(payload) != [6]byte{0xaa, 0xaa, 3, 0, 0, 0} {
		return
	}
	etherType := binary.BigEndian.Uint16(payload[6:])
	payload = payload[snapHeader:]
	if etherType == etherTypeEAPOL {
		if k, ok := parseEAPOLKey(payload); ok && f.A3() == ap.bssid && ap.rsn != nil {
			ap.key(st, k)
		}
		return
	}
	if !st.Keyed || ap.rsn != nil && !protected || etherType < minEtherType {
		return
	}
	ap.bridge(st, f.A3(), etherType, payload)
}

// decrypt returns the payload of a frame. ok is false when the frame is to be
// dropped.
func (ap *AccessPoint) decrypt(st *station, f dot11.Frame) (payload []byte, protected, ok bool) {
	if !f.Has(dot11.Protected) {
		return f.Body(), false, true
	}
	pn, _, ok := f.CCMP()
	last := &st.rxPN[f.TID()]
	if !ok || ap.rsn == nil || st.hs.step < sentM3 || pn <= *last {
		return nil, true, false
	}
	f = slices.Clone(f) // the medium delivers f to others, too
	if dot11.OpenCCMP(st.ptk.tk[:], f) != nil {
		return nil, true, false
	}
	*last = pn
	body := f.Body()
	return body[dot11.CCMPHeader : len(body)-dot11.CCMPMIC], true, true
}

// bridge forwards a frame of a station to other stations, to the distribution
// system, or both.
func (ap *AccessPoint) bridge(from *station, to dot11.Addr, etherType uint16, payload []byte) {
	frame := make([]byte, 0, ethernetHeader+len(payload))
	frame = append(frame, to[:]...)
	frame = append(frame, from.addr[:]...)
	frame = binary.BigEndian.AppendUint16(frame, etherType)
	frame = append(frame, payload...)
	if len(frame) > maxEthernet {
		return
	}
	if to.Group() && ap.hasOthers(from) || ap.station(to) != nil {
		ap.fromDS(frame)
	}
	if ds := ap.cfg.DS; ds != nil && (to.Group() || ap.station(to) == nil) {
		ds.Receive(ap.now, frame)
	}
}

// hasOthers reports whether another station can receive group frames.
func (ap *AccessPoint) hasOthers(from *station) bool {
	return slices.ContainsFunc(ap.stations, func(st *station) bool { return st != from && st.Keyed })
}

// fromDS transmits an Ethernet frame to its destinations among the stations.
func (ap *AccessPoint) fromDS(frame []byte) {
	if len(frame) < ethernetHeader || len(frame) > maxEthernet {
		return
	}
	to, from := dot11.Addr(frame), dot11.Addr(frame[6:])
	payload := append([]byte{0xaa, 0xaa, 3, 0, 0, 0}, frame[12:]...)
	if to.Group() {
		ap.sendGroup(to, from, payload)
		return
	}
	if st := ap.station(to); st != nil && st.Keyed {
		ap.sendData(st, from, payload)
	}
}

// sendEAPOL sends an EAPOL-Key frame, protected once the station has its keys.
func (ap *AccessPoint) sendEAPOL(st *station, k eapolKey) {
	if ap.quirk == quirkEAPOLVersion1 {
		k[0] = 1
		if k.info()&keyMIC != 0 {
			k.sign(st.ptk.kck[:])
		}
	}
	payload := binary.BigEndian.AppendUint16([]byte{0xaa, 0xaa, 3, 0, 0, 0}, etherTypeEAPOL)
	payload = append(payload, k...)
	ap.sendData(st, ap.bssid, payload)
	if ap.quirk == quirkM3Twice && k.info()&(keyInstall|keyACK) == keyInstall|keyACK && k.replay() == 2 {
		again := slices.Clone(k)
		again[16]++
		again.sign(st.ptk.kck[:])
		st.hs.replay++
		ap.later(keyTime/4, func() { ap.sendEAPOL(st, again) })
	}
}

// sendData sends a payload with its SNAP header to a station, or buffers it while
// the station is in power save mode.
func (ap *AccessPoint) sendData(st *station, from dot11.Addr, payload []byte) {
	control := dot11.DataControl(st.QoS, st.Keyed && ap.rsn != nil && ap.quirk != quirkPlainData)
	f := ap.header(control, st.addr, from)
	if st.QoS {
		f = append(f, 0, 0)
	}
	if !f.Has(dot11.Protected) {
		f = append(f, payload...)
	} else {
		f = dot11.AppendCCMPHeader(f, 0, 0)
		f = append(f, payload...)
		f = append(f, make([]byte, dot11.CCMPMIC)...)
	}
	if st.PowerSave {
		if len(st.buffered) < maxBuffered {
			st.buffered = append(st.buffered, f)
		}
		return
	}
	ap.encryptAndSend(st, f)
}

// encryptAndSend gives a frame its packet number, encrypts and transmits it.
func (ap *AccessPoint) encryptAndSend(st *station, f dot11.Frame) {
	if f.Has(dot11.Protected) {
		if ap.quirk != quirkSamePN {
			st.txPN++
		}
		ap.encrypt(f, st.ptk.tk[:], st.txPN, 0)
	}
	ap.transmit(f)
}

// encrypt writes the packet number into a frame and encrypts it in place.
func (ap *AccessPoint) encrypt(f dot11.Frame, key []byte, pn dot11.PN, keyID byte) {
	n := f.HeaderLen()
	dot11.AppendCCMPHeader(f[n:n], pn, keyID)
	if err := dot11.SealCCMP(key, f); err != nil {
		panic("radio: own frame: " + err.Error())
	}
}

// sendGroup sends a group frame: at once, or after the next beacon when a station
// is in power save mode (11.2.3).
func (ap *AccessPoint) sendGroup(to, from dot11.Addr, payload []byte) {
	awake, any := true, false
	for _, st := range ap.stations {
		any = any || st.Keyed
		awake = awake && !st.PowerSave
	}
	if !any {
		return
	}
	protected := ap.rsn != nil && ap.quirk != quirkPlainData
	f := ap.header(dot11.DataControl(false, protected), to, from)
	if protected {
		id := ap.group.id
		if ap.quirk == quirkGroupKeyID {
			id = 3 - id
		}
		ap.group.pn++
		f = dot11.AppendCCMPHeader(f, ap.group.pn, id)
		f = append(f, payload...)
		f = append(f, make([]byte, dot11.CCMPMIC)...)
		ap.encrypt(f, ap.group.tk, ap.group.pn, id)
	} else {
		f = append(f, payload...)
	}
	if !awake {
		if len(ap.groupBuffer) < maxBuffered {
			ap.groupBuffer = append(ap.groupBuffer, f)
		}
		return
	}
	ap.transmit(f)
}
