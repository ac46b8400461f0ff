package semihost

import (
	"encoding/binary"
	"io"
)

// Limits of what one call may name, so that a wild pointer costs nothing.
const (
	maxText  = 64 << 10
	maxWrite = 1 << 20
)

// Modes of SYS_OPEN are those of fopen: r, rb, r+, r+b, w, wb, w+, w+b, a, ab, a+,
// a+b. For ":tt" 0 to 3 is standard input, 4 to 7 output, 8 to 11 error.
const (
	modeOutput = 4
	modeError  = 8
	modes      = 12
)

func (h *Host) open(arg uint32) uint32 {
	block, ok := h.block(arg, 3)
	if !ok {
		return h.fail(errFault)
	}
	name, ok := h.bytes(block[0], block[2])
	if !ok {
		return h.fail(errFault)
	}
	if block[1] >= modes {
		return h.fail(errInvalid)
	}
	f := file{}
	switch string(name) {
	case ":tt":
		switch {
		case block[1] >= modeError:
			f.kind = stderr
		case block[1] >= modeOutput:
			f.kind = stdout
		default:
			f.kind = stdin
		}
	case ":semihosting-features":
		f.kind = features
	default:
		f.kind = hostFile
	}
	for i := range h.files {
		if h.files[i].kind == closed {
			if f.kind == hostFile {
				var errno uint32
				if f.host, errno = h.openHost(string(name), block[1]); errno != 0 {
					return h.fail(errno)
				}
			}
			h.files[i] = f
			return uint32(i + 1)
		}
	}
	return h.fail(errTooMany)
}

// file returns the open file whose handle is the first word at arg, else nil.
func (h *Host) file(arg uint32) *file {
	block, ok := h.block(arg, 1)
	if !ok {
		return nil
	}
	i := block[0] - 1
	if i >= maxFiles || h.files[i].kind == closed {
		return nil
	}
	return &h.files[i]
}

func (h *Host) close(arg uint32) uint32 {
	f := h.file(arg)
	if f == nil {
		return h.fail(errBadFile)
	}
	host := f.host
	*f = file{}
	if host != nil && host.Close() != nil {
		return h.fail(errIO)
	}
	return 0
}

// write returns the number of bytes that were not written.
func (h *Host) write(arg uint32) uint32 {
	block, ok := h.block(arg, 3)
	if !ok {
		return h.fail(errFault)
	}
	f := h.file(arg)
	if f == nil || f.kind != stdout && f.kind != stderr && f.kind != hostFile {
		h.errno = errBadFile
		return block[2]
	}
	b, ok := h.bytes(block[1], block[2])
	if !ok {
		h.errno = errFault
		return block[2]
	}
	if f.kind == hostFile {
		n, err := f.host.Write(b)
		if err != nil {
			h.errno = errIO
		}
		return block[2] - uint32(n)
	}
	h.output(f.kind, b)
	return 0
}

// read returns the number of bytes that were not read.
func (h *Host) read(arg uint32) uint32 {
	block, ok := h.block(arg, 3)
	if !ok {
		return h.fail(errFault)
	}
	f := h.file(arg)
	var from []byte
	switch {
	case f == nil:
		h.errno = errBadFile
		return block[2]
	case f.kind == stdin:
		from = h.Stdin
	case f.kind == features:
		from = featureBits[f.pos:]
	}
	if f.kind == hostFile {
		p := make([]byte, min(block[2], maxWrite))
		n, err := io.ReadFull(f.host, p)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			h.errno = errIO
			return block[2]
		}
		from = p[:n]
	}
	n := min(len(from), int(block[2]))
	if !h.cpu.Memory().Write(block[1], from[:n]) {
		h.errno = errFault
		return block[2]
	}
	switch f.kind {
	case stdin:
		h.Stdin = h.Stdin[n:]
	case features:
		f.pos += n
	}
	return block[2] - uint32(n)
}

func (h *Host) seek(arg uint32) uint32 {
	block, ok := h.block(arg, 2)
	f := h.file(arg)
	if !ok || f == nil {
		return h.fail(errBadFile)
	}
	if f.kind == hostFile {
		if _, err := f.host.Seek(int64(block[1]), io.SeekStart); err != nil {
			return h.fail(errIO)
		}
		return 0
	}
	if f.kind != features || block[1] > uint32(len(featureBits)) {
		return h.fail(errInvalid)
	}
	f.pos = int(block[1])
	return 0
}

// commandLine writes the command line and its length to the caller's buffer.
func (h *Host) commandLine(arg uint32) uint32 {
	block, ok := h.block(arg, 2)
	if !ok {
		return h.fail(errFault)
	}
	if h.CommandLine == nil || uint32(len(*h.CommandLine)) >= block[1] {
		return h.fail(errInvalid)
	}
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(*h.CommandLine)))
	mem := h.cpu.Memory()
	if !mem.Write(block[0], append([]byte(*h.CommandLine), 0)) || !mem.Write(arg+4, n[:]) {
		return h.fail(errFault)
	}
	return 0
}

// heapInfo leaves heap and stack to the firmware: all four limits are 0.
func (h *Host) heapInfo(arg uint32) uint32 {
	p, ok := h.block(arg, 1)
	if !ok || !h.cpu.Memory().Write(p[0], make([]byte, 16)) {
		return h.fail(errFault)
	}
	return 0
}

func (h *Host) output(kind fileKind, b []byte) {
	to := h.Stdout
	if kind == stderr {
		to = h.Stderr
	}
	if to != nil {
		to(b)
	}
}

// word reads a word of plain memory; code may be at any multiple of two.
func (h *Host) word(addr uint32) (uint32, bool) {
	var b [4]byte
	ok := h.cpu.Memory().Read(addr, b[:])
	return binary.LittleEndian.Uint32(b[:]), ok
}

// block reads the n words of a parameter block.
func (h *Host) block(addr uint32, n int) ([]uint32, bool) {
	words := make([]uint32, n)
	for i := range words {
		w, ok := h.word(addr + 4*uint32(i))
		if !ok {
			return nil, false
		}
		words[i] = w
	}
	return words, true
}

func (h *Host) bytes(addr, n uint32) ([]byte, bool) {
	if n > maxWrite {
		return nil, false
	}
	b := make([]byte, n)
	return b, h.cpu.Memory().Read(addr, b)
}

// text reads a string that ends with a zero byte.
func (h *Host) text(addr uint32) ([]byte, bool) {
	var s []byte
	for len(s) < maxText {
		b, ok := h.bytes(addr+uint32(len(s)), 1)
		if !ok {
			return nil, false
		}
		if b[0] == 0 {
			return s, true
		}
		s = append(s, b[0])
	}
	return nil, false
}
