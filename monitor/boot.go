package monitor

import (
	"strings"
)

// resetLine reads the ROM's line "rst:0x7 (TG0WDT_SYS_RST),boot:0xc (SPI_FAST_FLASH_BOOT)".
// Noise before it is allowed: the line often follows bytes at another baud
// rate.
func resetLine(line string) (cause uint32, name string, ok bool) {
	i := strings.Index(line, "rst:0x")
	if i < 0 {
		return 0, "", false
	}
	rest := line[i+len("rst:0x"):]
	cause, n := hexNumber(rest)
	if n == 0 || n > 2 {
		return 0, "", false
	}
	name, rest, ok = strings.Cut(rest[n:], ")")
	if !ok || !strings.HasPrefix(name, " (") || !strings.HasPrefix(rest, ",boot:0x") {
		return 0, "", false
	}
	return cause, name[2:], true
}

// resetKind sorts the reset causes of the ESP32-C3 (technical reference
// manual, "Reset and Clock", table of reset sources).
type resetKind uint8

const (
	deliberate resetKind = iota // power on, deep sleep, reset by the host
	software
	watchdog
	supply
)

func kindOfReset(cause uint32) resetKind {
	switch cause {
	case 0x03, 0x0c: // RTC_SW_SYS, RTC_SW_CPU
		return software
	case 0x07, 0x08, 0x09, 0x0b, 0x0d, 0x10, 0x11, 0x12:
		return watchdog
	case 0x0f, 0x13, 0x17: // brownout, clock glitch, power glitch
		return supply
	}
	return deliberate
}

// watchdogOf explains a watchdog cause.
func watchdogOf(cause uint32) string {
	switch cause {
	case 0x07, 0x0b:
		return "the watchdog of timer group 0"
	case 0x08, 0x11:
		return "the watchdog of timer group 1"
	case 0x09, 0x0d, 0x10:
		return "the RTC watchdog"
	case 0x12:
		return "the super watchdog"
	}
	return "a watchdog"
}

// bootLine reports whether line is one of the mask ROM's or of the
// second-stage bootloader's. booting allows the forms that a program could
// print too; they count only among other boot lines.
func bootLine(line string, booting bool) bool {
	if line == "" {
		return booting
	}
	switch line[0] {
	case 'E', 'I', 'W', 'D':
		if strings.HasPrefix(line, "ESP-ROM:") {
			return true
		}
		if strings.HasPrefix(line, "Expected: ") || strings.HasPrefix(line, "Invalid image block") {
			return booting
		}
		tag, ok := bootTag(line)
		return ok && (booting || tag != "boot")
	case 'r':
		_, _, ok := resetLine(line)
		return ok
	case 'l':
		return strings.HasPrefix(line, "load:0x") && strings.Contains(line, ",len:")
	case 'e':
		return strings.HasPrefix(line, "entry 0x") || booting && strings.HasPrefix(line, "ets_")
	case 'S':
		return strings.HasPrefix(line, "Saved PC:0x") ||
			booting && (strings.HasPrefix(line, "SPIWP:") || strings.HasPrefix(line, "SHA-256 comparison failed"))
	}
	if !booting {
		return false
	}
	for _, p := range [...]string{"Build:", "mode:", "configsip:", "clk_drv:", "wp_pin:", "waiting for download", "invalid header:", "Calculated: ", "Attempting to boot anyway", "csum err:", "Checksum failure."} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// bannerTail reports whether the first line of a session is the end of what the
// mask ROM prints before the cause of a reset: a session may begin in the middle
// of it.
func bannerTail(line string) bool {
	if strings.HasPrefix(line, "Build:") {
		return true
	}
	for _, banner := range [...]string{"ESP-ROM:esp32c3-20200918", "ESP-ROM:esp32c3-api1-20210207", "ESP-ROM:esp32c3-eco7-20230720", "Build:Sep 18 2020", "Build:Feb  7 2021", "Build:Jul 20 2023"} {
		if len(line) >= 4 && strings.HasSuffix(banner, line) {
			return true
		}
	}
	return false
}

// bootTag recognises the bootloader's log lines, "I (35) boot: text", and
// returns their tag.
func bootTag(line string) (string, bool) {
	if len(line) < 8 || line[1] != ' ' || line[2] != '(' {
		return "", false
	}
	i := 3
	for i < len(line) && line[i] >= '0' && line[i] <= '9' {
		i++
	}
	if i == 3 || !strings.HasPrefix(line[i:], ") ") {
		return "", false
	}
	tag, _, ok := strings.Cut(line[i+2:], ": ")
	if !ok {
		return "", false
	}
	switch tag {
	case "boot", "esp_image", "boot_comm", "flash_parts", "qio_mode", "flash_encrypt", "efuse", "cache_mmap":
		return tag, true
	}
	return tag, strings.HasPrefix(tag, "boot.") || strings.HasPrefix(tag, "bootloader_") || strings.HasPrefix(tag, "secure_boot")
}

// bootFailure recognises the last lines of a boot that the mask ROM or the
// bootloader gives up, and returns their meaning.
func bootFailure(line string, booting bool) (meaning string, ok bool) {
	if !booting {
		return "", false
	}
	for _, f := range [...][2]string{
		{"invalid header: 0x", "the ROM finds no bootloader at the beginning of the flash"},
		{"Checksum failure. Calculated", "the ROM refuses the bootloader: it is damaged (wrong checksum)"},
		{"Invalid image block, can't boot", "the ROM refuses the bootloader: it is damaged (a segment with an impossible length)"},
		{"ets_loader.c ", "the ROM refuses the bootloader: it is damaged or cut short"},
		{"ets_main.c ", "the ROM cannot start the bootloader"},
	} {
		if strings.HasPrefix(line, f[0]) {
			return f[1], true
		}
	}
	if !strings.HasPrefix(line, "E (") {
		return "", false
	}
	if _, ok := bootTag(line); !ok {
		return "", false
	}
	for _, f := range [...][2]string{
		{"No bootable app partitions", "the bootloader finds no bootable application"},
		{"Failed to verify partition table", "the bootloader refuses the partition table"},
		{"load partition table error", "the bootloader finds no partition table"},
		{"chip revision check failed", "the image is for another revision of the chip"},
		{"Image requires efuse blk rev", "the image asks for another eFuse block revision: its application descriptor is missing or not where the bootloader looks"},
		{"mismatch chip ID", "the image is for another chip"},
		{"failed to load bootloader image header", "the bootloader cannot read itself"},
	} {
		if strings.Contains(line, f[0]) {
			return f[1], true
		}
	}
	return "", false
}
