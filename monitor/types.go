package monitor

import (
	"time"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/firmware/defmt"
)

// Stream names where bytes come from. Streams are split into lines
// independently of each other.
type Stream string

// The streams of an ESP32-C3.
const (
	UART0 Stream = "uart0"
	USB   Stream = "usb" // USB-Serial-JTAG
)

// MaxLine is the longest line in bytes that is kept whole; the rest of a
// longer one follows as lines with Continued set. It is large because
// esp-backtrace prints a stack of up to 32 KiB as one line of hex digits.
const MaxLine = 128 << 10

// Sink receives what the monitor makes. It is called synchronously from
// Write, Tick, Flush, Timeout and Close, in order.
type Sink interface {
	// Line is called for every line. line.Raw is valid during the call only.
	Line(line Line)
	// Report is called once per crash, after the last line that belongs to it.
	Report(r *Report)
}

// Line is one line of text, or a piece of one.
type Line struct {
	Stream    Stream
	At        time.Duration // when its first byte came
	Number    int           // counts the lines of a stream from 1; pieces of a line share it
	Text      string        // valid UTF-8, one line, harmless to a terminal (see docs/monitor.md)
	Raw       []byte        // the bytes as they came, without the line end
	End       End
	Continued bool  // the piece before it ended with Partial or Cut
	Class     Class // whose line it is
	Notes     []Note

	// Of a frame of defmt, whose Text is "timestamp level message". Further
	// lines of one message have Continued set and no timestamp and level.
	Logged  bool
	Level   defmt.Level
	Stamp   string          // the timestamp, "" without one
	Message string          // Text without timestamp and level
	Place   *defmt.Location // of the log statement; nil if unknown; shared
}

// End says how a line ended.
type End uint8

// Line ends.
const (
	Newline End = iota // LF, or any number of CR and an LF
	Return             // a lone CR: the next line overwrites this one on a terminal
	Partial            // nothing yet: Flush or Close
	Cut                // longer than MaxLine
)

// Class says whose line it is.
type Class uint8

// Classes of lines.
const (
	Program Class = iota // the user's program
	Boot                 // mask ROM and second-stage bootloader
	Crash                // part of a crash whose Report follows
)

// String returns the name used in JSON events.
func (c Class) String() string {
	switch c {
	case Boot:
		return "boot"
	case Crash:
		return "crash"
	}
	return "program"
}

// Note is a code address in a line and what is there.
type Note struct {
	Start, End int // of the address in Line.Text, in bytes
	Addr       uint32
	Frames     []firmware.Frame // innermost first, never empty; shared, not to be changed
}

// Kind says what kind of crash a report is about.
type Kind uint8

// Kinds of crashes.
const (
	Panic         Kind = iota // a Rust panic
	Exception                 // a CPU exception reported by esp-hal or esp-backtrace
	StackOverflow             // a stack guard or a stack pointer outside of RAM
	Guru                      // register dump of ESP-IDF or of the mask ROM
	Abort                     // abort() or a failed C assertion
	Watchdog                  // the chip was reset by a watchdog
	Brownout                  // the chip was reset because its supply failed
	ResetLoop                 // the chip keeps resetting
	BootFailure               // ROM or bootloader refuses what is in flash
)

var kindNames = [...]string{"panic", "exception", "stack-overflow", "guru-meditation", "abort", "watchdog-reset", "brownout", "reset-loop", "boot-failure"}

// String returns the name used in JSON events.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Report is one crash, folded from all its lines.
type Report struct {
	Kind      Kind
	Stream    Stream
	At        time.Duration // of its first line
	Core      string        // as the firmware names it ("ProCpu", "0"), "" if it does not
	Message   string        // one or more lines
	Location  string        // file:line:column as the firmware printed it, "" if it did not
	Registers []Register    // in the order printed
	Frames    []ReportFrame // innermost call first, each address once
	Stack     *StackDump    // raw stack, if the firmware printed one
	Hints     []string      // what would make the next report better
	FirstLine int           // Line.Number of its first and last line
	LastLine  int
}

// Register is one register of a dump. Names are lower case: ra, sp, mepc.
type Register struct {
	Name  string
	Value uint32
}

// ReportFrame is one address of a backtrace.
type ReportFrame struct {
	Addr   uint32
	Role   string           // "pc", "ra", "backtrace", "saved-pc", "stack-dump"
	Frames []firmware.Frame // all inline frames, innermost first; empty if nothing is known
	// Plumbing: every function here only carries a panic to its handler
	// (core::panicking, esp_backtrace, the exception entry).
	Plumbing bool
}

// StackDump is a piece of stack memory as the firmware printed it, kept for
// unwinding.
type StackDump struct {
	PC, SP uint32 // 0 if not printed
	Data   []byte // memory from SP upwards
}
