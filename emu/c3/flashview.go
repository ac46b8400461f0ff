package c3

import "espalier.dev/espalier/rv32"

// flashView is the flash content as read through the cache: unchanged or, with
// flash encryption on (SPI_BOOT_CRYPT_CNT), decrypted with the key of the
// eFuse. Pages are decrypted when they are mapped.
type flashView struct {
	cache *extmem
	on    bool
	plain *rv32.Bank // nil until encryption is enabled for the first time
	valid []bool     // pages of plain that are decrypted
	xts   *xts
}

// view returns the bank for a page of flash.
func (v *flashView) view(page uint32) *rv32.Bank {
	if !v.on {
		return v.cache.soc.flashBank
	}
	if !v.valid[page] {
		v.valid[page] = true
		v.decrypt(page*mmuPage, mmuPage)
	}
	return v.plain
}

// update handles a change of the conditions for decryption: the eFuse, the boot
// mode and, in download mode, ENABLE_DOWNLOAD_G0CB_DECRYPT.
func (v *flashView) update() {
	c := v.cache.soc
	const downloadDecrypt = 1 << 2
	on := c.efuse.flashEncrypted() && (c.gpio.flashBoot() || c.system.get(sysExternalCrypt)&downloadDecrypt != 0)
	if on == v.on {
		return
	}
	v.on = on
	v.forget()
	v.cache.remap()
}

// forget discards decrypted pages after a change of the key or the flash.
func (v *flashView) forget() {
	if !v.on {
		return
	}
	c := v.cache.soc
	if v.plain == nil {
		v.plain, v.valid = rv32.NewBank(int(c.flashBank.Size())), make([]bool, c.flashBank.Size()/mmuPage)
	}
	clear(v.valid)
	v.xts = newXTS(c.efuse.flashKey())
}

// changed handles the programming of n bytes of flash at off.
func (v *flashView) changed(off, n uint32) {
	if !v.on {
		return
	}
	for page := off / mmuPage; page <= (off+n-1)/mmuPage; page++ {
		if v.valid[page] {
			from := max(off&^(xtsUnit-1), page*mmuPage)
			to := min((off+n+xtsUnit-1)&^(xtsUnit-1), (page+1)*mmuPage)
			v.decrypt(from, to-from)
		}
	}
}

func (v *flashView) decrypt(off, n uint32) {
	p := make([]byte, n)
	v.cache.soc.flashBank.Read(off, p)
	v.xts.decrypt(p, off)
	v.plain.Write(off, p)
}
