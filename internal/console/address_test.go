package console

import "testing"

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]uint32{
		"0x42001234": 0x42001234, "0X4200ABCD": 0x4200abcd, "42001234": 0x42001234, "0x0": 0, "0x42001234:": 0x42001234,
		"0x42001234,": 0x42001234, "0x42001234:0x3fc8a000": 0x42001234, "3fc8abcd": 0x3fc8abcd,
	} {
		if v, ok := ParseAddress(in); !ok || v != want {
			t.Errorf("%s: 0x%x, %v", in, v, ok)
		}
	}
	for _, in := range []string{"", "log", "uart.log", "cafe", "4200123", "420012345", "0x", "0x142001234", "4200123g", "-"} {
		if v, ok := ParseAddress(in); ok {
			t.Errorf("%q is taken for the address 0x%x", in, v)
		}
	}
}
