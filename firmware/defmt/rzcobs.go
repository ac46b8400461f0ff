package defmt

// Unpack appends the bytes of one rzCOBS packet to dst. packet is the bytes
// between two zero bytes; a damaged one gives ErrMalformed.
//
// The encoding (reverse-zero-compressing COBS, as the crate rzcobs documents
// it) is read from its end: a control byte follows the bytes it describes.
// 0x01-0x7f: seven bytes, a set bit is a zero that was left out; 0x80-0xfe:
// 7 to 133 bytes and a zero before them; 0xff: 134 bytes.
func Unpack(dst, packet []byte) ([]byte, error) {
	// Filled from the end, because the packet is read from its end.
	size, ok := unpackedSize(packet)
	if !ok {
		return dst, ErrMalformed
	}
	from := len(dst)
	for cap(dst)-from < size {
		dst = append(dst[:cap(dst)], 0)
	}
	dst = dst[:from+size]
	w, r := len(dst), len(packet)
	for r > 0 {
		r--
		switch c := packet[r]; {
		case c < 0x80:
			for bit := byte(0x40); bit != 0; bit >>= 1 {
				w--
				if c&bit != 0 {
					dst[w] = 0
				} else {
					r--
					dst[w] = packet[r]
				}
			}
		case c < 0xff:
			n := int(c&0x7f) + 7
			w--
			dst[w] = 0
			w, r = w-n, r-n
			copy(dst[w:], packet[r:r+n])
		default:
			w, r = w-134, r-134
			copy(dst[w:], packet[r:r+134])
		}
	}
	return dst, nil
}

// unpackedSize walks over the control bytes.
func unpackedSize(packet []byte) (size int, ok bool) {
	for r := len(packet); r > 0; {
		r--
		switch c := packet[r]; {
		case c == 0:
			return 0, false
		case c < 0x80:
			size += 7
			for x := c; x != 0; x &= x - 1 {
				r++ // a zero takes no byte
			}
			r -= 7
		case c < 0xff:
			size += int(c&0x7f) + 8
			r -= int(c&0x7f) + 7
		default:
			size += 134
			r -= 134
		}
		if r < 0 {
			return 0, false
		}
	}
	return size, true
}
