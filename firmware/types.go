package firmware

// Range is a half-open address range [Start, End). End is 64-bit so that a
// range may reach the top of the address space.
type Range struct {
	Start uint32
	End   uint64
}

// Contains reports whether addr lies in r.
func (r Range) Contains(addr uint32) bool { return addr >= r.Start && uint64(addr) < r.End }

// Symbol is one entry of the symbol table.
type Symbol struct {
	Name   string // demangled; equal to Linker if it was not mangled
	Linker string // as the linker knows it
	Addr   uint32
	Size   uint32 // 0 if the table does not say
	Func   bool   // STT_FUNC
	Global bool   // global or weak binding
	Abs    bool   // SHN_ABS: an address given by a linker script, e.g. a ROM function

	section uint16 // index of its section
}

// Frame is one function at an address. Frames of one address are listed from
// the innermost inlined function to the real function that contains them all.
type Frame struct {
	Addr     uint32 // the address asked for
	Function string // demangled, "" if unknown
	Linker   string // mangled name, "" if unknown
	File     string // shortened for people, see ShortPath; "" if unknown
	Path     string // as the compiler wrote it, joined with its directories
	Line     int    // 0 if unknown
	Column   int    // 0 if unknown
	Inline   bool   // inlined into the next frame
	Offset   uint32 // Addr minus the start of the real function; 0 in inlined frames
	Source   Source // where the names come from
}

// Source says how much a Frame can be trusted.
type Source uint8

// Sources of a frame, best first.
const (
	FromDWARF   Source = iota // debug information
	FromSymbols               // symbol table only: function and offset, no line
)

// Section is one section that takes space in a memory of the chip.
type Section struct {
	Name   string
	Addr   uint32
	Size   uint32
	Loaded bool // has bytes in the file (PROGBITS); false: zeroed or reserved
	Exec   bool
	Write  bool
	Region string // name of the memory region, "" if outside of all of them
}

// RegionSize is what a firmware takes of one memory region.
type RegionSize struct {
	Region   string // "irom" "drom" "iram" "dram" "rtc" "rom"
	Range    Range
	Loaded   uint64 // bytes that come from the file (code, constants, initialised data)
	Reserved uint64 // zeroed or uninitialised bytes
	Sections []Section
}

// AppDescriptor is the 256-byte esp_app_desc_t that the second-stage
// bootloader reads (ESP-IDF, app image format).
type AppDescriptor struct {
	Addr             uint32 // where it is linked
	Section          string
	SecureVersion    uint32
	Version          string
	Project          string
	Time, Date       string
	IDFVersion       string
	ELFSHA256        [32]byte // zero in the ELF; filled in when an image is made
	MinEfuseBlockRev uint16   // major*100 + minor
	MaxEfuseBlockRev uint16
	MMUPageLog2      uint8 // 16 = 64 KiB; 0 in old descriptors
}

// Metadata is one entry of the section .espressif.metadata, in which esp
// crates note facts for host tools: bootloader.NAME, build_info.CHIP_NAME,
// build_info.MIN_CHIP_REVISION, espflash.LOG_FORMAT.
type Metadata struct {
	Key, Value string
}
