package nvs

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Type is the type of a value, as it is stored.
type Type uint8

// The types of values.
const (
	U8     Type = 0x01
	U16    Type = 0x02
	U32    Type = 0x04
	U64    Type = 0x08
	I8     Type = 0x11
	I16    Type = 0x12
	I32    Type = 0x14
	I64    Type = 0x18
	String Type = 0x21
	Blob   Type = 0x48

	blobOld  Type = 0x41 // version 1: a blob in one item, read as Blob
	blobData Type = 0x42 // a chunk
)

// Types returns the names of all types: u8, u16, u32, u64, i8, i16, i32, i64,
// string, blob.
func Types() []string {
	var out []string
	for _, t := range types() {
		out = append(out, t.String())
	}
	return out
}

func types() []Type { return []Type{U8, U16, U32, U64, I8, I16, I32, I64, String, Blob} }

// ParseType returns the type with a name as in Types.
func ParseType(name string) (Type, bool) {
	for _, t := range types() {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

func (t Type) String() string {
	switch t {
	case String:
		return "string"
	case Blob:
		return "blob"
	}
	if !t.integer() {
		return fmt.Sprintf("0x%02x", uint8(t))
	}
	sign := "u"
	if t.signed() {
		sign = "i"
	}
	return sign + strconv.Itoa(t.bytes()*8)
}

func (t Type) integer() bool {
	switch t {
	case U8, U16, U32, U64, I8, I16, I32, I64:
		return true
	}
	return false
}

func (t Type) known() bool  { return t.integer() || t == String || t == Blob }
func (t Type) signed() bool { return t&0xf0 == 0x10 }
func (t Type) bytes() int   { return int(t & 0x0f) }

// Value is a typed value.
type Value struct {
	Type   Type
	Number uint64 // of an integer type; negative numbers in two's complement of 64 bits
	Data   []byte // of a string, without the terminating NUL, or of a blob
}

// Text returns a string value.
func Text(s string) Value { return Value{Type: String, Data: []byte(s)} }

// Bytes returns a blob value.
func Bytes(b []byte) Value { return Value{Type: Blob, Data: b} }

// Integer returns a value of an integer type. It is an error if n does not fit.
//
//	v, err := nvs.Integer(nvs.U8, 6)
func Integer(t Type, n int64) (Value, error) { return Parse(t, strconv.FormatInt(n, 10)) }

// Parse reads a value from text: a number in Go's syntax (42, -1, 0x2a), the text
// of a string as it is, a blob as hexadecimal digits or, after "base64:", as RFC
// 4648 has it.
func Parse(t Type, text string) (Value, error) {
	switch {
	case t == String:
		v := Text(text)
		return v, v.check()
	case t == Blob:
		b, err := parseBytes(text)
		return Bytes(b), err
	case !t.integer():
		return Value{}, fmt.Errorf("unknown type %s", t)
	}
	bits := t.bytes() * 8
	if t.signed() {
		n, err := strconv.ParseInt(text, 0, bits)
		if err != nil {
			return Value{}, fmt.Errorf("%q is not an %s: want a number from %d to %d", text, t, int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits))
		}
		return Value{Type: t, Number: uint64(n)}, nil
	}
	n, err := strconv.ParseUint(text, 0, bits)
	if err != nil {
		return Value{}, fmt.Errorf("%q is not a %s: want a number from 0 to %d", text, t, uint64(math.MaxUint64)>>(64-bits))
	}
	return Value{Type: t, Number: n}, nil
}

func parseBytes(text string) ([]byte, error) {
	if rest, ok := strings.CutPrefix(text, "base64:"); ok {
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return nil, fmt.Errorf("not base64: %w", err)
		}
		return b, nil
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("a blob is hexadecimal digits, or base64: with base64: %w", err)
	}
	return b, nil
}

// String returns a value as Parse reads it.
func (v Value) String() string {
	switch {
	case v.Type == String:
		return string(v.Data)
	case v.Type == Blob:
		return hex.EncodeToString(v.Data)
	case v.Type.signed():
		return strconv.FormatInt(int64(v.Number), 10)
	}
	return strconv.FormatUint(v.Number, 10)
}

// Equal reports whether two values have the same type and content.
func (v Value) Equal(w Value) bool {
	return v.Type == w.Type && v.Number == w.Number && bytes.Equal(v.Data, w.Data)
}

// check refuses what the format cannot hold.
func (v Value) check() error {
	switch {
	case !v.Type.known():
		return fmt.Errorf("unknown type %s", v.Type)
	case v.Type == String && bytes.IndexByte(v.Data, 0) >= 0:
		return fmt.Errorf("a string cannot have a NUL byte; store it as a blob")
	case v.Type == String && !utf8.Valid(v.Data):
		return fmt.Errorf("a string must be UTF-8; store other bytes as a blob")
	case v.Type == String && len(v.Data) >= MaxString:
		return fmt.Errorf("a string has at most %d bytes, this one has %d; store it as a blob", MaxString-1, len(v.Data))
	case v.Type == Blob && len(v.Data) > maxChunks*maxChunk:
		return fmt.Errorf("a blob has at most %d bytes, this one has %d", maxChunks*maxChunk, len(v.Data))
	}
	return nil
}

// encodeInteger returns the data of an integer's entry.
func (v Value) encodeInteger() (data [8]byte) {
	copy(data[:], bytes.Repeat([]byte{0xff}, 8))
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v.Number)
	copy(data[:], b[:v.Type.bytes()])
	return data
}

func decodeInteger(t Type, data [8]byte) Value {
	n := binary.LittleEndian.Uint64(data[:])
	shift := 64 - 8*t.bytes()
	if t.signed() {
		return Value{Type: t, Number: uint64(int64(n<<shift) >> shift)}
	}
	return Value{Type: t, Number: n << shift >> shift}
}
