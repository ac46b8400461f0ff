package dot11

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Sizes of CCMP-128, 12.5.3.2: the header after the MAC header, and the MIC at
// the end.
const (
	CCMPHeader = 8
	CCMPMIC    = 8
	CCMPKey    = 16
)

// ErrCCMP reports a frame that does not decrypt: it is too short, not protected,
// or its MIC is wrong.
var ErrCCMP = errors.New("802.11: CCMP: the frame does not authenticate")

// PN is a packet number, 48 bits.
type PN uint64

// AppendCCMPHeader appends the header with a packet number and key identifier.
func AppendCCMPHeader(b []byte, pn PN, keyID byte) []byte {
	return append(b, byte(pn), byte(pn>>8), 0, 0x20|keyID<<6, byte(pn>>16), byte(pn>>24), byte(pn>>32), byte(pn>>40))
}

// CCMP returns packet number and key identifier of a protected frame. ok is
// false when the frame has no CCMP header.
func (f Frame) CCMP() (pn PN, keyID byte, ok bool) {
	n := f.HeaderLen()
	if f.Type() == Control || !f.Has(Protected) || len(f) < n+CCMPHeader+CCMPMIC {
		return 0, 0, false
	}
	h := f[n:]
	if h[3]&0x20 == 0 { // ExtIV
		return 0, 0, false
	}
	return PN(h[0]) | PN(h[1])<<8 | PN(h[4])<<16 | PN(h[5])<<24 | PN(h[6])<<32 | PN(h[7])<<40, h[3] >> 6, true
}

// SealCCMP encrypts a frame in place, 12.5.3.3. The frame is MAC header, CCMP
// header, plaintext, and CCMPMIC bytes at the end for the MIC. The key has CCMPKey
// bytes.
func SealCCMP(key []byte, f Frame) error {
	c, err := newCCM(key, f)
	if err != nil {
		return err
	}
	mic := c.mac(c.text)
	c.crypt()
	c.cryptMIC(&mic)
	copy(f[len(f)-CCMPMIC:], mic[:CCMPMIC])
	return nil
}

// OpenCCMP decrypts a frame in place, 12.5.3.4. Its length does not change: CCMP
// header and MIC stay in the frame. When the MIC is wrong the frame is unchanged
// and the error is ErrCCMP.
func OpenCCMP(key []byte, f Frame) error {
	c, err := newCCM(key, f)
	if err != nil {
		return err
	}
	c.crypt()
	mic := c.mac(c.text)
	c.cryptMIC(&mic)
	if subtle.ConstantTimeCompare(mic[:CCMPMIC], f[len(f)-CCMPMIC:]) != 1 {
		c.crypt()
		return ErrCCMP
	}
	return nil
}

// ccm is counter mode with CBC-MAC (RFC 3610, M = 8, L = 2) over one frame.
type ccm struct {
	block cipher.Block
	nonce [13]byte
	aad   []byte
	text  []byte
	store [32]byte
}

func newCCM(key []byte, f Frame) (*ccm, error) {
	pn, _, ok := f.CCMP()
	if !ok {
		return nil, ErrCCMP
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	n := f.HeaderLen()
	c := &ccm{block: block, text: f[n+CCMPHeader : len(f)-CCMPMIC]}
	c.nonce[0] = f.TID()
	if f.Type() == Management {
		c.nonce[0] = 1 << 4
	}
	copy(c.nonce[1:], f[10:16])
	for i := range 6 {
		c.nonce[7+i] = byte(pn >> (40 - 8*i))
	}
	c.aad = f.appendAAD(c.store[:0])
	return c, nil
}

// appendAAD appends the additional authenticated data, 12.5.3.3.3: the header
// without the fields that a retransmission may change.
func (f Frame) appendAAD(b []byte) []byte {
	fc := f.FrameControl()&^(Retry|PowerMgmt|MoreData) | Protected
	if f.Type() == Data {
		fc &^= 7 << 4
		if f.QoS() {
			fc &^= Order
		}
	}
	b = binary.LittleEndian.AppendUint16(b, fc)
	b = append(b, f[4:22]...)
	b = append(b, f[22]&15, 0) // the fragment number stays
	if f.Type() == Data && f.Has(ToDS) && f.Has(FromDS) {
		b = append(b, f[24:30]...)
	}
	if f.QoS() {
		b = append(b, f.TID(), 0)
	}
	return b
}

// mac returns the CBC-MAC over associated data and text.
func (c *ccm) mac(text []byte) (x [16]byte) {
	x[0] = 0x59 // AAD present, M = 8, L = 2
	copy(x[1:], c.nonce[:])
	binary.BigEndian.PutUint16(x[14:], uint16(len(text)))
	c.block.Encrypt(x[:], x[:])
	x[0] ^= byte(len(c.aad) >> 8)
	x[1] ^= byte(len(c.aad))
	at := 2
	for _, part := range [2][]byte{c.aad, text} {
		for _, b := range part {
			x[at] ^= b
			if at++; at == 16 {
				c.block.Encrypt(x[:], x[:])
				at = 0
			}
		}
		if at != 0 { // each part is padded with zeros
			c.block.Encrypt(x[:], x[:])
			at = 0
		}
	}
	return x
}

// counter is block i of the key stream before encryption.
func (c *ccm) counter(i uint16) (a [16]byte) {
	a[0] = 1
	copy(a[1:], c.nonce[:])
	binary.BigEndian.PutUint16(a[14:], i)
	return a
}

func (c *ccm) crypt() {
	iv := c.counter(1)
	cipher.NewCTR(c.block, iv[:]).XORKeyStream(c.text, c.text)
}

func (c *ccm) cryptMIC(mic *[16]byte) {
	s := c.counter(0)
	c.block.Encrypt(s[:], s[:])
	for i := range mic {
		mic[i] ^= s[i]
	}
}
