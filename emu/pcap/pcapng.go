// Package pcap writes captures in the pcapng format, which Wireshark reads. A
// capture has any number of interfaces, so that the frames of the wireless medium
// and of the network are in one file in the order of their times. Frames with
// guest time go in, bytes come out; the package does not depend on the content of
// the frames.
package pcap

import (
	"encoding/binary"
	"io"
	"time"

	"espalier.dev/espalier/emu"
)

// LinkType is the link-layer header type of an interface.
type LinkType uint16

// Link types, as assigned by tcpdump.org.
const (
	Ethernet LinkType = 1
	Radiotap LinkType = 127
)

// Interface is a place where frames are captured.
type Interface struct {
	Name string
	Link LinkType
}

// Writer writes a capture. Every frame is one call of Write, so that a truncated
// capture can be read up to its last whole frame.
type Writer struct {
	w     io.Writer
	epoch time.Time
	b     []byte
	err   error
}

// Blocks and options (draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6
	blockSecrets   = 10
	byteOrder      = 0x1a2b3c4d

	secretsTLS = 0x544c534b // "TLSK"

	optionEnd        = 0
	optionName       = 2 // if_name
	optionResolution = 9 // if_tsresol
	optionProgram    = 4 // shb_userappl
)

// NewWriter writes the section header and the interfaces of a capture. epoch is
// the date at guest time zero.
func NewWriter(w io.Writer, epoch time.Time, interfaces ...Interface) *Writer {
	p := &Writer{w: w, epoch: epoch}
	p.block(blockSection, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, byteOrder)
		b = binary.LittleEndian.AppendUint16(b, 1)
		b = binary.LittleEndian.AppendUint16(b, 0)
		b = binary.LittleEndian.AppendUint64(b, 1<<64-1) // length not given
		return option(option(b, optionProgram, "espalier"), optionEnd, "")
	})
	for _, i := range interfaces {
		p.block(blockInterface, func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint16(b, uint16(i.Link))
			b = append(b, 0, 0, 0, 0, 0, 0) // no snap length
			b = option(b, optionName, i.Name)
			b = option(b, optionResolution, "\x09") // nanoseconds
			return option(b, optionEnd, "")
		})
	}
	return p
}

// Frame writes a frame that was captured on the i-th interface.
func (p *Writer) Frame(i int, at emu.Time, frame []byte) {
	t := uint64(p.epoch.UnixNano() + emu.Duration(at).Nanoseconds())
	p.block(blockPacket, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		b = binary.LittleEndian.AppendUint32(b, uint32(t>>32))
		b = binary.LittleEndian.AppendUint32(b, uint32(t))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
		return pad(append(b, frame...))
	})
}

// TLSKeys writes secrets of TLS connections, lines of the NSS key log format.
// Readers apply them to the frames that follow.
func (p *Writer) TLSKeys(lines []byte) {
	p.block(blockSecrets, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, secretsTLS)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(lines)))
		return pad(append(b, lines...))
	})
}

// Err returns the first write error; nothing is written after it.
func (p *Writer) Err() error { return p.err }

func (p *Writer) block(kind uint32, body func([]byte) []byte) {
	if p.err != nil {
		return
	}
	b := binary.LittleEndian.AppendUint32(p.b[:0], kind)
	b = body(append(b, 0, 0, 0, 0))
	size := uint32(len(b) + 4)
	binary.LittleEndian.PutUint32(b[4:], size)
	p.b = binary.LittleEndian.AppendUint32(b, size)
	_, p.err = p.w.Write(p.b)
}

func option(b []byte, code uint16, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

// pad appends zeros up to a multiple of 32 bits, as blocks and options require.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
