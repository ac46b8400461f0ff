package chip

import "testing"

func TestRegion(t *testing.T) {
	c := ESP32C3()
	tests := []struct {
		addr uint32
		want string
	}{
		{0x3c00_0020, "DROM"},
		{0x3c7f_ffff, "DROM"},
		{0x3c80_0000, ""},
		{0x4200_0020, "IROM"},
		{0x4280_0000, ""},
		{0x4037_c000, "IRAM"},
		{0x4037_bfff, ""},
		{0x3fc8_0000, "DRAM"},
		{0x3fcd_ffff, "DRAM"},
		{0x5000_1fff, "RTC"},
		{0x4080_0000, ""},
		{0, ""},
	}
	for _, tt := range tests {
		name, r, ok := c.Region(tt.addr)
		if name != tt.want || ok != (tt.want != "") {
			t.Errorf("Region(0x%08x) = %q, %v; want %q", tt.addr, name, ok, tt.want)
		}
		if ok && !r.Contains(tt.addr) {
			t.Errorf("Region(0x%08x) gives %v, which does not contain it", tt.addr, r)
		}
		if got := c.InFlash(tt.addr); got != (tt.want == "IROM" || tt.want == "DROM") {
			t.Errorf("InFlash(0x%08x) = %v", tt.addr, got)
		}
	}
}

func TestHolds(t *testing.T) {
	r := Range{0xffff_f000, 0xffff_ffff}
	for _, tt := range []struct {
		addr uint32
		size int
		want bool
	}{
		{0xffff_f000, 0xfff, true},
		{0xffff_f000, 0x1000, false},
		{0xffff_fffe, 16, false}, // addr+size passes 2^32
		{0x10, 1, false},
	} {
		if got := r.Holds(tt.addr, tt.size); got != tt.want {
			t.Errorf("Holds(0x%08x, %d) = %v", tt.addr, tt.size, got)
		}
	}
}

func TestNames(t *testing.T) {
	if got := NameOf(ESP32C3().ID); got != ESP32C3().Name {
		t.Errorf("NameOf(own id) = %q", got)
	}
	if got := NameOf(0xfffe); got != "" {
		t.Errorf("NameOf(unknown) = %q", got)
	}
	// No address of the C3 itself may raise a suspicion.
	c := ESP32C3()
	for _, r := range []Range{c.IROM, c.DROM, c.IRAM, c.DRAM, c.RTC} {
		for _, addr := range []uint32{r.Start, r.End - 1} {
			if s := Candidates(addr); s != "" {
				t.Errorf("Candidates(0x%08x) = %q, but the address is the C3's own", addr, s)
			}
		}
	}
	if got := Candidates(0x4080_0000); got == "" {
		t.Error("an ESP32-C6 address raises no suspicion")
	}
}
