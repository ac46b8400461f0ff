package c3

import "espalier.dev/espalier/emu/chip"

const (
	apbRndData   = 0xb0 // TRM 25.4
	apbWiFiClock = 0x14

	// modemClocks are the clocks in WIFI_CLK_EN that the radio requires, those
	// common to Wi-Fi and Bluetooth (SYSTEM_WIFI_CLK_WIFI_BT_COMMON_M of
	// ESP-IDF).
	modemClocks = 0x0078078f
)

// apbCtrl is APB_CTRL (SYSCON), TRM 16.5, with the register of the random
// number generator, TRM 25. The generator is seeded by the Config: the same
// board reads the same numbers. A constant would not do: the second-stage
// bootloader would stay in its entropy loop.
type apbCtrl struct {
	block
	s     struct{ Random uint64 }
	modem func() // called after the clocks of the radio have been switched
}

func newAPBCtrl(seed uint64) *apbCtrl {
	a := &apbCtrl{}
	a.s.Random = seed
	a.block = newBlock("APB_CTRL", 0x60026000, []reg{
		{0x00, "SYSCLK_CONF", 1}, {0x04, "TICK_CONF", 0x10727}, {0x08, "CLK_OUT_EN", 0x7ff}, {0x0c, "WIFI_BB_CFG", 0}, {0x10, "WIFI_BB_CFG_2", 0},
		{apbWiFiClock, "WIFI_CLK_EN", 0xfffce030}, {0x18, "WIFI_RST_EN", 0}, {0x1c, "HOST_INF_SEL", 0}, {0x20, "EXT_MEM_PMS_LOCK", 0},
		{0x28, "FLASH_ACE0_ATTR", 3}, {0x2c, "FLASH_ACE1_ATTR", 3}, {0x30, "FLASH_ACE2_ATTR", 3}, {0x34, "FLASH_ACE3_ATTR", 3},
		{0x38, "FLASH_ACE0_ADDR", 0}, {0x3c, "FLASH_ACE1_ADDR", 0x400000}, {0x40, "FLASH_ACE2_ADDR", 0x800000}, {0x44, "FLASH_ACE3_ADDR", 0xc00000},
		{0x48, "FLASH_ACE0_SIZE", 0x400}, {0x4c, "FLASH_ACE1_SIZE", 0x400}, {0x50, "FLASH_ACE2_SIZE", 0x400}, {0x54, "FLASH_ACE3_SIZE", 0x400},
		{0x88, "SPI_MEM_PMS_CTRL", 0}, {0x8c, "SPI_MEM_REJECT_ADDR", 0}, {0x90, "SDIO_CTRL", 0}, {0x94, "REDCY_SIG0", 0}, {0x98, "REDCY_SIG1", 0},
		{0x9c, "FRONT_END_MEM_PD", 0x15}, {0xa0, "RETENTION_CTRL", 0}, {0xa4, "CLKGATE_FORCE_ON", 0x3f}, {0xa8, "MEM_POWER_DOWN", 0},
		{0xac, "MEM_POWER_UP", 0x3f}, {apbRndData, "RND_DATA", 0}, {0xb4, "PERI_BACKUP_CONFIG", 0x6480}, {0x3fc, "DATE", 0x2007210},
	})
	a.mark(varies, apbRndData)
	return a
}

func (a *apbCtrl) read(off uint32) uint32 {
	if off == apbRndData {
		return a.random()
	}
	return a.block.read(off)
}

func (a *apbCtrl) write(off, v uint32) {
	if off != apbRndData {
		a.block.write(off, v)
	}
	if off == apbWiFiClock && a.modem != nil {
		a.modem()
	}
}

// modemOn reports whether the radio has its clocks.
func (a *apbCtrl) modemOn() bool { return a.get(apbWiFiClock)&modemClocks == modemClocks }

// random advances the generator.
func (a *apbCtrl) random() uint32 { return splitmix(&a.s.Random) }

// splitmix is SplitMix64.
func splitmix(state *uint64) uint32 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return uint32(z >> 32)
}

func (a *apbCtrl) state(s *chip.State) { s.Fixed(&a.words, &a.s) }
