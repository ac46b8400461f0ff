package radio

import (
	"bytes"
	"encoding/binary"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/dot11"
	"espalier.dev/espalier/emu/faults"
)

// Capability Information, 9.4.1.4.
const (
	capESS       = 1 << 0
	capPrivacy   = 1 << 4
	capShortSlot = 1 << 10
)

// Reason codes, 9.4.1.7.
const (
	reasonClass3 = 7 // class 3 frame from a station that is not associated
)

// Status codes, 9.4.1.9.
const (
	statusOK           = 0
	statusUnsupported  = 13 // authentication algorithm
	statusBadElement   = 40
	statusNotThisGroup = 1
)

// rsnElement returns the RSN element of WPA2-Personal: group cipher CCMP, pairwise CCMP, PSK.
func rsnElement() []byte {
	return dot11.AppendElement(nil, dot11.ElementRSN,
		1, 0, 0x00, 0x0f, 0xac, 4, 1, 0, 0x00, 0x0f, 0xac, 4, 1, 0, 0x00, 0x0f, 0xac, 2, 0, 0)
}

func (ap *AccessPoint) capability() uint16 {
	c := uint16(capESS | capShortSlot)
	if ap.rsn != nil {
		c |= capPrivacy
	}
	return c
}

func appendRates(b []byte) []byte {
	return dot11.AppendElement(b, dot11.ElementRates, 0x82, 0x84, 0x8b, 0x96, 0x0c, 0x12, 0x18, 0x24)
}

func appendExtendedRates(b []byte) []byte {
	return dot11.AppendElement(b, dot11.ElementExtendedRates, 0x30, 0x48, 0x60, 0x6c)
}

// appendExtras appends the elements of WMM and 802.11n.
func (ap *AccessPoint) appendExtras(b []byte) []byte {
	if ap.cfg.HT {
		capability := make([]byte, 26)
		capability[0] = 0x20 // short GI in 20 MHz
		capability[3] = 0xff // MCS 0 to 7
		b = dot11.AppendElement(b, dot11.ElementHTCapability, capability...)
		operation := make([]byte, 22)
		operation[0] = byte(ap.cfg.Channel)
		b = dot11.AppendElement(b, dot11.ElementHTOperation, operation...)
	}
	if ap.cfg.WMM {
		b = dot11.AppendElement(b, dot11.ElementVendor, 0x00, 0x50, 0xf2, 2, 1, 1, 0, 0,
			0x03, 0xa4, 0, 0, 0x27, 0xa4, 0, 0, 0x42, 0x43, 0x5e, 0, 0x62, 0x32, 0x2f, 0)
	}
	return b
}

// announce appends the body of a beacon (with TIM) or of a probe response.
func (ap *AccessPoint) announce(f dot11.Frame, tim bool) dot11.Frame {
	f = binary.LittleEndian.AppendUint64(f, uint64(ap.now)/uint64(emu.Microsecond))
	f = binary.LittleEndian.AppendUint16(f, beaconInterval)
	f = binary.LittleEndian.AppendUint16(f, ap.capability())
	f = dot11.AppendElement(f, dot11.ElementSSID, []byte(ap.cfg.SSID)...)
	f = appendRates(f)
	f = dot11.AppendElement(f, dot11.ElementDS, byte(ap.cfg.Channel))
	if tim {
		f = dot11.AppendElement(f, dot11.ElementTIM, ap.tim()...)
	}
	f = appendExtendedRates(f)
	f = append(f, ap.rsn...)
	return ap.appendExtras(f)
}

// sendBeacon transmits a beacon and the group frames that were buffered for it.
func (ap *AccessPoint) sendBeacon() {
	if ap.fault(faults.NoNetwork) || ap.fault(faults.BeaconLoss) {
		return
	}
	f := ap.header(dot11.ManagementControl(dot11.Beacon), dot11.Broadcast(), ap.bssid)
	ap.transmit(ap.announce(f, true))
	groupBuffer := ap.groupBuffer
	ap.groupBuffer = nil
	for _, f := range groupBuffer {
		ap.transmit(f)
	}
}

func (ap *AccessPoint) management(f dot11.Frame) {
	body := f.Body()
	switch f.Subtype() {
	case dot11.ProbeRequest:
		ssid, ok := dot11.Element(body, dot11.ElementSSID)
		if ok && (len(ssid) == 0 || string(ssid) == ap.cfg.SSID) {
			to := f.A2()
			ap.later(probeDelay, func() {
				ap.transmit(ap.announce(ap.header(dot11.ManagementControl(dot11.ProbeResponse), to, ap.bssid), false))
			})
		}
	case dot11.Authentication:
		if f.A1() == ap.bssid && len(body) >= 6 {
			ap.authenticate(f.A2(), binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[2:]))
		}
	case dot11.AssocRequest, dot11.ReassocRequest:
		if f.A1() == ap.bssid {
			ap.associate(f, body)
		}
	case dot11.Disassociation, dot11.Deauth:
		if f.A1() == ap.bssid {
			ap.forget(f.A2())
		}
	}
}

// authenticate answers the first step of open system authentication, the only
// algorithm that is supported.
func (ap *AccessPoint) authenticate(from dot11.Addr, algorithm, step uint16) {
	if step != 1 || from.Group() {
		return
	}
	status := uint16(statusOK)
	if algorithm != 0 {
		status = statusUnsupported
	} else {
		ap.admit(from)
	}
	ap.later(managementTime, func() {
		f := ap.header(dot11.ManagementControl(dot11.Authentication), from, ap.bssid)
		f = binary.LittleEndian.AppendUint16(f, algorithm)
		f = binary.LittleEndian.AppendUint16(f, 2)
		ap.transmit(binary.LittleEndian.AppendUint16(f, status))
	})
}

func (ap *AccessPoint) associate(f dot11.Frame, body []byte) {
	reply, fixed := dot11.AssocResponse, 4
	if f.Subtype() == dot11.ReassocRequest {
		reply, fixed = dot11.ReassocReply, 10
	}
	st := ap.station(f.A2())
	if st == nil || len(body) < fixed {
		ap.refuse(f.A2())
		return
	}
	elements := body[fixed:]
	status := uint16(statusOK)
	if ssid, _ := dot11.Element(elements, dot11.ElementSSID); string(ssid) != ap.cfg.SSID {
		status = statusNotThisGroup
	}
	rsn, _ := dot11.Element(elements, dot11.ElementRSN)
	if ap.rsn != nil && !sameSuites(rsn, ap.rsn[2:]) {
		status = statusBadElement
	}
	if status == statusOK {
		if st.AID == 0 {
			st.AID = ap.freeAID()
		}
		st.Keyed = ap.rsn == nil
		_, st.QoS = dot11.Element(elements, dot11.ElementVendor)
		st.QoS = st.QoS && ap.cfg.WMM && wantsWMM(elements)
		st.PowerSave, st.buffered = false, nil
	}
	ap.later(managementTime, func() {
		out := ap.header(dot11.ManagementControl(reply), st.addr, ap.bssid)
		out = binary.LittleEndian.AppendUint16(out, ap.capability())
		out = binary.LittleEndian.AppendUint16(out, status)
		out = binary.LittleEndian.AppendUint16(out, uint16(st.AID)|0xc000)
		out = appendExtendedRates(appendRates(out))
		ap.transmit(ap.appendExtras(out))
		if status == statusOK && ap.rsn != nil {
			ap.later(firstKeyTime, func() { ap.startHandshake(st) })
		}
	})
}

// sameSuites compares RSN elements up to the capabilities.
func sameSuites(a, b []byte) bool {
	const suites = 18
	return len(a) >= suites && len(b) >= suites && bytes.Equal(a[:suites], b[:suites])
}

// wantsWMM looks for the WMM information element.
func wantsWMM(elements []byte) bool {
	for len(elements) >= 2 {
		n := 2 + int(elements[1])
		if n > len(elements) {
			return false
		}
		if elements[0] == dot11.ElementVendor && n >= 7 && bytes.Equal(elements[2:6], []byte{0x00, 0x50, 0xf2, 2}) {
			return true
		}
		elements = elements[n:]
	}
	return false
}

// deauthenticate removes a station and sends it a deauthentication.
func (ap *AccessPoint) deauthenticate(st *station, reason uint16) {
	ap.forget(st.addr)
	ap.sendDeauth(st.addr, reason)
}

func (ap *AccessPoint) sendDeauth(to dot11.Addr, reason uint16) {
	f := ap.header(dot11.ManagementControl(dot11.Deauth), to, ap.bssid)
	ap.transmit(binary.LittleEndian.AppendUint16(f, reason))
}

// refuse deauthenticates a station that is not associated.
func (ap *AccessPoint) refuse(a dot11.Addr) {
	if !a.Group() {
		ap.sendDeauth(a, reasonClass3)
	}
}
