package chip

// NameOf returns the name that belongs to the chip number of an image header,
// "" for a number that no known chip has.
func NameOf(id uint16) string {
	switch id {
	case 0:
		return "esp32"
	case 2:
		return "esp32s2"
	case 5:
		return "esp32c3"
	case 9:
		return "esp32s3"
	case 12:
		return "esp32c2"
	case 13:
		return "esp32c6"
	case 16:
		return "esp32h2"
	case 18:
		return "esp32p4"
	case 20:
		return "esp32c61"
	case 23:
		return "esp32c5"
	case 28:
		return "esp32h4"
	case 32:
		return "esp32s31"
	}
	return ""
}

// Candidates names the RISC-V relatives of the ESP32-C3 that have memory at
// addr, where the ESP32-C3 has none; "" when no relative has either. Several
// chips share an address map, so the answer may name more than one.
func Candidates(addr uint32) string {
	switch {
	case Range{0x4080_0000, 0x4088_0000}.Contains(addr): // high-performance SRAM, one map for code and data
		return "esp32c5, esp32c6, esp32c61 or esp32h2"
	case Range{0x4280_0000, 0x4400_0000}.Contains(addr): // flash beyond the C3's 8 MiB window
		return "esp32c5, esp32c6, esp32c61 or esp32h2"
	case Range{0x4ff0_0000, 0x4ffc_0000}.Contains(addr), Range{0x4000_0000, 0x4037_0000}.Contains(addr):
		return "esp32p4"
	case Range{0x2f00_0000, 0x2f08_0000}.Contains(addr):
		return "esp32s31"
	}
	return ""
}
