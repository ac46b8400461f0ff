package reapi

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message is any message of this package.
type Message interface {
	encode(*encoder)
	field(n protowire.Number, v value) (known bool, err error)
	rest() *[]byte
}

// Marshal returns the encoding of a message with its fields in the order of
// their numbers, which the API asks for (comment on its Digest message). The
// error is a string that is not UTF-8.
func Marshal(m Message) ([]byte, error) {
	e := &encoder{}
	e.body(m)
	return e.b, e.err
}

// Unmarshal decodes b into m, which should be new. Strings that are not UTF-8
// and bytes that are not fields are errors.
func Unmarshal(b []byte, m Message) error {
	for len(b) > 0 {
		n, typ, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(n, typ, b[tag:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		v := value{typ: typ}
		switch typ {
		case protowire.VarintType:
			v.number, _ = protowire.ConsumeVarint(b[tag:])
		case protowire.BytesType:
			v.bytes, _ = protowire.ConsumeBytes(b[tag:])
		}
		known, err := m.field(n, v)
		if err != nil {
			return err
		}
		if !known {
			*m.rest() = append(*m.rest(), b[:tag+size]...)
		}
		b = b[tag+size:]
	}
	return nil
}

// unknown holds the fields of a message that its type does not have.
type unknown struct{ fields []byte }

func (u *unknown) rest() *[]byte { return &u.fields }

var errUTF8 = errors.New("a string is not UTF-8")

// encoder appends fields. As in proto3, a scalar that is zero is left out.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) body(m Message) {
	m.encode(e)
	e.b = append(e.b, *m.rest()...)
}

func (e *encoder) text(n protowire.Number, s string) {
	if s != "" {
		e.element(n, s)
	}
}

// element appends one element of a repeated string, also an empty one.
func (e *encoder) element(n protowire.Number, s string) {
	if !utf8.ValidString(s) {
		e.err = fmt.Errorf("%w: %q", errUTF8, s)
	}
	e.b = protowire.AppendTag(e.b, n, protowire.BytesType)
	e.b = protowire.AppendString(e.b, s)
}

func (e *encoder) texts(n protowire.Number, list []string) {
	for _, s := range list {
		e.element(n, s)
	}
}

func (e *encoder) integer(n protowire.Number, v int64) {
	if v != 0 {
		e.b = protowire.AppendTag(e.b, n, protowire.VarintType)
		e.b = protowire.AppendVarint(e.b, uint64(v))
	}
}

func (e *encoder) boolean(n protowire.Number, v bool) {
	if v {
		e.integer(n, 1)
	}
}

// data appends bytes, which may be anything.
func (e *encoder) data(n protowire.Number, b []byte) {
	if len(b) > 0 {
		e.b = protowire.AppendTag(e.b, n, protowire.BytesType)
		e.b = protowire.AppendBytes(e.b, b)
	}
}

// enums appends a repeated enumeration, packed.
func (e *encoder) enums(n protowire.Number, all []int32) {
	if len(all) == 0 {
		return
	}
	var packed []byte
	for _, v := range all {
		packed = protowire.AppendVarint(packed, uint64(int64(v)))
	}
	e.data(n, packed)
}

func (e *encoder) digest(n protowire.Number, d *Digest) {
	if d != nil {
		e.message(n, d)
	}
}

func (e *encoder) message(n protowire.Number, m Message) {
	inner := &encoder{}
	inner.body(m)
	if inner.err != nil {
		e.err = inner.err
	}
	e.b = protowire.AppendTag(e.b, n, protowire.BytesType)
	e.b = protowire.AppendBytes(e.b, inner.b)
}

// value is the value of one field. The methods report whether it has the wire
// type of theirs; a known field of another type counts as unknown.
type value struct {
	typ    protowire.Type
	number uint64
	bytes  []byte
}

func (v value) text(to *string) (bool, error) {
	if v.typ != protowire.BytesType {
		return false, nil
	}
	if !utf8.Valid(v.bytes) {
		return true, errUTF8
	}
	*to = string(v.bytes)
	return true, nil
}

func (v value) appendText(to *[]string) (bool, error) {
	var s string
	known, err := v.text(&s)
	if known && err == nil {
		*to = append(*to, s)
	}
	return known, err
}

func (v value) integer(to *int64) (bool, error) {
	if v.typ != protowire.VarintType {
		return false, nil
	}
	*to = int64(v.number)
	return true, nil
}

func (v value) boolean(to *bool) (bool, error) {
	if v.typ != protowire.VarintType {
		return false, nil
	}
	*to = protowire.DecodeBool(v.number)
	return true, nil
}

// data copies: the input may be a buffer that is used again.
func (v value) data(to *[]byte) (bool, error) {
	if v.typ != protowire.BytesType {
		return false, nil
	}
	*to = append([]byte(nil), v.bytes...)
	return true, nil
}

// enum is an int32 or an enumeration.
func (v value) enum(to *int32) (bool, error) {
	if v.typ != protowire.VarintType {
		return false, nil
	}
	*to = int32(v.number)
	return true, nil
}

// enums appends one element, or several that are packed.
func (v value) enums(to *[]int32) (bool, error) {
	switch v.typ {
	case protowire.VarintType:
		*to = append(*to, int32(v.number))
	case protowire.BytesType:
		for b := v.bytes; len(b) > 0; {
			one, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return true, protowire.ParseError(size)
			}
			*to = append(*to, int32(one))
			b = b[size:]
		}
	default:
		return false, nil
	}
	return true, nil
}

// one decodes a message field. When it occurs twice the second is merged into
// the first, as the wire format says.
func one[T any, P interface {
	*T
	Message
}](v value, to *P) (bool, error) {
	if v.typ != protowire.BytesType {
		return false, nil
	}
	if *to == nil {
		*to = new(T)
	}
	return true, Unmarshal(v.bytes, *to)
}

// many decodes one element of a repeated message field.
func many[T any, P interface {
	*T
	Message
}](v value, to *[]P) (bool, error) {
	if v.typ != protowire.BytesType {
		return false, nil
	}
	m := P(new(T))
	if err := Unmarshal(v.bytes, m); err != nil {
		return true, err
	}
	*to = append(*to, m)
	return true, nil
}

func list[P Message](e *encoder, n protowire.Number, all []P) {
	for _, m := range all {
		e.message(n, m)
	}
}
