package elftest

import (
	"crypto/sha256"
	"encoding/binary"
)

// Bootloader returns a bootloader image for chip (its number in the header; 5
// is the ESP32-C3) that is valid in form: one RAM segment, checksum, digest.
// Its code does nothing.
func Bootloader(chip uint16) []byte {
	data := append([]byte{0x50}, Fill(0x4ff, 7)...)
	b := make([]byte, 24)
	b[0], b[1], b[2], b[3], b[8], b[23] = 0xe9, 1, 2, 0x20, 0xee, 1
	binary.LittleEndian.PutUint32(b[4:], 0x403c_bf1a)
	binary.LittleEndian.PutUint16(b[12:], chip)
	binary.LittleEndian.PutUint16(b[15:], 3)
	binary.LittleEndian.PutUint16(b[17:], 199)
	b = binary.LittleEndian.AppendUint32(b, 0x403c_bf10)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	sum := byte(0xef)
	for _, v := range data {
		sum ^= v
	}
	for len(b)%16 != 15 {
		b = append(b, 0)
	}
	b = append(b, sum)
	digest := sha256.Sum256(b)
	return append(b, digest[:]...)
}
