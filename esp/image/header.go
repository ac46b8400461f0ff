package image

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"espalier.dev/espalier/esp/chip"
)

const (
	magic         = 0xe9
	headerSize    = 24
	segHeaderSize = 8
	digestSize    = 32
	checksumSeed  = 0xef
	wpDisabled    = 0xee // "no write-protect pin"
	maxSegments   = 16   // ESP_IMAGE_MAX_SEGMENTS

	defaultFlashSize = 4 << 20
)

// Mode is how the flash chip is read. The zero value keeps what the bootloader
// was built with.
type Mode uint8

// Flash modes.
const (
	ModeKeep Mode = iota
	QIO
	QOUT
	DIO
	DOUT
)

// Freq is the flash clock. The zero value is the chip's default, 40 MHz.
type Freq uint8

// Flash frequencies of the ESP32-C3.
const (
	FreqDefault Freq = 0
	Freq20M     Freq = 20
	Freq26M     Freq = 26
	Freq40M     Freq = 40
	Freq80M     Freq = 80
)

// Params are the flash parameters in the headers of bootloader and app.
type Params struct {
	Mode Mode
	Freq Freq
	Size uint32 // bytes: 1, 2, 4, 8 or 16 MiB; 0 means 4 MiB
}

// FlashSize returns the size in bytes with the default applied.
func (p Params) FlashSize() uint32 {
	if p.Size == 0 {
		return defaultFlashSize
	}
	return p.Size
}

func modeNames() []string { return []string{"qio", "qout", "dio", "dout"} }

// String returns "qio", "qout", "dio", "dout", or "keep".
func (m Mode) String() string {
	if m == ModeKeep || int(m) > len(modeNames()) {
		return "keep"
	}
	return modeNames()[m-1]
}

// ParseMode reads what String writes, and "" as ModeKeep.
func ParseMode(s string) (Mode, error) {
	if s == "" || s == "keep" {
		return ModeKeep, nil
	}
	for i, name := range modeNames() {
		if strings.EqualFold(s, name) {
			return Mode(i + 1), nil
		}
	}
	return 0, fmt.Errorf("flash mode %q: want %s", s, strings.Join(modeNames(), ", "))
}

type freqCode struct {
	freq Freq
	code byte
}

func freqCodes() []freqCode {
	return []freqCode{{Freq40M, 0}, {Freq26M, 1}, {Freq20M, 2}, {Freq80M, 15}}
}

// String returns "40MHz".
func (f Freq) String() string {
	if f == FreqDefault {
		return "default"
	}
	return strconv.Itoa(int(f)) + "MHz"
}

// ParseFreq reads 20, 26, 40 or 80 with an optional "m" or "MHz"; "" is the
// default.
func ParseFreq(s string) (Freq, error) {
	if s == "" || s == "default" {
		return FreqDefault, nil
	}
	digits := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s), "hz"), "m")
	n, err := strconv.Atoi(digits)
	for _, c := range freqCodes() {
		if err == nil && n == int(c.freq) {
			return c.freq, nil
		}
	}
	return 0, fmt.Errorf("flash frequency %q: want 20MHz, 26MHz, 40MHz or 80MHz", s)
}

// sizes returns the flash sizes that the header can say and the ESP32-C3 can
// use, by their code.
func sizes() []uint32 { return []uint32{1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20} }

// ParseSize reads "4MB", "4M" or "4MiB" as bytes; "" is the default.
func ParseSize(s string) (uint32, error) {
	if s == "" {
		return 0, nil
	}
	t := strings.ToLower(s)
	for _, unit := range []string{"mib", "mb", "m"} {
		if digits, ok := strings.CutSuffix(t, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 8)
			for _, size := range sizes() {
				if err == nil && uint64(size) == n<<20 {
					return size, nil
				}
			}
			break
		}
	}
	return 0, fmt.Errorf("flash size %q: want 1MB, 2MB, 4MB, 8MB or 16MB", s)
}

// Header is the header of an image, both parts of it.
type Header struct {
	Segments  int
	Mode      Mode
	Size      uint32 // bytes of flash that the image was made for; 0 unknown code
	Freq      Freq
	Entry     uint32
	ChipID    uint16
	MinRev    uint16 // lowest chip revision, major*100 + minor
	MaxRev    uint16 // highest; 0xffff any, 0 unchecked
	HasDigest bool
	WPPin     byte
}

// ChipName returns the chip's name, or its number when it is unknown.
func (h Header) ChipName() string {
	if n := chip.NameOf(h.ChipID); n != "" {
		return n
	}
	return fmt.Sprintf("chip %d", h.ChipID)
}

// parseHeader reads the first headerSize bytes of b.
func parseHeader(b []byte) (Header, error) {
	if len(b) < headerSize {
		return Header{}, &FormatError{0, fmt.Sprintf("%d bytes, less than an image header", len(b))}
	}
	if b[0] != magic {
		return Header{}, &FormatError{0, fmt.Sprintf("starts with 0x%02x; an image starts with 0x%02x", b[0], magic)}
	}
	h := Header{
		Segments:  int(b[1]),
		Entry:     binary.LittleEndian.Uint32(b[4:]),
		WPPin:     b[8],
		ChipID:    binary.LittleEndian.Uint16(b[12:]),
		MinRev:    binary.LittleEndian.Uint16(b[15:]),
		MaxRev:    binary.LittleEndian.Uint16(b[17:]),
		HasDigest: b[23] == 1,
	}
	if int(b[2]) < len(modeNames()) {
		h.Mode = Mode(b[2] + 1)
	}
	if code := int(b[3] >> 4); code < len(sizes()) {
		h.Size = sizes()[code]
	}
	for _, c := range freqCodes() {
		if c.code == b[3]&15 {
			h.Freq = c.freq
		}
	}
	return h, nil
}

// putParams writes flash parameters into bytes 2 and 3 of a header. ModeKeep
// leaves byte 2 alone; size and frequency are always written.
func putParams(header []byte, p Params) error {
	if p.Mode != ModeKeep {
		header[2] = byte(p.Mode - 1)
	}
	freq := p.Freq
	if freq == FreqDefault {
		freq = Freq40M
	}
	for _, c := range freqCodes() {
		if c.freq != freq {
			continue
		}
		for code, size := range sizes() {
			if size == p.FlashSize() {
				header[3] = byte(code<<4) | c.code
				return nil
			}
		}
		return &FlashSizeError{Size: int64(p.FlashSize())}
	}
	return fmt.Errorf("flash frequency %s is not possible on the ESP32-C3", freq)
}
