package size

import (
	"cmp"
	"fmt"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/order"
)

// Report is the space of one firmware; sizes in bytes.
type Report struct {
	File string `json:"file,omitempty"`

	Flash uint64 `json:"flash"` // code, constants and initial values, as they are in the image's segments
	RAM   uint64 `json:"ram"`   // code in RAM, statics and heaps that are statics; not the stack
	Stack uint64 `json:"stack"` // what the linker script leaves to the main stack

	Sections  []Section `json:"sections"`
	Owners    []Owner   `json:"owners"`    // by flash, then by RAM
	Functions []Symbol  `json:"functions"` // by size
	Statics   []Symbol  `json:"statics"`   // by size
	ROM       []string  `json:"rom,omitempty"`

	DebugUnits int      `json:"debug-units"` // 0: inlined code is in the function around it
	Libraries  []string `json:"libraries,omitempty"`
	Chip       string   `json:"chip,omitempty"`
}

// Address is written as "0x42000020".
type Address uint32

func (a Address) String() string { return fmt.Sprintf("0x%08x", uint32(a)) }

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Class is what a section takes.
type Class string

// Classes of sections.
const (
	Flash         Class = "flash"           // mapped from the flash
	FlashAndRAM   Class = "flash and ram"   // copied to RAM by the bootloader
	RAM           Class = "ram"             // zeroed or left as it is
	StackSection  Class = "stack"           // the rest of the RAM
	OtherSideOnly Class = "alias"           // reserves addresses that another section uses through the other bus
	Nowhere       Class = "outside of chip" // at addresses that the chip does not have
)

// Section is an allocated section. The sizes of its owners add up to Size.
type Section struct {
	Name    string           `json:"name"`
	Address Address          `json:"address"`
	Size    uint64           `json:"size"`
	Region  string           `json:"region,omitempty"`
	Class   Class            `json:"class"`
	Owners  map[string]Parts `json:"owners"`
}

// Parts is the space of one owner by kind.
type Parts struct {
	Code      uint64 `json:"code,omitempty"`
	Inlined   uint64 `json:"inlined,omitempty"` // code inlined into functions of others
	Data      uint64 `json:"data,omitempty"`    // named statics and constants
	Constants uint64 `json:"constants,omitempty"`
	Other     uint64 `json:"other,omitempty"` // padding, stack, aliases, unattributed
}

// Sum is the space of all kinds.
func (p Parts) Sum() uint64 { return p.Code + p.Inlined + p.Data + p.Constants + p.Other }

func (p *Parts) add(kind kind, n uint64) {
	switch kind {
	case kindCode:
		p.Code += n
	case kindInlined:
		p.Inlined += n
	case kindData:
		p.Data += n
	case kindConstant:
		p.Constants += n
	default:
		p.Other += n
	}
}

// Kind of owner.
type Kind string

// Kinds of owners.
const (
	Crate   Kind = "crate"
	Library Kind = "library" // a static library, often the chip vendor's
	None    Kind = "none"    // padding, stack and the like, in parentheses
)

// Owner is a crate, a static library or one of the names in parentheses.
type Owner struct {
	Name     string   `json:"name"`
	Kind     Kind     `json:"kind"`
	Versions []string `json:"versions,omitempty"` // that the debug information shows
	Flash    uint64   `json:"flash"`
	RAM      uint64   `json:"ram"`
	Parts    Parts    `json:"parts"` // of both; what is in flash and RAM counts once
}

// Symbol is a function or a static.
type Symbol struct {
	Name    string  `json:"name"`
	Linker  string  `json:"linker"`
	Owner   string  `json:"owner"`
	Section string  `json:"section"`
	Address Address `json:"address"`
	Size    uint64  `json:"size"`
	Inlined uint64  `json:"inlined,omitempty"` // bytes of other owners in it
}

// Names of owners that are neither crate nor library.
const (
	Padding      = "(padding)"
	Unattributed = "(unattributed)"
	StackOwner   = "(stack)"
	AliasOwner   = "(alias)"
	Libs         = "(C and assembly)" // symbols that are not Rust's, of no known library
)

func classOf(s firmware.Section) Class {
	ram := s.Region == "iram" || s.Region == "dram" || s.Region == "rtc"
	switch {
	case s.Region == "":
		return Nowhere
	case s.Name == ".stack" && !s.Loaded:
		return StackSection
	case !s.Loaded && (!ram || isDummy(s.Name)):
		return OtherSideOnly
	case s.Loaded && ram:
		return FlashAndRAM
	case s.Loaded:
		return Flash
	}
	return RAM
}

func (c Class) inFlash() bool { return c == Flash || c == FlashAndRAM }
func (c Class) inRAM() bool   { return c == RAM || c == FlashAndRAM }

// Owner returns the owner of a name; "-" and "_" are the same in it.
func (r *Report) Owner(name string) (Owner, bool) {
	for _, o := range r.Owners {
		if SameCrate(o.Name, name) {
			return o, true
		}
	}
	return Owner{}, false
}

// SameCrate compares names as cargo does: "-" and "_" are the same.
func SameCrate(a, b string) bool { return normal(a) == normal(b) }

func (r *Report) sort() {
	order.Sort(r.Owners, func(a, b Owner) int {
		return cmp.Or(cmp.Compare(b.Flash, a.Flash), cmp.Compare(b.RAM, a.RAM), cmp.Compare(a.Name, b.Name))
	})
	for _, list := range [][]Symbol{r.Functions, r.Statics} {
		order.Sort(list, func(a, b Symbol) int {
			return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
		})
	}
}
