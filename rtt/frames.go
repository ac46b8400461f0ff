package rtt

// Frames surrounds the frames of defmt in the bytes of a channel with the marks
// that esp-println uses (0xFF 0x00 before a frame, 0x00 after it), which package
// monitor looks for. Frames of defmt end with a zero byte in the encoding rzcobs,
// its default; a frame may come in pieces.
type Frames struct{ within bool }

// Append appends p with the marks to dst.
func (f *Frames) Append(dst, p []byte) []byte {
	for _, c := range p {
		if !f.within {
			if c == 0 {
				continue // an empty frame
			}
			dst = append(dst, 0xff, 0x00)
			f.within = true
		}
		dst = append(dst, c)
		f.within = c != 0
	}
	return dst
}
