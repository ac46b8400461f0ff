package c3

import (
	"cmp"
	"hash/crc32"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/chip"
	"espalier.dev/espalier/rv32"
)

// Memories, TRM 3.3.2.
const (
	sram0Base   = 0x4037c000 // instruction bus only; used by the cache when that is enabled
	sram0Size   = 16 << 10
	sram1Code   = 0x40380000 // instruction bus
	sram1Data   = 0x3fc80000 // data bus, the same bytes
	sram1Size   = 384 << 10
	rtcFastBase = 0x50000000
	rtcFastSize = 8 << 10
)

// soc is the chip: memories, bus and blocks.
type soc struct {
	m   *chip.Machine
	bus bus

	sram0, sram1, rtcFast, romBank, flashBank *rv32.Bank
	romSum                                    uint32 // CRC-32 of the mask ROM

	flash     *flash
	intc      *intMatrix
	uarts     [2]*uart
	usb       *usbSerialJTAG
	systm     *systimer
	timgs     [2]*timg
	rtc       *rtc
	efuse     *efuse
	gpio      *gpio
	analog    *analog
	adc       *saradc
	rmt       *rmt
	ledc      *ledc
	sdm       *sdm
	assist    *assistDebug
	sensitive *sensitive
	system    *system
	extmem    *extmem
	gdma      *gdma
	spi2      *spi2
	i2c       *i2c
	i2s       *i2s
	twai      *twai
	uhci      *uhci
	hmac      *hmac
	xts       *xtsAES
	wifi      *wifiMAC
	devices   []device // every block, in the order of attachment
	gated     [len(gates)]device
	instead   map[string]device // what Inert and Track attached for a block

	slowRC uint64 // frequency of the slow RC oscillator

	s struct {
		Cause uint8 // of a requested reset
		Held  bool  // the reset pin is low
	}
}

// New returns an ESP32-C3 with power on, before its first instruction. The
// error is one of *emu.FlashSizeError, *emu.ROMError, *emu.EFuseSizeError.
func New(cfg emu.Config) (*emu.Board, error) {
	_, board, err := newBoard(cfg)
	return board, err
}

func newBoard(cfg emu.Config) (*soc, *emu.Board, error) {
	c := &soc{slowRC: min(max(cmp.Or(uint64(cfg.SlowClock), rcSlowHz), 30_000), 500_000)}
	c.bus.soc = c
	rom, err := FlatROM(cfg.ROM)
	if err != nil {
		return nil, nil, err
	}
	if c.flash, err = newFlash(cfg.Flash); err != nil {
		return nil, nil, err
	}
	c.m = chip.NewMachine(cfg.Machine(), &c.bus, c)
	c.mapMemory(rom)
	if err := c.build(&cfg); err != nil {
		return nil, nil, err
	}
	c.resetTo(causePowerOn)
	c.usb.plug(cfg.USBHost)
	return c, emu.NewBoard(c.m), nil
}

func (c *soc) mapMemory(rom []byte) {
	mem := c.m.CPU.Memory()
	c.romBank, c.romSum = rv32.BankOf(rom), crc32.ChecksumIEEE(rom)
	c.sram0, c.sram1, c.rtcFast = rv32.NewBank(sram0Size), rv32.NewBank(sram1Size), rv32.NewBank(rtcFastSize)
	c.flashBank = c.flash.bank
	const all = rv32.Read | rv32.Write | rv32.Exec
	mem.Map(romBase, c.romBank, 0, romSize, rv32.Read|rv32.Exec)
	mem.Map(dromROMBase, c.romBank, dromROMOff, dromROMSize, rv32.Read)
	mem.Map(sram0Base, c.sram0, 0, sram0Size, all)
	mem.Map(sram1Code, c.sram1, 0, sram1Size, all)
	mem.Map(sram1Data, c.sram1, 0, sram1Size, rv32.Read|rv32.Write)
	mem.Map(rtcFastBase, c.rtcFast, 0, rtcFastSize, all)
	c.flash.changed = func(off, n uint32) { c.extmem.crypt.changed(off, n) }
}

// build constructs the blocks. The order is part of the model: timers that are
// due at the same time fire in the order of construction.
func (c *soc) build(cfg *emu.Config) error {
	c.intc = newIntMatrix(func(line uint32) { c.m.CPU.SetIRQ(uint8(line)) })
	c.system = newSystem(c)
	var err error
	if c.efuse, err = newEFuse(c, cfg); err != nil {
		return err
	}
	c.rtc = newRTC(c)
	c.systm = newSystimer(c)
	c.timgs[0] = newTIMG(c, 0, 0x6001f000, srcTIMG0T0, srcTIMG0WDT, causeTG0WDTCPU, causeTG0WDT)
	c.timgs[1] = newTIMG(c, 1, 0x60020000, srcTIMG1T0, srcTIMG1WDT, causeTG1WDTCPU, causeTG1WDT)
	c.gpio = newGPIO(c, cfg.Strap)
	c.uarts[0] = newUART(c, "UART0", 0x60000000, chip.UART0, srcUART0)
	c.uarts[1] = newUART(c, "UART1", 0x60010000, chip.UART1, srcUART1)
	c.usb = newUSBSerialJTAG(c)
	c.rmt = newRMT(c)
	c.ledc, c.sdm = newLEDC(c), newSDM(c)
	c.extmem = newExtmem(c)
	c.gdma = newGDMA(c)
	spi0, spi1 := newSPIMem(c, 0, 0x60003000, nil), newSPIMem(c, 1, 0x60002000, c.flash)
	c.assist, c.sensitive = newAssistDebug(c), newSensitive(c)
	hash, adc, ctrl := newSHA(c), newSARADC(c), newAPBCtrl(cfg.Seed)
	c.spi2 = newSPI2(c)
	c.hmac, c.xts = newHMAC(c), newXTSAES(c)
	c.i2c, c.i2s, c.twai, c.uhci = newI2C(c), newI2S(c), newTWAI(c), newUHCI(c)
	spi1.xts = c.xts
	enc, exp, sign := newAES(c), newRSA(c), newDS(c)

	c.adc = adc
	c.wifi = newWiFiMAC(c, ctrl, cfg.Seed)

	c.analog = newAnalog(c.wifi.synthesize)
	c.analog.level = c.rtc.low.look
	c.devices = []device{
		c.intc, c.system, c.efuse, c.rtc, c.systm, c.timgs[0], c.timgs[1], c.uarts[0], c.uarts[1], c.usb, c.gpio, c.gpio.iomux,
		c.extmem, &c.extmem.mmu, spi0, spi1, c.spi2, c.i2c, c.i2s, c.twai, c.uhci, c.gdma, hash, enc, exp, sign, c.hmac, c.xts, adc, ctrl, c.analog, c.assist, c.sensitive, c.sdm, c.rmt, c.ledc,
		c.wifi, c.wifi.plcp, c.wifi.wdev, newFrontEnd(), newBluetooth(c),
	}
	for _, d := range newPHY() {
		c.devices = append(c.devices, d)
	}
	for _, d := range unmodelled() {
		c.devices = append(c.devices, d)
	}
	for _, d := range c.devices {
		c.bus.attach(d)
	}
	c.devices = append(c.devices, c.bus.fillHoles()...)
	c.findGated()

	c.system.resets = peripheralResets(c, hash, adc)
	c.system.resets[1][1], c.system.resets[1][3] = []device{enc}, []device{exp}
	c.system.resets[1][4], c.system.resets[1][5] = []device{sign}, []device{c.hmac}
	return nil
}

// peripheralResets lists the blocks that are reset by the bits of PERIP_RST_EN0 and 1,
// TRM 16.4. Bits of blocks that are not modelled have no effect.
func peripheralResets(c *soc, hash, adc device) (r [2][32][]device) {
	r[0][2] = []device{c.uarts[0]}
	r[0][5] = []device{c.uarts[1]}
	r[0][6] = []device{c.spi2}
	r[0][7] = []device{c.i2c}
	r[0][21] = []device{c.i2s} // I2S1_RST, as the drivers use it
	r[0][4] = []device{c.i2s}
	r[0][8] = []device{c.uhci}
	r[0][19] = []device{c.twai}
	r[0][9] = []device{c.rmt}
	r[0][11] = []device{c.ledc}
	r[0][13] = []device{c.timgs[0]}
	r[0][15] = []device{c.timgs[1]}
	r[0][14] = []device{c.efuse}
	r[0][23] = []device{c.usb}
	r[0][28] = []device{adc}
	r[0][29] = []device{c.systm}
	r[1][2] = []device{hash}
	r[1][6] = []device{c.gdma}
	return r
}

// Input implements chip.Chip.
func (c *soc) Input(in chip.Input) {
	c.spi2.split()
	switch in.Kind {
	case chip.InputSerial:
		if c.s.Held && in.Port != chip.USB {
			return // a chip without power receives nothing
		}
		switch in.Port {
		case chip.UART0:
			c.uarts[0].send(in.Data)
		case chip.UART1:
			c.uarts[1].send(in.Data)
		case chip.USB:
			c.usb.send(in.Data)
		}
	case chip.InputPin:
		c.gpio.outside(in.Pin, in.Level.Source(outsideOhms))
	case chip.InputVoltage:
		c.gpio.outside(in.Pin, in.Source)
	case chip.InputTemperature:
		c.adc.s.MilliCelsius = in.MilliCelsius
	case chip.InputSupply:
		c.rtc.low.supply(in.Source.MilliVolts)
	case chip.InputJoin:
		c.gpio.join(in.Pin, in.Other)
	case chip.InputCut:
		c.gpio.cut(in.Pin)
	case chip.InputUSBHost:
		c.usb.plug(in.Level == chip.High)
	case chip.InputReset:
		c.gpio.strap(in.Strap)
		c.enable(true)
		c.requestReset(causePowerOn) // CHIP_PU: the whole chip
	case chip.InputStrap:
		c.gpio.strap(in.Strap)
	case chip.InputEnable:
		held := c.s.Held
		if c.enable(in.Level != chip.Low); held && !c.s.Held {
			c.requestReset(causePowerOn)
		}
	}
}

// enable sets CHIP_PU. While it is low the chip is in its reset state and only
// time advances.
func (c *soc) enable(high bool) {
	if c.s.Held = !high; high {
		return
	}
	c.resetTo(causePowerOn)
	for _, u := range c.uarts {
		u.rx.waiting = nil
	}
	c.m.Halt(true)
}

// Baud implements chip.Chip.
func (c *soc) Baud(s chip.Stream) int {
	switch s {
	case chip.UART0:
		return c.uarts[0].baud()
	case chip.UART1:
		return c.uarts[1].baud()
	}
	return 0
}

// Pin implements chip.Chip.
func (c *soc) Pin(n int) chip.Level { return c.gpio.pin(n) }

// Drain implements chip.Drainer.
func (c *soc) Drain() {
	for _, u := range c.uarts {
		u.tx.drain()
	}
}

// Guarded implements chip.Watchdog.
func (c *soc) Guarded() bool {
	return c.timgs[0].wdt.timer.Armed() || c.timgs[1].wdt.timer.Armed() || c.rtc.wdt.timer.Armed() || c.rtc.swd.Armed()
}

// MilliVolts implements chip.Chip.
func (c *soc) MilliVolts(n int) int { return c.gpio.milliVolts(n) }

// Nets implements chip.Chip.
func (c *soc) Nets() *chip.Nets { return c.gpio.nets }

// Flash implements chip.Chip.
func (c *soc) Flash() []byte {
	p := make([]byte, c.flash.bank.Size())
	c.flash.bank.Read(0, p)
	return p
}

// EFuse implements chip.Chip.
func (c *soc) EFuse() []byte { return c.efuse.content() }

// State implements chip.Chip.
func (c *soc) State(s *chip.State) {
	if !s.Loading() {
		c.spi2.split()
	}
	s.Expect("checksum of the ROM", uint64(c.romSum))
	s.Expect("flash size", uint64(c.flash.bank.Size()))
	s.Expect("frequency of the slow clock", c.slowRC)
	if s.Err() != nil {
		return
	}
	for _, b := range []*rv32.Bank{c.sram0, c.sram1, c.rtcFast} {
		s.Bank(b)
	}
	c.flash.state(s)
	for _, d := range c.devices {
		if d, ok := d.(interface{ state(*chip.State) }); ok {
			d.state(s)
		}
	}
	s.Fixed(&c.s)
	if s.Loading() {
		c.gateClocks()
	}
}
