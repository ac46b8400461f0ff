package rv32

// Mode is the privilege mode.
type Mode uint8

// The modes of the ESP32-C3, numbered as in mstatus.MPP.
const (
	User    Mode = 0
	Machine Mode = 3
)

// State is the complete state of the CPU without memory: a plain value that can
// be stored, compared and restored.
type State struct {
	X       [32]uint32
	PC      uint32
	Cycles  uint64
	Mode    Mode
	Waiting bool  // in wfi
	IRQ     uint8 // line presented by the interrupt matrix, 0 is none
	CSR     CSRs
	Hash    uint64 // see CPU.Trace
}

// CSRs are the control and status registers that are storage. Names as in the
// ESP32-C3 technical reference manual, section 1.4.
type CSRs struct {
	Mstatus, Mtvec, Mscratch, Mepc, Mcause, Mtval uint32
	Mie, Mip                                      uint32 // not on the chip; start-up code for other chips clears them
	Ustatus                                       uint32 // CSR 0, written by the mask ROM
	Pmpcfg                                        [4]uint32
	Pmpaddr                                       [16]uint32
	Tselect, Tcontrol                             uint32
	Tdata1, Tdata2                                [triggers]uint32 // writable bits; see triggerCSR
	Mpcer, Mpcmr, Upcer, Upcmr                    uint32
	// MpccrBase and UpccrBase are the two performance counters, minus the cycle
	// counter where they count cycles.
	MpccrBase, UpccrBase uint32
}

// mstatus bits.
const (
	mstatusMIE  = 1 << 3
	mstatusMPIE = 1 << 7
	mstatusMPP  = 3 << 11
	mstatusTW   = 1 << 21

	mstatusWritable = mstatusMIE | mstatusMPIE | mstatusMPP | mstatusTW
)

// State returns the current registers.
func (c *CPU) State() State {
	s := State{PC: c.pc, Cycles: c.cycles, Mode: c.mode, Waiting: c.waiting, IRQ: c.irq, CSR: c.csr, Hash: c.hash}
	copy(s.X[:], c.x[:32])
	return s
}

// SetState replaces the registers. The caller restores memory with Memory.Write
// or Bank.Write.
func (c *CPU) SetState(s State) {
	copy(c.x[:32], s.X[:])
	c.x[0] = 0
	c.pc, c.cycles, c.mode, c.waiting, c.irq, c.csr, c.hash = s.PC&^1, s.Cycles, s.Mode, s.Waiting, s.IRQ, s.CSR, s.Hash
	c.spin = spinState{}
	c.attn = true
	c.mcount, c.ucount = modeOf(c.csr.Mpcer, c.csr.Mpcmr), modeOf(c.csr.Upcer, c.csr.Upcmr)
	before := c.guard
	c.reguard()
	if before != (guards{}) || c.guard != (guards{}) {
		c.reprotect()
	}
}
