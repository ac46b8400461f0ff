package image

import (
	"errors"
	"fmt"
	"strings"

	"espalier.dev/espalier/esp/chip"
)

// ArchError is an ELF that no ESP32-C3 can run, whatever its addresses.
type ArchError struct {
	Found string // "an ELF for Xtensa", "a 64-bit ELF for RISC-V"
	Hint  string
}

func (e *ArchError) Error() string {
	return e.Found + "; the ESP32-C3 runs 32-bit RISC-V programs"
}

// Hints returns what to do about it.
func (e *ArchError) Hints() []string { return hintList(e.Hint) }

// ChipError is a program or image for a chip other than the ESP32-C3.
type ChipError struct {
	Found    string // "esp32c6", or several names; empty when only the address is known to be wrong
	Evidence string // what gives it away
}

func (e *ChipError) Error() string {
	if e.Found == "" {
		return "not a program for the ESP32-C3: " + e.Evidence
	}
	return fmt.Sprintf("made for %s, not for the ESP32-C3: %s", e.Found, e.Evidence)
}

// Hints returns what to do about it.
func (e *ChipError) Hints() []string {
	return []string{`build for the ESP32-C3: target riscv32imc-unknown-none-elf, feature "esp32c3" on every esp-* crate`}
}

// TableError is an error about the partition table, with the name of its file.
type TableError struct {
	File string
	Err  error // of the partition package
}

// tableError adds the name of the table's file to an error of the partition
// package. Others stay as they are.
func tableError(in Inputs, err error) error {
	var positioned interface{ Position() (int, int, string) }
	if in.TableFile == "" || !errors.As(err, &positioned) {
		return err
	}
	return &TableError{in.TableFile, err}
}

func (e *TableError) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap returns the error without the file's name.
func (e *TableError) Unwrap() error { return e.Err }

// InFile returns the file that the error is about, for callers that print
// another file's name before errors.
func (e *TableError) InFile() string { return e.File }

// NoDescriptorError is a program without the application descriptor that the
// second-stage bootloader reads before it starts anything, although its esp-hal
// is of 1.0.0-beta.1 or later.
type NoDescriptorError struct {
	EspHal    bool // the program says that it is built on esp-hal
	Misplaced bool // there is one, but not where the image starts
}

func (e *NoDescriptorError) Error() string {
	if e.Misplaced {
		return "the application descriptor is not at the start of the image, where the bootloader looks for it"
	}
	return "no application descriptor: the bootloader would refuse this program"
}

// Hints returns what to do about it.
func (e *NoDescriptorError) Hints() []string {
	switch {
	case e.Misplaced:
		return []string{"esp-bootloader-esp-idf 0.5 and later needs the linker script of esp-hal 1.1 or later: move both together"}
	case e.EspHal:
		return []string{
			"add to main.rs: esp_bootloader_esp_idf::esp_app_desc!();",
			"add to Cargo.toml when missing: cargo add esp-bootloader-esp-idf --features esp32c3",
		}
	}
	return []string{"a program for ESP-IDF's bootloader has a section .flash.appdesc"}
}

// TooLargeError is something that does not fit its place in flash.
type TooLargeError struct {
	What  string // "application image", "bootloader"
	Size  int    // bytes
	Place string // "partition factory", "the 32768 bytes before the partition table"
	Room  uint32 // bytes
	Gap   string // what of it is unused address space between sections; "" for little
}

func (e *TooLargeError) Error() string {
	text := fmt.Sprintf("%s is too large for %s: %d bytes, %d too many for %d", e.What, e.Place, e.Size, int64(e.Size)-int64(e.Room), e.Room)
	if e.Gap != "" {
		text += "; " + e.Gap
	}
	return text
}

// Hints returns what to do about it.
func (e *TooLargeError) Hints() []string {
	if e.Gap != "" {
		return []string{"let the linker script place those sections next to each other: a gap in DROM or IROM takes its size in flash"}
	}
	if strings.HasPrefix(e.Place, "partition ") {
		return []string{
			`make the program smaller: in Cargo.toml, [profile.release] opt-level = "s", lto = "fat"`,
			"or give the partition more room in the partition table",
		}
	}
	return nil
}

// SegmentsError is a program in more pieces than the boot chain loads.
type SegmentsError struct {
	Count int
}

func (e *SegmentsError) Error() string {
	return fmt.Sprintf("the image has %d segments; the boot chain loads at most %d", e.Count, maxSegments)
}

// Hints returns what to do about it.
func (e *SegmentsError) Hints() []string {
	return []string{"let the linker script join neighbouring sections: each gap between loaded sections costs a segment"}
}

// MapError is two segments that cannot be mapped at the same time.
type MapError struct {
	A, B     string // "section .rodata", "the gap between the sections .a and .b", "segment 3"
	Page     uint32 // offset of the contested page in the windows of both buses
	PageSize uint32
}

func (e *MapError) Error() string {
	c := chip.ESP32C3()
	return fmt.Sprintf("%s and %s need different flash pages at one entry of the MMU, which serves 0x%08x and 0x%08x",
		e.A, e.B, c.DROM.Start+e.Page, c.IROM.Start+e.Page)
}

// Hints returns what to do about it.
func (e *MapError) Hints() []string {
	return []string{"let the linker script start IROM's sections at the address that follows DROM's last one, modulo 8 MiB, as esp-hal's and ESP-IDF's do"}
}

// OverlapError is two sections of an ELF that claim the same addresses.
type OverlapError struct {
	A, B string // section names
	Addr uint32 // first address in dispute
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("sections %s and %s overlap at 0x%08x", e.A, e.B, e.Addr)
}

// Hints returns what to do about it.
func (e *OverlapError) Hints() []string {
	return []string{"one of them is probably missing (INFO) in the linker script"}
}

// AliasError is two sections of an ELF at different addresses of the same memory.
type AliasError struct {
	A, B        string // section names: of instructions, of data
	Addr, Alias uint32 // the first byte in dispute, on the two buses
}

func (e *AliasError) Error() string {
	return fmt.Sprintf("sections %s and %s overlap: 0x%08x and 0x%08x are the same byte of SRAM", e.A, e.B, e.Addr, e.Alias)
}

// Hints returns what to do about it.
func (e *AliasError) Hints() []string {
	return []string{"esp-hal's linker script places " + e.B + " by the size of " + e.A + ": nothing in " + e.A + " may be aligned to more than 4 bytes"}
}

// FlashSizeError is a number of bytes that no flash chip of an ESP32-C3 has.
type FlashSizeError struct {
	Size int64
}

func (e *FlashSizeError) Error() string {
	s := fmt.Sprintf("a flash image of %d bytes: not a flash size (1, 2, 4, 8 or 16 MiB)", e.Size)
	for _, size := range sizes() {
		if d := e.Size - int64(size); d != 0 && -4096 < d && d < 4096 {
			word := "more than"
			if d < 0 {
				word, d = "less than", -d
			}
			s += fmt.Sprintf("; it is %d bytes %s %d MiB", d, word, size>>20)
		}
	}
	return s
}

// Hints returns what to do about it.
func (e *FlashSizeError) Hints() []string {
	return []string{"was the file cut short, or did something append to it? An image of a whole flash has exactly the chip's size"}
}

// FormatError is bytes that are not what they should be.
type FormatError struct {
	Offset int // byte in the input
	Text   string
}

func (e *FormatError) Error() string {
	if e.Offset == 0 {
		return e.Text
	}
	return fmt.Sprintf("byte 0x%x: %s", e.Offset, e.Text)
}

// Hints returns nothing: what such bytes should have been is not known.
func (e *FormatError) Hints() []string { return nil }

// placeError is a section at an address where nothing can be loaded.
func placeError(section string, addr uint32) error {
	return &ChipError{
		Found:    chip.Candidates(addr),
		Evidence: fmt.Sprintf("section %s is placed at 0x%08x, where the ESP32-C3 has no memory for it", section, addr),
	}
}

func hintList(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
