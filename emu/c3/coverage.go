package c3

// coverage describes to what extent a block is modelled; docs/chip.md is
// generated from it.
type coverage struct {
	blocks  []string
	level   string // modelled, partial, storage, not modelled
	has     string
	missing string
}

// Levels of coverage. A block of level storage keeps written values and does
// nothing; one that is not modelled does the same, and each access is reported.
const (
	levelModelled = "modelled"
	levelPartial  = "partial"
	levelStorage  = "storage"
	levelNone     = "not modelled"
)

var chipCoverage = []coverage{
	{[]string{"INTERRUPT_CORE0"}, levelModelled, "62 sources to 31 lines, level and edge, priority, threshold, live source status", ""},
	{[]string{"SYSTEM"}, levelPartial, "CPU and APB clock, resets of blocks, software interrupts, clock gates of AES, SHA, RSA, DS, HMAC, GDMA, TWAI, RMT, UHCI0 and I2S0",
		"clock gates of other blocks, power-down of memories"},
	{[]string{"EFUSE"}, levelModelled, "all blocks, burn, write and read protection, key purposes, Reed-Solomon code of blocks 1 to 10", ""},
	{[]string{"RTC_CNTL"}, levelPartial, "software resets and causes, STORE registers, slow-clock time and alarm, RTC and super watchdog, light and deep " +
		"sleep with wake-up by timer, pins, UARTs, USB and brown-out, brown-out detector, pad hold", "wake-up by Wi-Fi and Bluetooth (its use is reported), glitch detector; power control is storage"},
	{[]string{"SYSTIMER"}, levelModelled, "two counters, three comparators", ""},
	{[]string{"TIMG0", "TIMG1"}, levelModelled, "timer, watchdog, calibration of slow clocks", ""},
	{[]string{"UART0", "UART1"}, levelPartial, "FIFO, interrupts, line time, break, flow control, AT command, autobaud, RS485, wake-up, pins", "IrDA (its use is reported); STATUS shows the resting level of TXD, not the bit that is sent"},
	{[]string{"USB_SERIAL_JTAG"}, levelPartial, "both directions, 64-byte packets, start of frame, host present or not", "JTAG"},
	{[]string{"GPIO", "IO_MUX"}, levelPartial, "outputs, drive strength, pulls, open drain, inputs, interrupts, inversion, GPIO matrix, pad functions, hold, dedicated GPIO, configuration for sleep", "synchronizer and filter of inputs, clock outputs, USB pads, JTAG pins, waveforms of the flash pads"},
	{[]string{"GPIO_SD"}, levelModelled, "four sigma-delta channels", ""},
	{[]string{"LEDC"}, levelModelled, "four timers, six channels, fades", ""},
	{[]string{"RMT"}, levelModelled, "two transmit and two receive channels", ""},
	{[]string{"EXTMEM", "MMU_TABLE"}, levelPartial, "enable and shut bits, MMU table, record and interrupts of faults and of accesses to a shut window, decryption of flash",
		"there is no cached copy of flash: lock, preload and counters have no effect, nor have permissions"},
	{[]string{"SPI0"}, levelStorage, "the cache reads the flash directly", ""},
	{[]string{"SPI1"}, levelPartial, "commands to the flash, user transactions, cipher text of the manual encryption",
		"operations take no time; suspend and resume, automatic waiting"},
	{[]string{"SPI2"}, levelPartial, "master on one, two or four lines, by CPU or DMA, with segments; slave in full duplex, and in half duplex with commands",
		"delays of inputs and outputs"},
	{[]string{"I2S0"}, levelPartial, "transmitter and receiver by DMA, master and slave, TDM, raw PDM and standard formats",
		"conversion of PCM to PDM and companding (their use is reported), the MCLK output"},
	{[]string{"TWAI"}, levelPartial, "CAN 2.0 B bit by bit: arbitration, acknowledgement, errors and their states, filters, self-reception",
		"resynchronization within a frame, triple sampling (its use is reported), the clock output"},
	{[]string{"UHCI0"}, levelPartial, "bytes of a UART by DMA, ended by length or idle line",
		"packets with separators, headers and checksums (their use is reported); the quick-send registers"},
	{[]string{"I2C0"}, levelModelled, "master and slave, bit by bit on the lines: clock stretching, arbitration, timeouts, bus recovery", ""},
	{[]string{"GDMA"}, levelPartial, "three channels each way, descriptor lists, owner check, EOF, errors, priorities, memory to memory",
		"single bytes between software and FIFO (their use is reported); a channel has no limit of bandwidth"},
	{[]string{"SHA"}, levelModelled, "SHA-1, SHA-224, SHA-256 in typical mode and by DMA", ""},
	{[]string{"AES"}, levelModelled, "AES-128 and AES-256; ECB, CBC, OFB, CTR, CFB8 and CFB128 by DMA", ""},
	{[]string{"RSA"}, levelModelled, "modular exponentiation and multiplication, multiplication, up to 3072 bits; durations are approximate", ""},
	{[]string{"HMAC", "DS"}, levelModelled, "eFuse keys, upstream and downstream results, the value that enables JTAG; signatures with encrypted keys", ""},
	{[]string{"XTS_AES"}, levelModelled, "manual encryption; the cache decrypts when the eFuse says so", ""},
	{[]string{"APB_SARADC"}, levelPartial, "values that the user sets, calibration of the eFuse, DMA, filters, threshold monitors, temperature sensor", "the arbiter of the second converter"},
	{[]string{"APB_CTRL"}, levelPartial, "seeded random numbers", "the rest is storage"},
	{[]string{"ANA_I2C"}, levelPartial, "the synthesizer's channel, calibration of the ADC", "the rest is storage"},
	{[]string{"ASSIST_DEBUG"}, levelPartial, "recording of the program counter, monitors of regions and of the stack pointer", "log of the bus (its use is reported; the format of its records is not published)"},
	{[]string{"SENSITIVE"}, levelPartial, "permissions of SRAM, RTC memory, peripherals and DMA, monitors and their interrupts, locks",
		"world 1, regions of peripherals, the monitor of narrow accesses, permissions of the ROM; exact to 4 KiB for code"},
	{[]string{"WIFI_MAC", "WIFI_MAC_PLCP", "WIFI_MAC_WDEV"}, levelPartial, "receive ring, transmit slots, address filter, key slots with CCMP, " +
		"TSF and TBTT interrupts", "rate tables are storage"},
	{[]string{"FE", "FE2", "NRX", "BB", "UNDOCUMENTED_60011000"}, levelPartial, "calibration completes at once", "the radio itself: signal quality is set by the user"},
	{[]string{"BT"}, levelNone, "", "starting the controller ends the run"},
	{[]string{"DEDIC_GPIO"}, levelNone, "", "registers at this address, which the manual does not describe; dedicated GPIO by the CSRs of the CPU is modelled (GPIO)"},
	{[]string{"WORLD"}, levelNone, "", ""},
}
