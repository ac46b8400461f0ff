package rv32

// Op is the operation of a decoded instruction: compressed forms and their
// 32-bit equivalents have the same Op.
type Op uint8

// Inst is one decoded instruction, 8 bytes. Rd is SinkReg for instructions with
// x0 as destination and 0 for those without destination, so no engine tests for
// x0. Imm is absolute where the encoding is relative to the program counter
// (branches, jal, auipc).
type Inst struct {
	Op           Op
	Rd, Rs1, Rs2 uint8
	Imm          uint32
}

// SinkReg receives values written to x0.
const SinkReg = 32

// registers has 256 entries so that an index of type uint8 needs no bounds
// check; 0-31 are the architecture's, SinkReg is the sink, the rest is unused.
type registers [256]uint32

// endsBlock reports whether an instruction may continue elsewhere than at the
// next one.
func (op Op) endsBlock() bool { return op >= firstTerminator && op < firstFused }
