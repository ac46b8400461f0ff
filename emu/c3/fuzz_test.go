package c3

import (
	"encoding/binary"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
)

// FuzzRegisters accesses registers of all blocks in any order, at different
// times: the host must never panic and a run must always end.
func FuzzRegisters(f *testing.F) {
	op := func(kind byte, addr, v uint32) []byte {
		b := []byte{kind}
		b = binary.LittleEndian.AppendUint32(b, addr)
		return binary.LittleEndian.AppendUint32(b, v)
	}
	seed := func(ops ...[]byte) {
		var all []byte
		for _, o := range ops {
			all = append(all, o...)
		}
		f.Add(all)
	}
	seed(op(2, 0x60000020, 1<<27|1<<14), op(2, 0x60000000, 'x'), op(3, 0, 500))
	seed(op(2, sysTimer+0x38, 1<<30|1), op(2, sysTimer+0x54, 1), op(2, sysTimer, 0xffffffff), op(3, 0, 9999))
	seed(op(2, timg1+0x10, 0xffffffff), op(2, timg1+0x14, 0xffffffff), op(2, timg1, 0xffffffff), op(3, 0, 9999))
	seed(op(2, 0x6001f048, 0xffffffff), op(2, 0x6001f050, 0), op(3, 0, 100))
	seed(op(2, 0x60008000, 1<<31), op(3, 0, 10), op(2, 0x600c0058, 2<<10|1023), op(3, 0, 10))
	seed(op(2, 0x600088d4, 0), op(2, efuseBase+efConf, efOpWrite), op(2, efuseBase+efCmd, 2|15<<2), op(3, 0, 100000))
	seed(op(2, 0x600c4000, 1), op(2, 0x600c4004, 0), op(2, mmuBase+508, 0xff), op(2, mmuBase+0x7fc, 1))
	seed(op(2, 0x60002018, 0xffffffff), op(2, 0x6000201c, 0xffffffff), op(2, 0x60002024, 0x3ff), op(2, 0x60002000, 0xffffffff))
	seed(op(4, 0, 0x41414141), op(5, 3, 1), op(0, 0x60000001, 0), op(1, 0x60043002, 7))
	seed(op(2, 0x33088, 0xc8000), op(2, 0x33084, 1<<31|1), op(2, 0xe150, 12<<20), op(2, 0x33d08, 0xc10c8000), op(3, 0, 9999), op(2, 0x33084, 1<<31|1))
	seed(op(2, 0x240e8, 7), op(2, 0x24010, 0xf8000001), op(2, 0x2401c, 0x3ffff), op(2, 0x24000, 1<<24), op(3, 0, 99999), op(2, 0x24000, 1<<23))
	seed(op(2, 0x240e0, 1<<26), op(2, 0x24010, 1), op(2, 0x24000, 1<<24), op(2, 0x4154+4*68, 0x5e), op(2, 0x4154+4*68, 0x5f))
	halfDuplex := [][]byte{op(2, 0x240e0, 1<<26|0xf<<8), op(2, 0x24010, 0), op(2, 0x4154+4*65, 0x5e), op(2, 0x4154+4*68, 0x5f)}
	for range 40 { // a clock, with data that is constant
		halfDuplex = append(halfDuplex, op(2, 0x4154+4*63, 0x5e), op(2, 0x4154+4*63, 0x5f))
	}
	seed(append(halfDuplex, op(2, 0x4154+4*68, 0x5e))...)
	seed(op(2, 0x13058, 6<<11), op(2, 0x1305c, 1<<11|255), op(2, 0x13004, 1<<5|1<<4|3), op(3, 0, 99999), op(2, 0x13080, 0x3f))
	// Memory to memory with a list that loops, and AES and SHA by DMA.
	seed(op(6, 0x40, 1<<31|1<<30|16<<12|16), op(6, 0x44, sram1Data+0x100), op(6, 0x48, sram1Data+0x40), op(2, 0x3f070, 1<<4),
		op(2, 0x3f080, 1<<22|0x80040), op(2, 0x3f0e0, 1<<21|0x80040), op(3, 0, 9999))
	seed(op(6, 0x40, 1<<31|16<<12|16), op(6, 0x44, 0), op(6, 0x48, sram1Data+0x40), op(2, 0x3f100, 6), op(2, 0x3f0a0, 6),
		op(2, 0x3a090, 1), op(2, 0x3a098, 0xffffffff), op(2, 0x3a048, 1), op(2, 0x3f080, 1<<22|0x80040), op(2, 0x3f0e0, 1<<21|0x80040), op(3, 0, 9999))
	seed(op(2, 0x3c000, 3), op(2, 0x3c804, 127), op(2, 0x3c80c, 1), op(2, 0x3d000, 1), op(2, 0x3de00, 1), op(2, 0x3de04, 1), op(3, 0, 9999))
	seed(op(2, 0x2d034, 1<<26|1), op(2, 0x2d030, 1<<26|1), op(2, 0x2d02c, 0xffffffff), op(2, 0x2d054, 0xfffff), op(2, 0x2d024, 0x080c0004), op(3, 0, 9999), op(2, 0x2d020, 0x4))
	seed(op(2, 0xc0010, 0xffffffff), op(2, 0x2b000, 4), op(2, 0x2b040, 0x88), op(2, 0x2b004, 1<<4), op(3, 0, 99999), op(5, 9, 0), op(3, 0, 99999))
	f.Fuzz(func(t *testing.T, ops []byte) {
		cfg := emu.Config{ROM: program(func(a *asm) { a.halt() }).rom(), Flash: make([]byte, 1<<20)}
		c, b, err := newBoard(cfg)
		if err != nil {
			t.Fatal(err)
		}
		// Each run checks the context once, and again after 32768 events: devices with
		// periods of one tick end it here instead of taking seconds.
		ctx := &expiring{t.Context(), 200 + 16}
		c.bus.Store(0x600c0010, 4, ^uint32(0)) // clocks of all blocks
		c.bus.Store(0x600c0014, 4, ^uint32(0))
		for n := 0; len(ops) >= 9 && n < 200; n, ops = n+1, ops[9:] {
			addr, v := le32(ops[1:]), le32(ops[5:])
			// Most of the address space is empty: map addresses to the
			// peripherals.
			addr = periBase + addr&0xfffff
			switch ops[0] % 7 {
			case 0:
				c.bus.Load(addr, 1)
			case 1:
				c.bus.Store(addr&^1, 2, v)
			case 2:
				c.bus.Store(addr&^3, 4, v)
				c.bus.Load(addr&^3, 4)
			case 3:
				// A period of one count interrupts sixteen million times a
				// second, so this run must be short.
				b.Run(ctx, emu.Limit(time.Duration(v%125_000)+1), emu.Instructions(20_000))
			case 4:
				b.Send(emu.Stream(addr%3), ops[5:9])
			case 6: // memory that the DMA reads descriptors from
				c.m.CPU.Memory().Write(sram1Data|addr&0xfffc, ops[5:9])
			case 5:
				b.SetPin(int(addr%24), emu.Level(v%3))
			}
		}
		b.Run(ctx, emu.Limit(10*time.Microsecond), emu.Instructions(20_000))
		if len(ops) == 0 { // too slow for every input
			if err := b.Restore(b.Snapshot()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzFlashCommand executes any flash command with any data.
func FuzzFlashCommand(f *testing.F) {
	f.Add(byte(flPageProgram), uint32(0xffffff), []byte{1, 2, 3}, byte(4))
	f.Add(byte(flReadSFDP), uint32(0xffffffff), []byte{}, byte(64))
	f.Add(byte(flBlockErase64), uint32(0xfffff), []byte{}, byte(0))
	f.Add(byte(flWriteStatus), uint32(0), []byte{0xff, 0xff, 0xff}, byte(1))
	f.Add(byte(flReadUniqueID), uint32(7), []byte{}, byte(16))
	f.Fuzz(func(t *testing.T, op byte, addr uint32, out []byte, n byte) {
		fl, err := newFlash(make([]byte, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		fl.changed = func(off, n uint32) {
			if off+n > fl.bank.Size() {
				t.Errorf("reports a change at %d+%d", off, n)
			}
		}
		fl.exec(flWriteEnable, 0, nil, nil)
		fl.exec(op, addr, out, make([]byte, n))
		fl.exec(flReleasePowerD, 0, nil, nil)
		fl.exec(flRead, addr, nil, make([]byte, n))
	})
}

// FuzzROM loads any file as a mask ROM.
func FuzzROM(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x7fELF\x01\x01\x01"))
	f.Add(make([]byte, 1000))
	f.Fuzz(func(t *testing.T, file []byte) {
		if rom, err := FlatROM(file); err == nil && len(rom) != romSize {
			t.Errorf("ROM of %d bytes", len(rom))
		}
	})
}
