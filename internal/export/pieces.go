package export

import "bytes"

// Piece is a part of a flash image: Size bytes at Offset of a source, or Fill
// repeated Size times, or Literal.
type Piece struct {
	Source  int // 0: none; 1: the ELF; 2 and more: Parts, from its first
	Offset  int
	Size    int
	Fill    byte
	Literal []byte
}

const (
	shortest = 16  // bytes of a piece that is worth a command of its own
	runs     = 256 // equal bytes that are a fill
)

// Pieces describes an image as pieces of sources, so that a few lines of shell can
// make it: an image has the segments of the ELF, with headers between them, and the
// bootloader with other flash parameters. Joined, the pieces are the image.
func Pieces(img []byte, sources ...[]byte) []Piece {
	var out []Piece
	var split func(b []byte)
	add := func(p Piece) {
		if n := len(out); n > 0 {
			last := &out[n-1]
			switch {
			case p.Source == 0 && p.Literal != nil && last.Literal != nil:
				last.Literal = append(last.Literal, p.Literal...)
				last.Size += p.Size
				return
			case p.Source > 0 && last.Source == p.Source && last.Offset+last.Size == p.Offset:
				last.Size += p.Size
				return
			}
		}
		out = append(out, p)
	}
	split = func(b []byte) {
		for i, s := range sources {
			if at := bytes.Index(s, b); at >= 0 && len(b) >= shortest {
				add(Piece{Source: i + 1, Offset: at, Size: len(b)})
				return
			}
		}
		if len(b) <= shortest {
			if len(b) > 0 {
				add(Piece{Size: len(b), Literal: bytes.Clone(b)})
			}
			return
		}
		split(b[:len(b)/2])
		split(b[len(b)/2:])
	}
	for len(img) > 0 {
		n := run(img)
		if n >= runs {
			add(Piece{Size: n, Fill: img[0]})
			img = img[n:]
			continue
		}
		end := 1
		for end < len(img) && run(img[end:]) < runs {
			end++
		}
		grow(img[:end], sources, add, split)
		img = img[end:]
	}
	return out
}

// run is how many bytes at the start of b are equal to the first.
func run(b []byte) int {
	n := 1
	for n < len(b) && b[n] == b[0] {
		n++
	}
	return n
}

// grow describes bytes without long runs: the first bytes are looked for in the
// sources and followed as long as they agree; what is not found goes to split.
func grow(b []byte, sources [][]byte, add func(Piece), split func([]byte)) {
	const probe = 32
	from := 0
	for at := 0; at < len(b); {
		best, where, length := 0, 0, 0
		if at+probe <= len(b) {
			for i, s := range sources {
				if j := bytes.Index(s, b[at:at+probe]); j >= 0 {
					if n := common(s[j:], b[at:]); n > length {
						best, where, length = i+1, j, n
					}
				}
			}
		}
		if best == 0 {
			at++
			continue
		}
		split(b[from:at])
		add(Piece{Source: best, Offset: where, Size: length})
		at += length
		from = at
	}
	split(b[from:])
}

func common(x, y []byte) int {
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}
