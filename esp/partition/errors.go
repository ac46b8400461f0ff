package partition

import (
	"fmt"
	"strings"
)

// SyntaxError is a field of a CSV that cannot be read.
type SyntaxError struct {
	Line, Col int // 1-based; the column counts bytes
	Text      string
	Hint      string // what to write instead; may be empty
}

func (e *SyntaxError) Error() string { return atLine(e) }

// Position returns line and column, and the text without them, for callers
// that print them after a file name.
func (e *SyntaxError) Position() (line, col int, text string) { return e.Line, e.Col, e.Text }

// Hints returns what to do about it.
func (e *SyntaxError) Hints() []string { return nonEmpty(e.Hint) }

// RuleError is a partition that breaks a rule of the format.
type RuleError struct {
	Entry Entry
	Text  string // "has offset 0x9100, not a multiple of 0x1000"
	Hint  string
}

func (e *RuleError) Error() string { return atLine(e) }

// Position returns the line, 0 when the table was no CSV, and the text without
// it.
func (e *RuleError) Position() (line, col int, text string) {
	return e.Entry.Line, 0, fmt.Sprintf("partition %s: %s", e.Entry.Name, e.Text)
}

// Hints returns what to do about it.
func (e *RuleError) Hints() []string { return nonEmpty(e.Hint) }

// OverlapError is two partitions that claim the same bytes.
type OverlapError struct {
	A, B Entry // A starts first
}

func (e *OverlapError) Error() string { return atLine(e) }

// Position returns the later of the two lines, 0 when the table was no CSV,
// and the text without it.
func (e *OverlapError) Position() (line, col int, text string) {
	return max(e.A.Line, e.B.Line), 0,
		fmt.Sprintf("partitions %s and %s overlap by %d bytes", e.A, e.B, min(e.A.End(), e.B.End())-uint64(e.B.Offset))
}

// Hints returns what to do about it.
func (e *OverlapError) Hints() []string {
	return []string{fmt.Sprintf("leave the offset of %s empty: it then follows the partition of the line before", e.B.Name)}
}

// FitError is a partition that ends after the end of the flash.
type FitError struct {
	Entry     Entry
	FlashSize uint32 // bytes
	TableEnd  uint64 // where the last partition of the table ends
}

func (e *FitError) Error() string { return atLine(e) }

// Position returns the line, 0 when the table was no CSV, and the text without
// it.
func (e *FitError) Position() (line, col int, text string) {
	return e.Entry.Line, 0,
		fmt.Sprintf("partition %s ends %d bytes after the end of a flash of %d KiB", e.Entry, e.Entry.End()-uint64(e.FlashSize), e.FlashSize>>10)
}

// Hints returns what to do about it.
func (e *FitError) Hints() []string {
	for size := uint64(1 << 20); size <= LargestFlash; size *= 2 {
		if e.TableEnd <= size {
			return []string{fmt.Sprintf("--flash-size %dMB   # if the board has it: all partitions fit", size>>20), "make the partitions smaller"}
		}
	}
	return []string{fmt.Sprintf("make the partitions smaller: they end at 0x%x, and no flash of an ESP32-C3 is larger than 0x%x (16 MiB)", e.TableEnd, LargestFlash)}
}

// NoPartitionError is a table without the partition that was asked for.
type NoPartitionError struct {
	Name string // empty: any partition of type app
	Have []string
}

func (e *NoPartitionError) Error() string {
	if e.Name == "" {
		return "the partition table has no partition of type app"
	}
	return fmt.Sprintf("the partition table has no partition called %s", e.Name)
}

// Hints returns what to do about it.
func (e *NoPartitionError) Hints() []string {
	if len(e.Have) == 0 {
		return nil
	}
	return []string{"it has " + list(e.Have)}
}

// FormatError is a binary table that cannot be read.
type FormatError struct {
	Offset int // byte in the table
	Text   string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("partition table, byte 0x%x: %s", e.Offset, e.Text)
}

// Hints returns nothing: what such bytes should have been is not known.
func (e *FormatError) Hints() []string { return nil }

// DigestError is a binary table whose MD5 does not match its entries.
type DigestError struct {
	Want, Got [16]byte // as written in the table; of its entries
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("partition table: md5 mismatch: the table says %x, its entries have %x", e.Want, e.Got)
}

// Hints returns what to do about it.
func (e *DigestError) Hints() []string {
	return []string{"the table was changed or damaged after it was made; the bootloader refuses it too"}
}

// atLine is an error's text with its position in front.
func atLine(e interface{ Position() (int, int, string) }) string {
	switch line, col, text := e.Position(); {
	case line == 0:
		return text
	case col == 0:
		return fmt.Sprintf("line %d: %s", line, text)
	default:
		return fmt.Sprintf("line %d, column %d: %s", line, col, text)
	}
}

func nonEmpty(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return []string{s}
}
