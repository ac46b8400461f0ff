package radio

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
)

// EAPOL, IEEE 802.1X-2010 11.3.
const (
	eapolVersion   = 2
	eapolKeyPacket = 3
	keyDescriptor  = 2 // RSN
	keyFrameSize   = 99
)

// Key Information, 12.7.2.
const (
	keyVersionAES = 2 // HMAC-SHA1-128 and AES key wrap
	keyPairwise   = 1 << 3
	keyInstall    = 1 << 6
	keyACK        = 1 << 7
	keyMIC        = 1 << 8
	keySecure     = 1 << 9
	keyError      = 1 << 10
	keyRequest    = 1 << 11
	keyEncrypted  = 1 << 12
)

// eapolKey is a view of an EAPOL-Key frame, from its version byte on.
type eapolKey []byte

// parseEAPOLKey returns the EAPOL-Key frame at the start of b, without padding.
func parseEAPOLKey(b []byte) (eapolKey, bool) {
	if len(b) < keyFrameSize || b[1] != eapolKeyPacket || b[4] != keyDescriptor {
		return nil, false
	}
	n := 4 + int(binary.BigEndian.Uint16(b[2:]))
	if n < keyFrameSize || n > len(b) {
		return nil, false
	}
	k := eapolKey(b[:n])
	if keyFrameSize+int(binary.BigEndian.Uint16(k[97:])) > n {
		return nil, false
	}
	return k, true
}

func (k eapolKey) info() uint16   { return binary.BigEndian.Uint16(k[5:]) }
func (k eapolKey) replay() uint64 { return binary.BigEndian.Uint64(k[9:]) }
func (k eapolKey) nonce() []byte  { return k[17:49] }
func (k eapolKey) mic() []byte    { return k[81:97] }
func (k eapolKey) data() []byte {
	return k[keyFrameSize : keyFrameSize+int(binary.BigEndian.Uint16(k[97:]))]
}

// sum returns the MIC of the frame: HMAC-SHA1-128 with the MIC field zero.
func (k eapolKey) sum(kck []byte) []byte {
	h := hmac.New(sha1.New, kck)
	h.Write(k[:81])
	h.Write(make([]byte, 16))
	h.Write(k[97:])
	return h.Sum(nil)[:16]
}

// sign fills in the MIC.
func (k eapolKey) sign(kck []byte) { copy(k.mic(), k.sum(kck)) }

// signed reports whether the MIC is correct.
func (k eapolKey) signed(kck []byte) bool { return hmac.Equal(k.mic(), k.sum(kck)) }

// newEAPOLKey returns a frame without a MIC.
func newEAPOLKey(info uint16, keyLen int, replay uint64, nonce, data []byte) eapolKey {
	k := make(eapolKey, keyFrameSize, keyFrameSize+len(data))
	k[0], k[1], k[4] = eapolVersion, eapolKeyPacket, keyDescriptor
	binary.BigEndian.PutUint16(k[2:], uint16(keyFrameSize-4+len(data)))
	binary.BigEndian.PutUint16(k[5:], info)
	binary.BigEndian.PutUint16(k[7:], uint16(keyLen))
	binary.BigEndian.PutUint64(k[9:], replay)
	copy(k[17:49], nonce)
	binary.BigEndian.PutUint16(k[97:], uint16(len(data)))
	return append(k, data...)
}

// gtkKDE returns the key data encapsulation of a group key, 12.7.2.
func gtkKDE(keyID byte, gtk []byte) []byte {
	kde := []byte{0xdd, byte(6 + len(gtk)), 0x00, 0x0f, 0xac, 0x01, keyID, 0x00}
	return append(kde, gtk...)
}

// padKeyData pads key data for the key wrap, 12.7.2.
func padKeyData(b []byte) []byte {
	if len(b)%8 == 0 && len(b) >= 16 {
		return b
	}
	b = append(b, 0xdd)
	for len(b)%8 != 0 || len(b) < 16 {
		b = append(b, 0)
	}
	return b
}
