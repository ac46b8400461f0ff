package c3

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/devtest"
)

// hello is a program that disables the watchdogs that a bootloader leaves on,
// prints and waits.
func hello(a *asm) {
	quietWatchdogs(a)
	a.print("hello from flash\n")
	a.halt()
}

func quietWatchdogs(a *asm) {
	a.poke(0x600080a8, wdtKey)
	a.poke(0x60008090, 0)
	a.poke(0x6001f064, wdtKey)
	a.poke(0x6001f048, 0)
}

// inOrder checks that the texts appear in this order.
func inOrder(t *testing.T, out string, texts ...string) {
	t.Helper()
	rest := out
	for _, s := range texts {
		_, after, ok := strings.Cut(rest, s)
		if !ok {
			t.Fatalf("no %q in the rest of:\n%s", s, out)
		}
		rest = after
	}
}

func TestBootThroughROMAndBootloader(t *testing.T) {
	for _, rev := range []struct {
		name, banner string
		revision     uint16
	}{
		{"rev0", "ESP-ROM:esp32c3-20200918", 3}, {"rev101", "ESP-ROM:esp32c3-eco7-20230720", 101}, {"rev300", "ESP-ROM:esp32c3-api1-20210207", 0},
	} {
		t.Run(rev.name, func(t *testing.T) {
			b, con := boot(t, emu.Config{ROM: maskROM(t, rev.name), Revision: rev.revision, Flash: app(t, hello), Strict: true})
			res := b.Run(t.Context(), emu.UntilText("hello from flash\n"), emu.Limit(time.Second))
			if res.Reason != emu.StopText {
				t.Fatalf("stopped with %v, %v:\n%s", res.Reason, res.Err, con.text(emu.UART0))
			}
			chipRevision := cmp.Or(rev.revision, newestRevision)
			inOrder(t, con.text(emu.UART0), rev.banner, "rst:0x1 (POWERON),boot:0xd (SPI_FAST_FLASH_BOOT)", "mode:DIO", "entry 0x",
				"2nd stage bootloader", fmt.Sprintf("chip revision: v%d.%d", chipRevision/100, chipRevision%100), "SPI Flash Size : 4MB", "factory", "Loaded app from partition at offset 0x10000",
				"hello from flash\n")
			// About 1,200 characters at 115200 baud, as on a real board.
			if res.Now < 100*time.Millisecond || res.Now > 130*time.Millisecond {
				t.Errorf("took %v of guest time", res.Now)
			}
			if len(res.Resets) != 0 {
				t.Errorf("resets: %v", res.Resets)
			}
		})
	}
}

func TestFlashSizesBoot(t *testing.T) {
	small := app(t, hello)
	for _, size := range []int{4 << 20, 8 << 20, 16 << 20} {
		flash := append(bytes.Clone(small), bytes.Repeat([]byte{0xff}, size-len(small))...)
		b, con := boot(t, emu.Config{Flash: flash})
		if res := b.Run(t.Context(), emu.UntilText("hello from flash"), emu.Limit(time.Second)); res.Reason != emu.StopText {
			t.Errorf("%d MiB: %v\n%s", size>>20, res.Reason, con.text(emu.UART0))
		}
	}
}

// Espressif's own code rejects wrong images with its own messages.
func TestWrongImagesAreRefused(t *testing.T) {
	good := app(t, hello)
	for _, k := range []struct {
		name  string
		patch func(flash []byte)
		want  []string
	}{
		{"erased", func(f []byte) { fill(f, 0xff) }, []string{"invalid header: 0xffffffff"}},
		{"bootloader for another chip", func(f []byte) { f[12] = 9 }, []string{"Invalid chip id. Expected 5 read 9. Bootloader for wrong chip?"}},
		{"bootloader segment damaged", func(f []byte) { f[0x100] ^= 1 }, []string{"Checksum failure. Calculated"}},
		{"no partition table", func(f []byte) { fill(f[0x8000:0x9000], 0xff) }, []string{"2nd stage bootloader", "load partition table error!"}},
		{"partition table damaged", func(f []byte) { f[0x8004] ^= 1 }, []string{"2nd stage bootloader", "Failed to verify partition table"}},
		{"application for another chip", func(f []byte) { f[0x10000+12] = 9 }, []string{"2nd stage bootloader", "chip"}},
		{"application damaged", func(f []byte) { f[0x10000+0x200] ^= 1 }, []string{"esp_image: ", "No bootable app partitions"}},
		{"application erased", func(f []byte) { fill(f[0x10000:0x20000], 0xff) }, []string{"No bootable app partitions"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			flash := bytes.Clone(good)
			k.patch(flash)
			b, con := boot(t, emu.Config{Flash: flash})
			res := b.Run(t.Context(), emu.UntilText("hello from flash"), emu.UntilReset(), emu.Limit(20*time.Second))
			out := con.text(emu.UART0)
			if res.Reason != emu.StopReset {
				t.Fatalf("stopped with %v:\n%.2000s", res.Reason, out)
			}
			inOrder(t, out, k.want...)
		})
	}
}

// The ROM prints the reset cause and the program counter before the reset.
func TestROMPrintsResetCause(t *testing.T) {
	const options0, mwdt0, rwdt = 0x60008000, 0x6001f048, 0x60008090
	spin := func(a *asm) { a.j(a.pc()) }
	for _, k := range []struct {
		name  string
		write func(a *asm)
		want  string
	}{
		{"software, system", func(a *asm) { a.poke(options0, 1<<31) }, "rst:0x3 (RTC_SW_SYS_RST),boot:0xd"},
		{"software, CPU", func(a *asm) { a.poke(options0, 1<<5) }, "rst:0xc (RTC_SW_CPU_RST),boot:0xd"},
		{"MWDT0 system", func(a *asm) { a.poke(mwdt0+8, 1000); a.poke(mwdt0, 1<<31|3<<29|1<<22) }, "rst:0x7 (TG0WDT_SYS_RST),boot:0xd"},
		{"MWDT0 CPU", func(a *asm) { a.poke(mwdt0+8, 1000); a.poke(mwdt0, 1<<31|2<<29|1<<22) }, "rst:0xb (TG0WDT_CPU_RST),boot:0xd"},
		{"RWDT system", func(a *asm) { a.poke(rwdt+4, 20000); a.poke(rwdt, 1<<31|3<<28) }, "rst:0x9 (RTCWDT_SYS_RST),boot:0xd"},
		{"RWDT CPU", func(a *asm) { a.poke(rwdt+4, 20000); a.poke(rwdt, 1<<31|2<<28) }, "rst:0xd (RTCWDT_CPU_RST),boot:0xd"},
		{"RWDT RTC", func(a *asm) { a.poke(rwdt+4, 20000); a.poke(rwdt, 1<<31|4<<28) }, "rst:0x10 (RTCWDT_RTC_RST),boot:0xd"},
		{"super watchdog", func(a *asm) {
			a.poke(0x600080b0, swdKey)
			a.poke(0x600080ac, 0x4b00000)
			a.poke(0x6000810c, 0)
		}, "rst:0x12 (SUPER_WDT_RST),boot:0xd"},
	} {
		t.Run(k.name, func(t *testing.T) {
			b, con := boot(t, emu.Config{Flash: app(t, func(a *asm) {
				quietWatchdogs(a)
				k.write(a)
				spin(a)
			})})
			if res := b.Run(t.Context(), emu.UntilReset(), emu.Limit(2*time.Second)); res.Reason != emu.StopReset {
				t.Fatalf("no reset: %v\n%s", res.Reason, con.text(emu.UART0))
			}
			b.Run(t.Context(), emu.UntilText("entry 0x"), emu.Limit(time.Second))
			inOrder(t, con.text(emu.UART0), "POWERON", k.want, "entry 0x")
			// A reset of the whole chip clears the recorded PC.
			saved := strings.Contains(con.text(emu.UART0), "Saved PC:0x4201")
			if wholeChip := strings.Contains(k.want, "RTCWDT_RTC") || strings.Contains(k.want, "SUPER"); saved == wholeChip {
				t.Errorf("Saved PC printed: %v", saved)
			}
		})
	}
}

// A chip without a bootable image is reset repeatedly.
func TestBlankChipLoops(t *testing.T) {
	b, con := boot(t, emu.Config{})
	res := b.Run(t.Context(), emu.Limit(4*time.Second))
	if len(res.Resets) != 3 {
		t.Errorf("resets: %v", res.Resets)
	}
	if n := strings.Count(con.text(emu.UART0), "rst:0x7 (TG0WDT_SYS_RST),boot:0xd (SPI_FAST_FLASH_BOOT)"); n != 3 {
		t.Errorf("the ROM printed the cause %d times", n)
	}
}

// Functions of the mask ROM, called in the emulator, compute what the standard
// library computes; this covers CPU, memory and the SHA block.
func TestROMFunctions(t *testing.T) {
	b, _ := boot(t, emu.Config{})
	b.Run(t.Context(), emu.UntilText("invalid header"), emu.Limit(time.Second))
	cpu, mem := b.CPU(), b.CPU().Memory()
	const buf, ctx, out, stack, back = 0x3fc90000, 0x3fca0000, 0x3fca1000, 0x3fcc0000, 0x40380000
	mem.Write(back, []byte{0x6f, 0, 0, 0}) // jumps to itself
	call := func(fn uint32, args ...uint32) uint32 {
		t.Helper()
		for i, a := range args {
			cpu.SetReg(a0+i, a)
		}
		cpu.SetReg(sp, stack)
		cpu.SetReg(ra, back)
		cpu.SetPC(fn)
		cpu.SetCSR(0x300, 0) // no interrupts
		for range 100 {
			if cpu.PC() == back {
				return cpu.Reg(a0)
			}
			b.Run(t.Context(), emu.Instructions(2000))
		}
		t.Fatalf("0x%08x does not return", fn)
		return 0
	}
	msg := bytes.Repeat([]byte("espalier says: same bytes, same digest. "), 30)
	mem.Write(buf, msg)
	n := uint32(len(msg))

	if got, want := call(0x40000628, 0, buf, n), crc32.ChecksumIEEE(msg); got != want {
		t.Errorf("crc32_le: 0x%08x, want 0x%08x", got, want)
	}
	call(0x40000614, ctx)         // MD5Init
	call(0x40000618, ctx, buf, n) // MD5Update
	call(0x4000061c, out, ctx)    // MD5Final
	var digest [32]byte
	mem.Read(out, digest[:16])
	if want := md5.Sum(msg); !bytes.Equal(digest[:16], want[:]) {
		t.Errorf("MD5: % x, want % x", digest[:16], want)
	}
	call(0x40000644)                 // ets_sha_enable
	call(0x40000650, ctx, 2)         // ets_sha_init, SHA2_256
	call(0x4000065c, ctx, buf, n, 1) // ets_sha_update
	call(0x40000660, ctx, out)       // ets_sha_finish
	mem.Read(out, digest[:])
	if want := sha256.Sum256(msg); digest != want {
		t.Errorf("SHA-256: % x, want % x", digest, want)
	}
}

// frame is a command of the ROM's serial loader in its SLIP frame.
func frame(op byte, data []byte) []byte {
	p := append([]byte{0, op}, binary.LittleEndian.AppendUint16(nil, uint16(len(data)))...)
	p = append(append(p, 0, 0, 0, 0), data...)
	p = bytes.ReplaceAll(p, []byte{0xdb}, []byte{0xdb, 0xdd})
	p = bytes.ReplaceAll(p, []byte{0xc0}, []byte{0xdb, 0xdc})
	return append(append([]byte{0xc0}, p...), 0xc0)
}

// With the download strapping, the ROM's own loader answers on both ports.
func TestROMLoaderAnswers(t *testing.T) {
	for _, port := range []emu.Stream{emu.UART0, emu.USB} {
		t.Run(port.String(), func(t *testing.T) {
			b, con := boot(t, emu.Config{Strap: emu.StrapDownload, USBHost: true, Strict: true})
			if res := b.Run(t.Context(), emu.UntilText("waiting for download"), emu.Limit(time.Second)); res.Reason != emu.StopText {
				t.Fatalf("%v: %s", res.Reason, con.text(emu.UART0))
			}
			b.Run(t.Context(), emu.Limit(10*time.Millisecond))
			sync := append([]byte{7, 7, 0x12, 0x20}, bytes.Repeat([]byte{0x55}, 32)...)
			con.out = [3][]byte{}
			var res emu.Result
			for range 5 { // like a host: the first SYNC may only set the baud rate
				b.Send(port, frame(0x08, sync))
				res = b.Run(t.Context(), emu.UntilText("\xc0\x01\x08", port), emu.Limit(100*time.Millisecond))
				if res.Reason == emu.StopText {
					break
				}
			}
			if res.Reason != emu.StopText {
				t.Fatalf("no answer to SYNC: % x", con.out[port])
			}
			b.Run(t.Context(), emu.Limit(100*time.Millisecond))
			if n := bytes.Count(con.out[port], []byte("\xc0\x01\x08")); n < 8 {
				t.Errorf("%d replies to SYNC, want 8", n)
			}
			con.out = [3][]byte{}
			b.Send(port, frame(0x0a, binary.LittleEndian.AppendUint32(nil, 0x40001000)))
			b.Run(t.Context(), emu.UntilText("\xc0\x01\x0a", port), emu.Limit(100*time.Millisecond))
			b.Run(t.Context(), emu.Limit(10*time.Millisecond))
			want := []byte{0xc0, 1, 0x0a, 4, 0, 0x6f, 0x50, 0x31, 0x1b} // the magic of the ESP32-C3
			if !bytes.Contains(con.out[port], want) {
				t.Errorf("READ_REG answered % x", con.out[port])
			}
		})
	}
}

// A data watchpoint of the firmware raises a breakpoint exception: esp-hal's
// stack guard is one.
func TestWatchpointTraps(t *testing.T) {
	flash := app(t, func(a *asm) {
		a.li(t0, 0x42010200)
		a.csrw(0x305, t0) // mtvec
		a.li(t0, 8)
		a.csrw(0x7a5, t0) // tcontrol.mte
		a.li(a0, 0x3fc90000)
		a.csrw(0x7a2, a0)
		a.li(t0, 0x20000042) // machine mode, store, exact address
		a.csrw(0x7a1, t0)
		a.print("armed ")
		a.sw(t1, a0, 0)
		a.print("unnoticed")
		a.halt()
		for a.pc() < 0x42010200 {
			a.addi(zero, zero, 0)
		}
		a.print("trapped")
		a.halt()
	})
	b, con := boot(t, emu.Config{Flash: flash})
	b.Run(t.Context(), emu.UntilText("trapped"), emu.Limit(time.Second))
	inOrder(t, con.text(emu.UART0), "armed trapped")
}

func TestUnknownRevision(t *testing.T) {
	_, err := New(emu.Config{ROM: program(func(a *asm) { a.halt() }).rom(), Revision: 2})
	var unknown *emu.RevisionError
	if !errors.As(err, &unknown) || unknown.Error() != "no chip of revision v0.2; known are v0.3 v0.4 v1.1" {
		t.Errorf("%v", err)
	}
}

// The bootloader refuses an application for a later revision, and boots it on that.
func TestMinimumRevision(t *testing.T) {
	elf := readFile(t, devtest.Store(t), "firmware", "hello.elf")
	f, err := image.FromELF(elf, image.Inputs{Bootloader: readFile(t, espflash(t), "bootloaders", "esp32c3-bootloader.bin"), MinChipRev: 101})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		revision uint16
		rom      string
		want     []string
	}{
		{4, "rev300", []string{"ESP-ROM:esp32c3-api1-20210207", "chip revision: v0.4", "chip revision check failed. Required >= v1.1, found v0.4"}},
		{101, "rev101", []string{"ESP-ROM:esp32c3-eco7-20230720", "chip revision: v1.1", "Hello from an ESP32-C3!"}},
	} {
		b, con := boot(t, emu.Config{ROM: maskROM(t, k.rom), Revision: k.revision, Flash: f.Merged()})
		last := k.want[len(k.want)-1]
		if res := b.Run(t.Context(), emu.UntilText(last), emu.Limit(time.Second)); res.Reason != emu.StopText {
			t.Errorf("v%d.%d: stopped with %v\n%s", k.revision/100, k.revision%100, res.Reason, con.text(emu.UART0))
		}
		inOrder(t, con.text(emu.UART0), k.want...)
	}
}
