package c3

import "espalier.dev/espalier/emu/chip"

// SYSTEM registers, TRM 16.4.
const (
	sysCPUPerConf    = 0x08
	sysPeripClkEn0   = 0x10
	sysPeripClkEn1   = 0x14
	sysPeripRstEn0   = 0x18
	sysPeripRstEn1   = 0x1c
	sysFromCPU0      = 0x28
	sysFromCPU3      = 0x34
	sysExternalCrypt = 0x44 // EXTERNAL_DEVICE_ENCRYPT_DECRYPT_CONTROL
	sysSysclkConf    = 0x58
	sysclkSourcePLL  = 1
	sysclkSourceRC   = 2
	sysclkDivEn      = 1 << 19 // read-only: the divider is in use
)

// system is SYSTEM, TRM 16: the clock source of the CPU, resets of other
// blocks, and the four software interrupts.
type system struct {
	block
	soc     *soc
	fromCPU [4]*line
	// resets lists the blocks that are reset by each bit of PERIP_RST_EN0 and 1.
	resets [2][32][]device
}

func newSystem(c *soc) *system {
	y := &system{soc: c}
	for n := range y.fromCPU {
		y.fromCPU[n] = c.intc.source(srcFromCPU0 + uint(n))
	}
	y.block = newBlock("SYSTEM", 0x600c0000, []reg{
		{0x00, "CPU_PERI_CLK_EN", 0}, {0x04, "CPU_PERI_RST_EN", 0xc0}, {sysCPUPerConf, "CPU_PER_CONF", 0xc}, {0x0c, "MEM_PD_MASK", 1},
		{sysPeripClkEn0, "PERIP_CLK_EN0", 0xf9c1e06f}, {sysPeripClkEn1, "PERIP_CLK_EN1", 0x200}, {sysPeripRstEn0, "PERIP_RST_EN0", 0},
		{sysPeripRstEn1, "PERIP_RST_EN1", 0x1fe}, {0x20, "BT_LPCK_DIV_INT", 0xff}, {0x24, "BT_LPCK_DIV_FRAC", 0x2001001},
		{0x28, "CPU_INTR_FROM_CPU_0", 0}, {0x2c, "CPU_INTR_FROM_CPU_1", 0}, {0x30, "CPU_INTR_FROM_CPU_2", 0}, {0x34, "CPU_INTR_FROM_CPU_3", 0},
		{0x38, "RSA_PD_CTRL", 1}, {0x3c, "EDMA_CTRL", 1}, {0x40, "CACHE_CONTROL", 5}, {0x44, "EXTERNAL_DEVICE_ENCRYPT_DECRYPT_CONTROL", 0},
		{0x48, "RTC_FASTMEM_CONFIG", 0x7ff00000}, {0x4c, "RTC_FASTMEM_CRC", 0xffffffff}, {0x50, "REDUNDANT_ECO_CTRL", 0}, {0x54, "CLOCK_GATE", 1},
		{sysSysclkConf, "SYSCLK_CONF", sysclkDivEn | 40<<12 | 1},
		{0x5c, "MEM_PVT", 3}, {0x60, "COMB_PVT_LVT_CONF", 3}, {0x64, "COMB_PVT_NVT_CONF", 3}, {0x68, "COMB_PVT_HVT_CONF", 3}, {0xffc, "DATE", 0x2007150},
	})
	return y
}

// fromPLL reports whether the CPU runs from the PLL.
func (y *system) fromPLL() bool {
	return field(y.words[sysSysclkConf>>2], 11, 10) == sysclkSourcePLL
}

// cpuTicks returns the guest ticks per CPU cycle.
func (y *system) cpuTicks() uint64 {
	conf := y.words[sysSysclkConf>>2]
	div := uint64(field(conf, 9, 0)) + 1
	switch field(conf, 11, 10) {
	case sysclkSourcePLL:
		if field(y.words[sysCPUPerConf>>2], 1, 0) == 1 {
			return 1 // 160 MHz
		}
		return 2 // 80 MHz
	case sysclkSourceRC:
		// 17.5 MHz is 9.14 ticks, the only clock with a fractional number.
		return (chip.TicksPerSecond*div + rcFastHz/2) / rcFastHz
	}
	return xtalTicks * div
}

func (y *system) write(off, v uint32) {
	switch {
	case off == sysPeripRstEn0 || off == sysPeripRstEn1:
		word := (off - sysPeripRstEn0) / 4
		for rising, n := v&^y.get(off), 0; rising != 0; rising, n = rising>>1, n+1 {
			if rising&1 != 0 {
				for _, d := range y.resets[word][n] {
					d.reset()
				}
			}
		}
		y.block.write(off, v)
	case off >= sysFromCPU0 && off <= sysFromCPU3:
		y.block.write(off, v&1)
		y.fromCPU[(off-sysFromCPU0)/4].set(v&1 != 0)
	case off == sysPeripClkEn0 || off == sysPeripClkEn1:
		y.block.write(off, v)
		y.soc.gateClocks()
	case off == sysExternalCrypt:
		y.block.write(off, v&0xf)
		y.soc.extmem.crypt.update()
	case off == sysCPUPerConf || off == sysSysclkConf:
		y.clock(off, v)
	default:
		y.block.write(off, v)
	}
}

// clock changes the CPU's and with it the APB's clock.
func (y *system) clock(off, v uint32) {
	for _, t := range y.soc.timgs {
		t.clockChanged(true)
	}
	old := y.get(off)
	y.block.write(off, v)
	if off == sysSysclkConf {
		v = v&^(0x7f000|sysclkDivEn) | old&0x7f000 // CLK_XTAL_FREQ
		if field(v, 11, 10) != sysclkSourcePLL {
			v |= sysclkDivEn
		}
		y.set(off, v)
	}
	for _, t := range y.soc.timgs {
		t.clockChanged(false)
	}
	y.soc.ledc.clockChanged()
	y.soc.m.SetCPUPeriod(chip.Duration(y.cpuTicks()))
}

func (y *system) reset() {
	for _, t := range y.soc.timgs {
		t.clockChanged(true)
	}
	y.block.reset()
	for _, t := range y.soc.timgs {
		t.clockChanged(false)
	}
	for _, l := range y.fromCPU {
		l.set(false)
	}
	y.soc.gateClocks()
	y.soc.m.SetCPUPeriod(chip.Duration(y.cpuTicks()))
}

func (y *system) state(s *chip.State) { s.Fixed(&y.words) }
