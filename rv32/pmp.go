package rv32

// Physical memory protection, TRM 1.9 and RISC-V privileged architecture 3.7:
// 16 entries, of which the first that matches decides. Only locked entries
// apply to machine mode; user mode only has the permissions of the entries.
const pmpEntries = 16

// Bits of an entry's configuration. Reading, writing and executing have the
// values of Perm.
const (
	pmpMode   = 3 << 3
	pmpTOR    = 1 << 3
	pmpNA4    = 2 << 3
	pmpNAPOT  = 3 << 3
	pmpLocked = 1 << 7
	pmpLegal  = 0x9f
)

func (s *CSRs) pmpConfig(n int) uint32 { return s.Pmpcfg[n/4] >> (n % 4 * 8) & 0xff }

// pmpRegion returns the range of entry n; of size 0 when it is off.
func (s *CSRs) pmpRegion(n int) region {
	addr := s.Pmpaddr[n]
	switch s.pmpConfig(n) & pmpMode {
	case pmpTOR:
		from := uint64(0)
		if n > 0 {
			from = uint64(s.Pmpaddr[n-1]) << 2
		}
		to := uint64(addr) << 2
		if from >= to || from >= 1<<32 {
			return region{}
		}
		return region{uint32(from), to - from}
	case pmpNA4:
		return region{addr << 2, 4}
	case pmpNAPOT:
		r := napot(addr)
		base, size := uint64(r.base)<<2, r.size<<2
		if base >= 1<<32 {
			return region{}
		}
		return region{uint32(base), size}
	}
	return region{}
}

// pmpLockedAddr reports whether pmpaddr n cannot be written: its entry is
// locked, or it is the lower bound of a locked one.
func (s *CSRs) pmpLockedAddr(n int) bool {
	if s.pmpConfig(n)&pmpLocked != 0 {
		return true
	}
	if n+1 == pmpEntries {
		return false
	}
	next := s.pmpConfig(n + 1)
	return next&pmpLocked != 0 && next&pmpMode == pmpTOR
}

// allows reports whether the PMP permits an access to n bytes at addr: the first
// entry that has one of the bytes must have all of them and permit the access.
func (c *CPU) allows(addr, n uint32, p Perm) bool { return c.allowsIn(c.mode, addr, n, p) }

func (c *CPU) allowsIn(mode Mode, addr, n uint32, p Perm) bool {
	for i := range c.pmp {
		e := &c.pmp[i]
		if !e.touches(addr, n) {
			continue
		}
		if uint64(addr) < uint64(e.base) || uint64(addr)+uint64(n) > uint64(e.base)+e.size {
			return false
		}
		return mode == Machine && e.config&pmpLocked == 0 || e.config&uint32(p) == uint32(p)
	}
	return mode == Machine
}

// setPMP writes pmpcfg or pmpaddr; locked entries are unchanged.
func (c *CPU) setPMP(n uint16, v uint32) {
	s := &c.csr
	if n >= csrPmpaddr0 {
		i := int(n - csrPmpaddr0)
		if s.pmpLockedAddr(i) || s.Pmpaddr[i] == v {
			return
		}
		s.Pmpaddr[i] = v
	} else {
		word := int(n - csrPmpcfg0)
		old := s.Pmpcfg[word]
		for i := range 4 {
			mask := uint32(0xff) << (8 * i)
			if old&mask>>(8*i)&pmpLocked == 0 {
				s.Pmpcfg[word] = s.Pmpcfg[word]&^mask | v&mask&(pmpLegal<<(8*i))
			}
		}
		if s.Pmpcfg[word] == old {
			return
		}
	}
	c.reguard()
	c.reprotect()
}

// reprotect drops cached translations and code after a change of permissions.
func (c *CPU) reprotect() {
	c.mem.flush()
	c.mem.dropAll()
}
