package rv32

// Op is what an instruction does after decoding: compressed forms and their
// 32-bit equivalents are the same Op.
type Op uint8

// Inst is one decoded instruction, 8 bytes. Rd is SinkReg for instructions
// that name x0 as destination and 0 for those that have none, so no engine
// tests for x0. Imm is absolute where the encoding is relative to the program
// counter (branches, jal, auipc).
type Inst struct {
	Op           Op
	Rd, Rs1, Rs2 uint8
	Imm          uint32
}

// SinkReg takes what is written to x0.
const SinkReg = 32

// registers has 256 places so that an index of type uint8 needs no bounds
// check; 0-31 are the architecture's, SinkReg is the sink, the rest unused.
type registers [256]uint32

// endsBlock reports whether an instruction may go elsewhere than to the next.
func (op Op) endsBlock() bool { return op >= firstTerminator && op < firstFused }
