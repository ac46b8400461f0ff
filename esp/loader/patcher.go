package loader

import "context"

// The patcher is a program of some 80 instructions that espalier puts into the
// chip's RAM to rewrite flash from what flash holds: what moved within the flash
// need not go over the wire again. It calls the mask ROM for everything that is
// work (inflating, reading, erasing, writing) and then goes back to the ROM's
// loader, so it can be called again and the loader's commands verify its work.
//
// It trusts no input: the patch has an Adler-32 that the ROM checks before the
// first sector is erased, the host has verified by a digest that flash holds what
// the patch was made for, and the result is verified like every write.

// Entries of the mask ROM that every revision of the chip has at the same
// place (ESP-IDF, esp32c3.rom.ld).
const (
	romDownload   = 0x400000b4 // UartDwnLdProc(buffer, size, *entry): the loader, until MEM_END
	romInflate    = 0x40000100 // tinfl_decompress_mem_to_mem(to, size, from, size, flags)
	romFlashErase = 0x400001e4 // SPIEraseArea(addr, size), whole sectors; unlocks
	romFlashWrite = 0x4000012c // esp_rom_spiflash_write(addr, from, size)
	romFlashRead  = 0x40000130 // esp_rom_spiflash_read(addr, to, size), words only
)

// Where things are in RAM. The ROM has its own from 0x3fccae00 on.
const (
	patcherCode   = 0x40380000 // the same RAM as 0x3fc80000, as instructions
	patcherParams = 0x3fc80400
	patcherEntry  = patcherParams + 12 // of the next MEM_END
	patcherFrom   = patcherParams + 16 // the patch, deflated
	patcherLoader = 0x3fc90000         // the loader's buffer
	patcherStack  = 0x3fc98000         // its end: inflating takes 11 KiB
	patcherPiece  = 0x3fc98000         // what has been read
	patcherTo     = 0x3fc9a000         // the patch, inflated
	patcherEnd    = 0x3fcca000

	mostPatch    = patcherLoader - patcherFrom
	loaderBuffer = 0x2000
)

// What the patcher leaves in its first parameter.
const (
	patchWaits   = 0 // as it is sent
	patchDone    = 1
	patchDamaged = 2
	patchFailed  = 3 // a flash function of the ROM did
)

// patcherProgram assembles the patcher. Its parameters are four words: status,
// size of the patch deflated, size inflated, and one that it uses.
//
// An inflated patch is words: where the data begins, the number of ranges, of
// each the address and the size; then steps, each a length and where to add
// from in flash (all ones: nothing), until a length of zero; then the data, as
// long as the ranges together.
func patcherProgram() []byte {
	a := newAssembler()
	a.li(sp, patcherStack)
	a.li(s8, patcherParams)
	a.li(s1, patcherTo)
	a.mv(a0, s1)
	a.lw(a1, 8, s8)
	a.li(a2, patcherFrom)
	a.lw(a3, 4, s8)
	a.li(a4, 1) // with the header and checksum of zlib
	a.call(romInflate)
	a.lw(a1, 8, s8)
	a.li(s7, patchDamaged)
	a.bne(a0, a1, "end")
	a.li(s7, patchFailed)
	a.lw(s0, 0, s1) // data
	a.add(s0, s0, s1)
	a.lw(s2, 4, s1) // ranges
	a.addi(s1, s1, 8)
	a.add(t0, s2, s2)
	a.add(t0, t0, t0)
	a.add(t0, t0, t0)
	a.add(s6, s1, t0) // steps; s1 stays at the ranges

	a.label("step")
	a.lw(s3, 0, s6) // how many bytes
	a.lw(s4, 4, s6) // from where
	a.addi(s6, s6, 8)
	a.beq(s3, zero, "write")
	a.addi(t0, zero, -1)
	a.bne(s4, t0, "piece")
	a.add(s0, s0, s3)
	a.j("step")
	a.label("piece")
	a.beq(s3, zero, "step")
	a.li(s5, sector)
	a.bltu(s5, s3, "long")
	a.mv(s5, s3)
	a.label("long")
	a.andi(a0, s4, -4)
	a.sub(t0, s4, a0) // bytes before it in its word
	a.add(a2, s5, t0)
	a.addi(a2, a2, 3)
	a.andi(a2, a2, -4)
	a.li(a1, patcherPiece)
	a.call(romFlashRead)
	a.bne(a0, zero, "end")
	a.andi(t0, s4, 3)
	a.li(a1, patcherPiece)
	a.add(a1, a1, t0)
	a.add(a2, s0, s5)
	a.label("add")
	a.lbu(t0, 0, s0)
	a.lbu(t1, 0, a1)
	a.add(t0, t0, t1)
	a.sb(t0, 0, s0)
	a.addi(s0, s0, 1)
	a.addi(a1, a1, 1)
	a.bne(s0, a2, "add")
	a.sub(s3, s3, s5)
	a.add(s4, s4, s5)
	a.j("piece")

	a.label("write") // everything is here: flash may change now
	a.li(t0, patcherTo)
	a.lw(s0, 0, t0)
	a.add(s0, s0, t0)
	a.label("range")
	a.beq(s2, zero, "done")
	a.lw(s3, 0, s1)
	a.lw(s4, 4, s1)
	a.mv(a0, s3)
	a.mv(a1, s4)
	a.call(romFlashErase)
	a.bne(a0, zero, "end")
	a.li(s5, sector) // at a time: the ROM's write runs on and on when it is given 120 KiB
	a.label("sector")
	a.mv(a0, s3)
	a.mv(a1, s0)
	a.mv(a2, s5)
	a.call(romFlashWrite)
	a.bne(a0, zero, "end")
	a.add(s3, s3, s5)
	a.add(s0, s0, s5)
	a.sub(s4, s4, s5)
	a.bne(s4, zero, "sector")
	a.addi(s1, s1, 8)
	a.addi(s2, s2, -1)
	a.j("range")
	a.label("done")
	a.li(s7, patchDone)

	a.label("end")
	a.sw(s7, 0, s8)
	a.li(a0, patcherLoader)
	a.li(a1, loaderBuffer)
	a.addi(a2, s8, 12)
	a.call(romDownload)
	a.lw(t0, 12, s8)
	a.jr(t0)
	return a.bytes()
}

// runPatch lets the chip apply a patch that rewrites n bytes.
func (l *Loader) runPatch(ctx context.Context, p patch, n int) error {
	if !l.patcher {
		if err := l.load(ctx, Section{patcherCode, patcherProgram()}); err != nil {
			return err
		}
		l.patcher = true
	}
	if err := l.load(ctx, Section{patcherParams, append(words(patchWaits, uint32(len(p.deflated)), uint32(p.size), 0), p.deflated...)}); err != nil {
		return err
	}
	if _, err := l.link.once(ctx, opMemEnd, words(0, patcherCode), 0, timeCommand); err != nil {
		return err
	}
	// The question waits in the chip's buffer until the loader runs again.
	r, err := l.link.once(ctx, opReadReg, words(patcherParams), 0, timeFor(timeErasePM, uint32(n)))
	if err != nil {
		return err
	}
	if r.value != patchDone {
		return &patchError{r.value}
	}
	return nil
}

// patchError is a patch that the chip has not applied: damaged on the way, or
// refused by flash. The sectors are written as they are then.
type patchError struct{ status uint32 }

func (e *patchError) Error() string {
	switch e.status {
	case patchDamaged:
		return "the patch came damaged; nothing was written"
	case patchFailed:
		return "patching flash failed on the chip"
	}
	return "the patch has not been applied"
}
