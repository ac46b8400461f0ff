package partition

import (
	"fmt"
	"strings"
)

// Type is what a partition holds.
type Type uint8

// The types that ESP-IDF defines; 0x40 to 0xfe belong to applications.
const (
	App            Type = 0
	Data           Type = 1
	Bootloader     Type = 2
	PartitionTable Type = 3
)

// Subtype refines a Type.
type Subtype uint8

// Subtypes that have rules or defaults of their own.
const (
	AppFactory    Subtype = 0x00
	AppOTA0       Subtype = 0x10 // slot n is 0x10+n, up to 15
	AppTest       Subtype = 0x20
	DataOTA       Subtype = 0x00 // the otadata partition
	DataPHY       Subtype = 0x01
	DataNVS       Subtype = 0x02
	DataCoredump  Subtype = 0x03
	DataUndefined Subtype = 0x06
)

// Flags are properties of a partition.
type Flags uint32

// The known flags.
const (
	Encrypted Flags = 1 << 0
	ReadOnly  Flags = 1 << 1
)

type typeName struct {
	t    Type
	name string
}

type subtypeName struct {
	t    Type
	s    Subtype
	name string
}

func typeNames() []typeName {
	return []typeName{{App, "app"}, {Data, "data"}, {Bootloader, "bootloader"}, {PartitionTable, "partition_table"}}
}

func subtypeNames() []subtypeName {
	out := []subtypeName{{App, AppFactory, "factory"}, {App, AppTest, "test"}}
	for i := range 16 {
		out = append(out, subtypeName{App, AppOTA0 + Subtype(i), fmt.Sprintf("ota_%d", i)})
	}
	for i, name := range []string{"ota", "phy", "nvs", "coredump", "nvs_keys", "efuse", "undefined"} {
		out = append(out, subtypeName{Data, Subtype(i), name})
	}
	for i, name := range []string{"esphttpd", "fat", "spiffs", "littlefs"} {
		out = append(out, subtypeName{Data, 0x80 + Subtype(i), name})
	}
	for _, t := range []Type{Bootloader, PartitionTable} {
		for i, name := range []string{"primary", "ota", "recovery"} {
			out = append(out, subtypeName{t, Subtype(i), name})
		}
	}
	return out
}

// String returns the CSV's word for the type, a number where there is none.
func (t Type) String() string {
	for _, n := range typeNames() {
		if n.t == t {
			return n.name
		}
	}
	return fmt.Sprintf("0x%02x", uint8(t))
}

// SubtypeName returns the CSV's word for a subtype of t, a number where there
// is none.
func SubtypeName(t Type, s Subtype) string {
	for _, n := range subtypeNames() {
		if n.t == t && n.s == s {
			return n.name
		}
	}
	return fmt.Sprintf("0x%02x", uint8(s))
}

// String returns the CSV's form: names joined with colons, unknown bits as a
// number.
func (f Flags) String() string {
	var out []string
	if f&Encrypted != 0 {
		out = append(out, "encrypted")
	}
	if f&ReadOnly != 0 {
		out = append(out, "readonly")
	}
	if rest := f &^ (Encrypted | ReadOnly); rest != 0 {
		out = append(out, fmt.Sprintf("0x%x", uint32(rest)))
	}
	return strings.Join(out, ":")
}
