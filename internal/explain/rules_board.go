package explain

const idf = "ESP-IDF programming guide, "

// flashRules are about espflash, esptool, espalier flash and the ROM's loader.
func flashRules() []Rule {
	return []Rule{
		{
			Name: "port-permission", Title: "no permission for the serial port",
			Cause:  "The port belongs to a group, dialout or uucp, that this user is not in.",
			Cure:   []string{"sudo usermod -aG dialout $USER   # then log in again", "espalier ports   # says which port and which group"},
			Source: "espressif/esp-idf#818, esp-rs/espflash#103", Facts: one("ermission denied: '/dev/tty", "opening /dev/tty*: permission denied", "ermission denied: '/dev/cu.", "could not open port /dev/*ermission denied", "Permission denied (os error 13)*/dev/tty", "/dev/tty*Permission denied"), Rank: 3,
		},
		{
			Name: "port-busy", Title: "the serial port is in use",
			Cause:  "Another monitor, an IDE or ModemManager has it open. On Windows an open port refuses everyone else.",
			Cure:   []string{"close the other monitor", "fuser -v /dev/ttyACM0", "espalier serve-port   # shares one port"},
			Source: "esphome/esphome-flasher#182, espressif/esp-idf#13710", Facts: one("could not open port 'COM*PermissionError(13", "Could not open *, the port is busy or doesn't exist", "opening *: port busy", "Device or resource busy*/dev/tty", "/dev/tty*Device or resource busy", "Could not exclusively lock port"), Rank: 3,
		},
		{
			Name: "no-port", Title: "no serial port",
			Cause:  "No board is connected, the cable has no data lines, or the host has no driver for the USB bridge.",
			Cure:   []string{"another cable", "espalier ports", "dmesg | tail   # does the board appear?"},
			Source: "esp-rs/espflash#103", Facts: one("Serial port not found", "espflash::no_serial", "No serial ports could be detected", "No serial ports found"), Rank: 2,
		},
		{
			Name: "no-download-mode", Title: "the chip does not answer in download mode",
			Cause:  "The chip was not reset into the loader: no automatic reset on this board, GPIO9 not low at reset, GPIO8 low, a program that has switched USB off, or the wrong port.",
			Cure:   []string{"hold BOOT, press RESET, release BOOT; then again", "GPIO8 must be high and GPIO9 low at reset", "espalier flash --before no-reset after that"},
			Source: "espressif/esptool#998, espressif/esptool#893; ESP32-C3 datasheet, strapping pins", Rank: 2,
			Facts: one("Failed to connect to ESP32*: No serial data received", "Failed to connect to Espressif device: No serial data received", "Failed to connect to ESP32*: Timed out waiting for packet header", "Failed to connect to Espressif device: Timed out waiting for packet header", "Error while connecting to device*Failed to connect to the device", "╰─▶ Failed to connect to the device"),
		},
		{
			Name: "wrong-boot-mode", Title: "the chip started the program instead of the loader",
			Cause:  "The strapping pins said to boot from flash while a flasher expected the loader.",
			Cure:   []string{"GPIO9 low at reset (BOOT button)", "espalier flash resets by both ways, USB and UART bridges"},
			Source: "esptool, troubleshooting", Facts: one("Wrong boot mode detected (0x"), Rank: 4,
		},
		{
			Name: "wrong-chip", Title: "the firmware is for another chip than the board has",
			Cause:  "The chip's id on the board and that of the image or of --chip differ.",
			Cure:   []string{"the feature and target of the chip that the board has", "espalier inspect --port PORT"},
			Source: "esptool and espflash, chip detection", Facts: one("This chip is ESP32*, not ESP32", "is not an ESP32-C3 image", "Chip mismatch! ", "espflash::chip_mismatch", "Expected chip type"), Not: []string{"boot_comm"}, Rank: 4,
		},
		{
			Name: "no-app-descriptor", Title: "the firmware has no application descriptor",
			Cause:  "Bootloaders of ESP-IDF 5.4 and later, and espflash 4, want esp_app_desc_t at the start of the read-only data.",
			Cure:   []string{"esp-bootloader-esp-idf in Cargo.toml and esp_bootloader_esp_idf::esp_app_desc!(); in the program", "build with --release if the linker dropped it"},
			Source: "esp-rs/espflash#927, #970, ariel-os/ariel-os#1150", Facts: one("App Descriptor*missing in your", "app_descriptor_not_present", "image-format.html#application-description", "app_image_format.html#application-description"), Rank: 5,
		},
		{
			Name: "artifact-path", Title: "the flasher does not find the ELF",
			Cause:  "espflash flash takes the path of an ELF; the project's directory is not one.",
			Cure:   []string{"espflash flash target/" + target + "/release/NAME", "espalier flash   # builds and knows the path"},
			Source: "reproducible builds: obstacle 23; esp-rs/espflash#970", Facts: all("espflash", "× No such file or directory (os error 2)"), Rank: 1,
		},
		{
			Name: "flash-verify", Title: "the flash holds other bytes than were written",
			Cause:  "A bad connection, a supply that breaks down while the flash is written, a flash mode that the wiring does not carry, or a worn flash.",
			Cure:   []string{"a shorter cable, another port, a lower --baud", "--flash-mode dio --flash-freq 40MHz"},
			Source: "esptool, troubleshooting", Facts: one("MD5 of file does not match data in flash", "espflash::verify_failed", "flash verification failed"), Rank: 4,
		},
		{
			Name: "image-too-large", Title: "the firmware is larger than its partition",
			Cause:  "The application does not fit the partition of the table.",
			Cure:   []string{"a larger app partition in partitions.csv", "espalier size"},
			Source: "espflash, image errors", Facts: one("espflash::image_too_big", "Supplied ELF image of * is too big, and doesn't fit", "is too big for partition", "app partition is too small for binary"), Rank: 4,
		},
		{
			Name: "secure-download", Title: "the chip is in secure download mode",
			Cause:  "An eFuse restricts the loader to writing; reading, the stub and register access are off.",
			Cure:   []string{"espalier flash --no-stub", "nothing undoes the eFuse"},
			Source: "ESP32-C3 technical reference manual, eFuse, ENABLE_SECURITY_DOWNLOAD", Facts: one("Secure Download Mode is enabled*not supported", "This command (0x*) is not supported in Secure Download Mode", "secure_download_mode"), Rank: 4,
		},
	}
}

// bootRules are about the boot ROM and the second-stage bootloader.
func bootRules() []Rule {
	return []Rule{
		{
			Name: "flash-chip-silent", Title: "the flash chip does not answer",
			Cause:  "The loader reads an identification of all ones or zeros: the chip's pins (GPIO12 to GPIO17) are wired to something else, the flash is damaged, or the module has none.",
			Cure:   []string{"remove what is connected to GPIO12 to GPIO17", "espalier inspect --port PORT   # reads the identification again", "try another board of the same kind"},
			Source: "espressif/esptool#962", Facts: one("Failed to communicate with the flash chip"), Rank: 4,
		},
		{
			Name: "flash-empty", Title: "there is not a bootloader in the flash",
			Cause:  "The ROM reads 0xffffffff at offset 0: the flash is erased, or the bootloader was written to 0x1000, its place on the ESP32.",
			Cure:   []string{"espalier flash", "the bootloader of the ESP32-C3 is at 0x0"},
			Source: "atomvm/AtomVM#1721, arendst/Tasmota#18759; ESP32-C3 boot ROM", Facts: one("invalid header: 0xffffffff"), Rank: 3,
		},
		{
			Name: "not-a-bootloader", Title: "what is at the start of the flash is not a bootloader",
			Cause:  "The ROM wants the magic byte 0xe9 at offset 0: an image for another chip, a merged image at a wrong offset, an encrypted flash without its key, or flash that the mode cannot read.",
			Cure:   []string{"espalier flash   # bootloader, table and application", "espalier read-flash 0 0x1000 out.bin && espalier inspect out.bin"},
			Source: "espressif/esp32c3-direct-boot-example#1, rstrouse/ESPSomfy-RTS#324", Facts: one("invalid header: 0x"), Not: []string{"invalid header: 0xffffffff"}, Rank: 2,
		},
		{
			Name: "bad-bootloader-block", Title: "the bootloader in the flash is damaged",
			Cause:  "A segment of the image at offset 0 has an impossible address or length.",
			Cure:   []string{"espalier erase && espalier flash", "--flash-mode dio"},
			Source: "esp-rs/esp-template#43", Facts: one("Invalid image block, can't boot", "invalid segment length 0x"), Rank: 3,
		},
		{
			Name: "image-checksum", Title: "an image in the flash is damaged",
			Cause:  "Checksum or digest of an application do not match its bytes: writing was interrupted, something else was written over it, or the flash is read wrongly.",
			Cure:   []string{"espalier flash", "does another partition or program write there? espalier inspect partitions.csv"},
			Source: "espressif/esp-idf#9547", Facts: one("esp_image: Checksum failed. Calculated", "esp_image: Image hash failed - image is corrupt", "csum err:", "esp_image: Calculated hash"), Rank: 3,
		},
		{
			Name: "no-bootable-app", Title: "the partition table has no application that can start",
			Cause:  "No partition of type app, an empty or damaged one, or otadata that names a slot without an image.",
			Cure:   []string{"espalier flash", "espalier read-flash 0x8000 0xc00 table.bin && espalier inspect table.bin"},
			Source: "espressif/esp-idf#2169", Facts: one("No bootable app partitions in the partition table"), Rank: 2,
		},
		{
			Name: "efuse-block-revision", Title: "the bootloader read garbage in place of the application descriptor",
			Cause:  "The bootloader takes the words at the start of the read-only data for the application descriptor. A program without one, or a descriptor of another version, gives an impossible block revision.",
			Cure:   []string{"esp-bootloader-esp-idf and esp_bootloader_esp_idf::esp_app_desc!()", "a bootloader of the same generation: espalier pins one"},
			Source: "esp-rs/espflash#870, #806", Facts: one("boot_comm: Image requires efuse blk rev >="), Rank: 5,
		},
		{
			Name: "chip-revision", Title: "the image wants another revision of the chip",
			Cause:  "The header's range of revisions does not contain that of the chip.",
			Cure:   []string{"min-chip-rev in [image] of espalier.toml", "espalier inspect --port PORT   # the chip's revision"},
			Source: idf + "boot_comm", Facts: one("boot_comm: Image requires chip rev >=", "boot_comm: Image requires chip rev <=", "chip revision check failed"), Rank: 4,
		},
		{
			Name: "flash-size", Title: "the image says more flash than the chip has",
			Cause:  "The flash size in the header is larger than the detected one; partitions may be outside.",
			Cure:   []string{"flash-size in [image] of espalier.toml", "espalier inspect --port PORT   # the flash's size"},
			Source: idf + "SPI flash", Facts: one("spi_flash: Detected size(*) smaller than the size in the binary image header"), Rank: 4,
		},
		{
			Name: "partition-table-missing", Title: "there is no partition table where the bootloader looks",
			Cause:  "The table is not at the offset that the bootloader was built for, 0x8000 unless configured.",
			Cure:   []string{"espalier flash   # writes it", "partition-table-offset in [image] must be that of the bootloader"},
			Source: idf + "partition tables", Facts: one("flash_parts: partition 0 invalid magic number", "boot: Failed to verify partition table", "boot: load partition table error!"), Rank: 4,
		},
		{
			Name: "brownout", Title: "the supply voltage broke down",
			Cause:  "The brownout detector reset the chip: a long cable, a weak supply, or the radio's peaks without a capacitor.",
			Cure:   []string{"another cable and supply, no hub", "10 µF or more at the module"},
			Source: "ESP32-C3 technical reference manual, reset causes (0x0f)", Facts: one("rst:0xf (BROWNOUT_RST)", "rst:0xf (RTCWDT_BROWN_OUT_RESET)", "Brownout detector was triggered", "BROWN_OUT_RST"), Rank: 6,
		},
		{
			Name: "watchdog-mwdt", Title: "a timer group's watchdog reset the chip",
			Cause:  "The program did not feed the watchdog: interrupts off for too long, an endless loop without an await, or a watchdog that was left on by the bootloader or by another crate.",
			Cure:   []string{"disable it if it is not meant: TimerGroup::new(peripherals.TIMG0).wdt.disable()", "symbolize Saved PC: espalier symbolize LOG"},
			Source: "ESP32-C3 technical reference manual, reset causes (0x07, 0x08, 0x0b, 0x11)", Facts: one("rst:0x7 (TG0WDT_SYS_RST)", "rst:0x8 (TG1WDT_SYS_RST)", "rst:0xb (TG0WDT_CPU_RST)", "rst:0x11 (TG1WDT_CPU_RST)"), Not: []string{"invalid header: 0x", "Invalid image block", "ets_main.c"}, Rank: 1,
		},
		{
			Name: "watchdog-rtc", Title: "the RTC watchdog reset the chip",
			Cause:  "The bootloader starts it and the program must stop or feed it within some seconds.",
			Cure:   []string{"esp_hal::init in the first lines", "rtc.rwdt.disable() in esp-hal before 0.20"},
			Source: "ESP32-C3 technical reference manual, reset causes (0x09, 0x0d, 0x10)", Facts: one("rst:0x9 (RTCWDT_SYS_RST)", "rst:0xd (RTCWDT_CPU_RST)", "rst:0x10 (RTCWDT_RTC_RST)"), Not: []string{"invalid header: 0x", "Invalid image block"}, Rank: 1,
		},
		{
			Name: "watchdog-super", Title: "the super watchdog reset the chip",
			Cause:  "Neither hardware nor program fed it: esp_hal::init was not called, or clocks stand still.",
			Cure:   []string{"esp_hal::init(esp_hal::Config::default())", "rtc.swd.disable() in old versions"},
			Source: "ESP32-C3 technical reference manual, reset causes (0x12)", Facts: one("rst:0x12 (SUPER_WDT_RST)"), Rank: 2,
		},
		{
			Name: "download-mode", Title: "the chip waits for a download",
			Cause:  "GPIO9 was low at reset, so the ROM started its loader instead of the program.",
			Cure:   []string{"release BOOT, press RESET", "nothing that pulls GPIO9 low at reset"},
			Source: "ESP32-C3 datasheet, strapping pins", Facts: [][]string{{"boot:0x5 (DOWNLOAD", "boot:0x4 (DOWNLOAD", "boot:0x6 (DOWNLOAD", "boot:0x7 (DOWNLOAD", "boot:0x0 (DOWNLOAD", "(DOWNLOAD(USB/UART0"}, {"waiting for download"}}, Rank: 2,
		},
	}
}

// runRules are about programs that run: exceptions and panics of known crates.
func runRules() []Rule {
	return []Rule{
		{
			Name: "stack-overflow", Title: "the stack overflowed",
			Cause:  "The stack guard was written: a large local array, deep recursion, or a task's stack that is too small.",
			Cure:   []string{"a static or a heap allocation for what is large", "espalier size   # what is left to the stack", "a larger stack for the task"},
			Source: "esp-hal's stack guard", Facts: one("Detected a write to the stack guard value", "Detected a write to the main stack's guard", "Stack overflow detected", "stack smashing protect failure", "***ERROR*** A stack overflow in task", "Stack canary watchpoint triggered", "Stack protection fault"), Rank: 6,
		},
		{
			Name: "radio-no-heap", Title: "the radio has no memory",
			Cause:  "The driver's buffers and tasks did not fit the heap, or no heap was added before the radio was started.",
			Cure:   []string{"esp_alloc::heap_allocator!(size: 72 * 1024) before the radio is started", "a second heap in the RAM that the bootloader used: #[esp_hal::ram(reclaimed)]", "fewer receive and transmit buffers in ESP_RADIO_CONFIG_… or the driver's Config"},
			Source: "esp-rs/esp-hal#1613, esp-rs/esp-hal#2464", Facts: one("WifiError(InternalError(EspErrNoMem))", "InternalError(NoMem)", "esp_wifi_init_internal*returned an error: 257", "wifi:Expected to init * rx buffer, actual is", "esp_wifi_init 257", "wifi nvs cfg alloc out of memory"), Rank: 5,
		},
		{
			Name: "out-of-memory", Title: "the heap is full",
			Cause:  "An allocation did not find enough contiguous memory.",
			Cure:   []string{"a larger heap", "esp_alloc::HEAP.stats() in the program", "fewer and smaller buffers"},
			Source: "alloc, handle_alloc_error", Facts: one("panicked at * memory allocation of * bytes failed", "memory allocation of * bytes failed", "Mem alloc fail. size 0x", "Unable to allocate * bytes"), Rank: 1,
		},
		{
			Name: "radio-clock", Title: "the radio needs a faster CPU clock",
			Cause:  "Wi-Fi and Bluetooth want 80 MHz or more of the chip's CPU.",
			Cure:   []string{"esp_hal::Config::default().with_cpu_clock(CpuClock::max())"},
			Source: "esp-wifi, InitializationError", Facts: one("InitializationError::WrongClockConfig", "WrongClockConfig", "called `Result::unwrap()` on an `Err` value: ClockSpeedTooLow"), Rank: 5,
		},
		{
			Name: "radio-scheduler", Title: "the radio was started before the scheduler",
			Cause:  "esp-radio's tasks run on esp-rtos.",
			Cure:   []string{"esp_rtos::start(…) before esp_radio::init()"},
			Source: "esp-radio's documentation", Facts: one("SchedulerNotInitialized", "The scheduler must be initialized", "esp_rtos::start must be called", "esp_preempt::start must be called"), Rank: 5,
		},
		{
			Name: "radio-interrupts-off", Title: "the radio was started with interrupts off",
			Cause:  "The driver waits for interrupts.",
			Cure:   []string{"no critical section around the start of the radio"},
			Source: "esp-wifi, InitializationError", Facts: one("InterruptsDisabled"), Rank: 3,
		},
		{
			Name: "task-arena", Title: "embassy's executor has no room for a task",
			Cause:  "The arena of tasks is full, or a task was spawned more often than its pool_size.",
			Cure:   []string{"#[embassy_executor::task(pool_size = N)]", "the feature task-arena-size-… of embassy-executor, or its nightly feature"},
			Source: "embassy-executor's documentation", Facts: one("embassy-executor: task arena is full", "SpawnError::Busy"), Rank: 5,
		},
		{
			Name: "initialised-twice", Title: "the chip was initialised twice",
			Cause:  "The peripherals are given out once: esp_hal::init or Peripherals::take ran again, or two versions of esp-hal are in the program.",
			Cure:   []string{"one call, in main; pass peripherals on", "cargo tree -d"},
			Source: "esp-rs/esp-generate#21, esp-rs/esp-hal#1196", Facts: one("init called more than once!"), Rank: 5,
		},
		{
			Name: "logger-twice", Title: "a logger was set twice",
			Cause:  "init_logger or init_logger_from_env ran again.",
			Cure:   []string{"one call, at the start of main"},
			Source: "embassy-rs/trouble#342", Facts: one("an `Err` value: SetLoggerError(())"), Rank: 5,
		},
		{
			Name: "no-alarm", Title: "embassy's time driver has no alarm left",
			Cause:  "Executors and queues take one alarm each of the timers that the time driver was given; it was given too few, or none.",
			Cure:   []string{"more alarms to esp_hal_embassy::init, or esp-rtos, which needs no count"},
			Source: "esp-rs/esp-hal#604", Facts: one("`driver::allocate_alarm()` failed"), Rank: 5,
		},
		{
			Name: "defmt-version", Title: "firmware and decoder have different versions of defmt",
			Cause:  "The format of the log is versioned; the program on the host knows others.",
			Cure:   []string{"a version of the decoder that knows the firmware's format, or defmt of the firmware in that version", "espalier run   # decodes formats 3 and 4"},
			Source: "rp-rs/rp-hal#581, knurling-rs/defmt#626, probe-rs/probe-rs#4176", Facts: one("defmt wire format version mismatch: firmware is using", "defmt version mismatch (firmware is using", "failed to demangle defmt symbol `"), Rank: 5,
		},
		{
			Name: "rtt-corrupted", Title: "the control block of RTT is overwritten",
			Cause:  "The program was reset or the memory is used by the bootloader while the probe reads it; on the ESP32-C3 the block is found before the program has initialised it.",
			Cure:   []string{"wait for the program: a delay at its start", "log over USB or UART: esp-println"},
			Source: "esp-rs/esp-generate#21, probe-rs/probe-rs#1336", Facts: one("The control block has been corrupted", "RTT: Control block corrupted"), Rank: 1,
		},
		{
			Name: "already-borrowed", Title: "a RefCell was borrowed twice",
			Cause:  "Two borrows overlap, often in an interrupt handler or around an await.",
			Cure:   []string{"shorter borrows; none across await", "the backtrace names both places: espalier symbolize LOG"},
			Source: "core::cell", Facts: one("already borrowed: BorrowMutError", "already mutably borrowed: BorrowError", "RefCell already borrowed", "RefCell already mutably borrowed"), Rank: 2,
		},
		{
			Name: "static-cell-twice", Title: "a static was initialised twice",
			Cause:  "StaticCell::init may be called once; a function or task with it ran again.",
			Cure:   []string{"call it once, or use init_with and one owner"},
			Source: "static_cell's documentation", Facts: one("`StaticCell` is already full, it can't be initialized twice"), Rank: 5,
		},
		{
			Name: "illegal-instruction", Title: "the CPU met an instruction that it has not",
			Cause:  "A program for another CPU (atomics with +a and no emulation, floating point), a jump to data or through a damaged pointer, or flash that was overwritten.",
			Cure:   []string{`no +a in rustflags; target = "` + target + `"`, "espalier symbolize LOG"},
			Source: "RISC-V privileged specification, mcause 2", Facts: one("Exception 'Illegal instruction", "Guru Meditation Error: Core  0 panic'ed (Illegal instruction)", "mcause=0x00000002", "Illegal instruction at", "Exception 'IllegalInstruction'"), Rank: 2,
		},
		{
			Name: "null-access", Title: "a load or store at an address without memory",
			Cause:  "A null or damaged pointer: memory that was freed, a heap that was never added, or an uninitialised driver.",
			Cure:   []string{"espalier symbolize LOG   # the line", "a heap before the radio is started"},
			Source: "esp-rs/esp-hal#2464; RISC-V privileged specification, mcause 5 and 7", Facts: one("Exception 'Load access fault", "Exception 'Store/AMO access fault", "panic'ed (Load access fault)", "panic'ed (Store access fault)", "Exception 'LoadFault'", "Exception 'StoreFault'"), Rank: 1,
		},
		{
			Name: "instruction-fault", Title: "the CPU jumped to an address without code",
			Cause:  "A damaged function pointer or return address: a stack that was overwritten, or code in flash while its cache was off.",
			Cure:   []string{"espalier symbolize LOG   # ra says from where", "#[ram] on interrupt handlers that run while the flash is written"},
			Source: "RISC-V privileged specification, mcause 1", Facts: one("Exception 'Instruction access fault", "panic'ed (Instruction access fault)", "Exception 'InstructionFault'", "Exception 'Instruction fault'"), Rank: 1,
		},
		{
			Name: "cache-error", Title: "code in flash ran while the flash was not mapped",
			Cause:  "An interrupt handler or its data is in flash while a flash operation has the cache off.",
			Cure:   []string{"the handler and all that it calls in RAM: #[ram]"},
			Source: idf + "fatal errors", Facts: one("Cache disabled but cached memory region accessed", "panic'ed (Cache error)"), Rank: 5,
		},
		{
			Name: "interrupt-watchdog", Title: "interrupts were off for too long",
			Cause:  "A critical section or an interrupt handler did not end.",
			Cure:   []string{"short handlers, no waiting in a critical section"},
			Source: idf + "watchdogs", Facts: one("Interrupt wdt timeout on CPU", "Interrupt watchdog timeout"), Rank: 4,
		},
		{
			Name: "task-watchdog", Title: "a task did not let others run",
			Cause:  "A task of ESP-IDF did not yield within the watchdog's time.",
			Cure:   []string{"vTaskDelay in long loops"},
			Source: idf + "watchdogs", Facts: one("task_wdt: Task watchdog got triggered"), Rank: 4,
		},
		{
			Name: "i2c-no-ack", Title: "no device answers on the I2C bus",
			Cause:  "Wrong address, no pull-up resistors, SDA and SCL exchanged, or no supply.",
			Cure:   []string{"pull-ups of 4.7 kΩ on SDA and SCL", "a scan of all addresses"},
			Source: "esp-hal, I2C error AcknowledgeCheckFailed", Facts: one("AcknowledgeCheckFailed", "NoAcknowledge(Address)", "NoAcknowledge(Unknown)"), Rank: 2,
		},
	}
}

// wifiRules are about reasons of the access point and of the driver (IEEE
// 802.11, 9.4.1.7; from 200 on Espressif's own).
func wifiRules() []Rule {
	code := func(n, name string) []string {
		return []string{"disconnected*reason:" + n + ")", "disconnected, reason:" + n + " ", "isconnected*reason: " + n + ",", "isconnected*reason: " + n + " ", "Reason: " + n + " - ", "reason: " + name, "reason:" + name, "WIFI_REASON_" + name, "(" + name + ")"}
	}
	return []Rule{
		{
			Name: "wifi-no-ap", Title: "the access point was not found",
			Cause:  "No access point of this name on 2.4 GHz: a misspelt SSID, 5 GHz only, channel 12 to 14 with another country, WPA3 only, or too far away.",
			Cure:   []string{"a 2.4 GHz network; the SSID as it is written", "scan in the program and print what is there", "on the emulated board: [net] ssid in espalier.toml"},
			Source: idf + "Wi-Fi reason code 201", Facts: one(append(code("201", "NO_AP_FOUND"), "NoApFound", "NoAccessPointFound")...), Rank: 3,
		},
		{
			Name: "wifi-auth-fail", Title: "the access point refused the authentication",
			Cause:  "A wrong passphrase, or a security mode that the access point does not accept.",
			Cure:   []string{"the passphrase, without spaces or line ends around it", "auth_method in the client's configuration"},
			Source: idf + "Wi-Fi reason code 202", Facts: one(append(code("202", "AUTH_FAIL"), "reason: AuthenticationFailed", "reason: AuthFail")...), Rank: 3,
		},
		{
			Name: "wifi-handshake", Title: "the four-way handshake did not end",
			Cause:  "Nearly always a wrong passphrase: message 2 does not verify and the access point does not answer. Else a weak signal.",
			Cure:   []string{"the passphrase", "wpa2 only, without PMF, to find out"},
			Source: "IEEE 802.11, reason code 15; " + idf + "204", Facts: one(append(append(code("15", "4WAY_HANDSHAKE_TIMEOUT"), code("204", "HANDSHAKE_TIMEOUT")...), "FourWayHandshakeTimeout", "HandshakeTimeout")...), Rank: 3,
		},
		{
			Name: "wifi-beacon", Title: "the access point is not heard any more",
			Cause:  "No beacon for some seconds: out of range, switched off, another channel, or the program kept the radio from running.",
			Cure:   []string{"no critical section of more than some milliseconds", "connect again when it happens"},
			Source: idf + "Wi-Fi reason code 200", Facts: one(append(code("200", "BEACON_TIMEOUT"), "BeaconTimeout", "wifi:bcn_timeout,ap_probe_send_start")...), Rank: 2,
		},
		{
			Name: "wifi-assoc", Title: "the access point refused the association",
			Cause:  "Too many stations, a MAC filter, or rates and security that it does not accept.",
			Cure:   []string{"the access point's list of stations and filters"},
			Source: "IEEE 802.11, reason code 5; " + idf + "203", Facts: one(append(append(code("203", "ASSOC_FAIL"), code("5", "ASSOC_TOOMANY")...), "reason: AssociationFailed", "AssociationTooMany")...), Rank: 3,
		},
		{
			Name: "wifi-mic", Title: "a message failed its integrity check",
			Cause:  "Wrong keys, or a security mode of old access points (TKIP).",
			Cure:   []string{"WPA2 with CCMP on the access point"},
			Source: "IEEE 802.11, reason code 14", Facts: one(append(code("14", "MIC_FAILURE"), "MicFailure")...), Rank: 3,
		},
	}
}

// hostRules are about the machine.
func hostRules() []Rule {
	return []Rule{
		{
			Name: "disk-full", Title: "the disk is full",
			Cause:  "A file could not be written.",
			Cure:   []string{"espalier gc", "df -h"},
			Source: "errno ENOSPC", Facts: one("No space left on device (os error 28)", "write: no space left on device", "LLVM ERROR: IO failure on output stream: No space left on device"), Not: []string{"unshare"}, Rank: 3,
		},
		{
			Name: "user-namespaces", Title: "the kernel's limit of namespaces is reached",
			Cause:  "unshare answers ENOSPC when user.max_user_namespaces is 0 or used up; the disk is not full.",
			Cure:   []string{"sudo sysctl user.max_user_namespaces=15000", "espalier doctor"},
			Source: "reproducible builds: obstacle 42; user_namespaces(7)", Facts: one("unshare: No space left on device", "unshare failed: No space left on device"), Rank: 5,
		},
		{
			Name: "no-user-namespaces", Title: "user namespaces are forbidden",
			Cause:  "A sysctl of the distribution, AppArmor, or a container's seccomp filter.",
			Cure:   []string{"espalier doctor   # names the setting", "docker run --security-opt seccomp=unconfined, or --privileged"},
			Source: "user_namespaces(7)", Facts: one("unshare: Operation not permitted", "unshare failed: Operation not permitted", "bwrap: setting up uid map: Permission denied", "bwrap: No permissions to create new namespace"), Rank: 4,
		},
		{
			Name: "out-of-memory-host", Title: "the compiler was killed: not enough memory",
			Cause:  "Signal 9 without a request is the kernel's or a container's memory limit. fat LTO needs most.",
			Cure:   []string{"CARGO_BUILD_JOBS=1", `lto = "thin" in the profile`, "more memory or swap"},
			Source: "Linux, OOM killer", Facts: one("process didn't exit successfully: `*rustc *(signal: 9, SIGKILL: kill)", "rustc-LLVM ERROR: out of memory", "memory allocation of * bytes failed*rustc"), Rank: 4,
		},
		{
			Name: "glibc-too-old", Title: "a program needs a newer C library",
			Cause:  "A binary that was built on a newer distribution.",
			Cure:   []string{"build it on this machine: cargo install", "a newer distribution or container"},
			Source: "ld.so", Facts: one("/lib/*libc.so.6: version `GLIBC_*' not found"), Rank: 4,
		},
		{
			Name: "tls-certificates", Title: "the certificate of a server is not trusted",
			Cause:  "No root certificates in this container, a proxy with a certificate of its own, or a clock that is wrong.",
			Cure:   []string{"apt install ca-certificates", "date", "CARGO_HTTP_CAINFO=FILE, SSL_CERT_FILE=FILE"},
			Source: "OpenSSL, curl", Facts: one("SSL certificate problem: unable to get local issuer certificate", "server certificate verification failed", "x509: certificate signed by unknown authority", "SSL certificate problem: certificate is not yet valid"), Rank: 3,
		},
	}
}
