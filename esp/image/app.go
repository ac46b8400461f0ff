package image

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"espalier.dev/espalier/esp/chip"
)

// appWriter lays out one application image.
type appWriter struct {
	buf      []byte
	sum      byte
	segments int
}

// buildApp makes an application image. header is the bootloader's, with the
// flash parameters already in it: the app inherits what is not its own.
//
// Layout: the header; segments; zeros and one checksum byte up to a multiple
// of 16; the SHA-256 of all that. The descriptor's segment is the first. At most
// one segment is for DROM and one for IROM, and both can be mapped at once.
func buildApp(p *program, header [headerSize]byte, minRev uint16) ([]byte, error) {
	c := chip.ESP32C3()
	w := &appWriter{buf: slices.Clone(header[:]), sum: checksumSeed}
	binary.LittleEndian.PutUint32(w.buf[4:], p.entry)
	w.buf[8] = wpDisabled
	binary.LittleEndian.PutUint16(w.buf[12:], c.ID)
	binary.LittleEndian.PutUint16(w.buf[15:], minRev)
	w.buf[23] = 1

	if p.addsDesc() {
		w.segment(0, newDescriptor(p.sha)) // read by the bootloader, and not loaded
	}
	flash, err := descriptorFirst(p)
	if err != nil {
		return nil, err
	}
	ram := p.ram
	var mapped []placed
	for _, f := range flash {
		// Bring the file offset of the data to the address modulo one page.
		// RAM segments fill the gap as far as they reach, padding does the rest.
		for {
			pad := gap(len(w.buf), f.addr, c.PageSize)
			if pad == 0 {
				break
			}
			if pad > segHeaderSize && len(ram) > 0 {
				n := min(pad, len(ram[0].data))
				w.segment(ram[0].addr, ram[0].data[:n])
				if ram[0].addr, ram[0].data = ram[0].addr+uint32(n), ram[0].data[n:]; len(ram[0].data) == 0 {
					ram = ram[1:]
				}
				continue
			}
			w.segment(0, make([]byte, pad))
		}
		// The second stage does not map the last page of a segment that
		// reaches less than 0x24 bytes into it.
		data := f.data
		if over := (len(w.buf) + segHeaderSize + len(data)) % int(c.PageSize); over < 0x24 {
			data = append(slices.Clip(slices.Clone(data)), make([]byte, 0x24-over)...)
		}
		f.data = data
		mapped = append(mapped, placed{f, len(w.buf) + segHeaderSize})
		w.segment(f.addr, data)
	}
	if err := checkMapping(mapped); err != nil {
		return nil, err
	}
	for _, r := range ram {
		w.segment(r.addr, r.data)
	}
	if w.segments > maxSegments {
		return nil, &SegmentsError{Count: w.segments}
	}
	w.buf[1] = byte(w.segments)
	w.buf = append(w.buf, make([]byte, 15-len(w.buf)%16)...)
	w.buf = append(w.buf, w.sum)
	digest := sha256.Sum256(w.buf)
	return append(w.buf, digest[:]...), nil
}

func (w *appWriter) segment(addr uint32, data []byte) {
	w.buf = binary.LittleEndian.AppendUint32(w.buf, addr)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(data)))
	w.buf = append(w.buf, data...)
	for _, b := range data {
		w.sum ^= b
	}
	w.segments++
}

// gap returns how many bytes of segment data, besides a segment header, must
// come between pos and the header of a segment for addr, so that the data's
// offset equals addr modulo page; 0 when nothing must. A gap too small for a
// header of its own takes a whole page more.
func gap(pos int, addr, page uint32) int {
	past := (addr - segHeaderSize) % page
	pad := (page - uint32(pos)%page + past) % page
	switch {
	case pad == 0:
		return 0
	case pad > segHeaderSize:
		return int(pad - segHeaderSize)
	}
	return int(pad + page - segHeaderSize)
}

// descriptorFirst returns the flash pieces with the one that holds the
// descriptor in front and the ELF's SHA-256 written into it. The descriptor of
// esp-bootloader-esp-idf before 0.5 (.rodata_desc) is left as it is: it comes
// first by its address, and no tool fills it in.
func descriptorFirst(p *program) ([]piece, error) {
	flash := slices.Clone(p.flash)
	if p.descAddr == 0 {
		return flash, nil
	}
	i := slices.IndexFunc(flash, func(f piece) bool { return f.addr <= p.descAddr && uint64(p.descAddr) < f.end() })
	if i < 0 {
		return nil, &NoDescriptorError{Misplaced: true}
	}
	first := flash[i]
	flash = append([]piece{first}, slices.Delete(flash, i, i+1)...)
	off := int(p.descAddr - first.addr)
	if d := parseDescriptor(first.data[off:]); d == nil {
		return nil, &NoDescriptorError{EspHal: p.espHal}
	} else if page := chip.ESP32C3().PageSize; d.PageSize != 0 && d.PageSize != page {
		return nil, &ChipError{Evidence: "its descriptor asks for another flash page size than 64 KiB"}
	}
	first.data = slices.Clone(first.data)
	copy(first.data[off+descSHA:], p.sha[:])
	flash[0] = first
	return flash, nil
}
