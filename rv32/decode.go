package rv32

// Field helpers for 32-bit encodings, RISC-V unprivileged ISA manual chapter
// "RV32I", figure of immediate formats.
func immI(w uint32) uint32 { return uint32(int32(w) >> 20) }
func immS(w uint32) uint32 { return uint32(int32(w)>>25)<<5 | w>>7&31 }
func immB(w uint32) uint32 {
	return uint32(int32(w)>>31)<<12 | w>>7&1<<11 | w>>25&63<<5 | w>>8&15<<1
}
func immJ(w uint32) uint32 {
	return uint32(int32(w)>>31)<<20 | w>>12&0xff<<12 | w>>20&1<<11 | w>>21&0x3ff<<1
}

func sink(rd uint32) uint8 {
	if rd == 0 {
		return SinkReg
	}
	return uint8(rd)
}

var (
	loadOps   = [8]Op{OpLB, OpLH, OpLW, OpIllegal, OpLBU, OpLHU, OpIllegal, OpIllegal}
	storeOps  = [8]Op{OpSB, OpSH, OpSW, OpIllegal, OpIllegal, OpIllegal, OpIllegal, OpIllegal}
	branchOps = [8]Op{OpBEQ, OpBNE, OpIllegal, OpIllegal, OpBLT, OpBGE, OpBLTU, OpBGEU}
	immOps    = [8]Op{OpADDI, OpSLLI, OpSLTI, OpSLTIU, OpXORI, OpSRLI, OpORI, OpANDI}
	regOps    = [8]Op{OpADD, OpSLL, OpSLT, OpSLTU, OpXOR, OpSRL, OpOR, OpAND}
	mulOps    = [8]Op{OpMUL, OpMULH, OpMULHSU, OpMULHU, OpDIV, OpDIVU, OpREM, OpREMU}
	csrOps    = [8]Op{OpIllegal, OpCSRRW, OpCSRRS, OpCSRRC, OpIllegal, OpCSRRWI, OpCSRRSI, OpCSRRCI}
)

// Decode decodes the instruction at pc whose first bytes are word (the upper
// half is ignored for a compressed one). Every word decodes: an instruction
// that the ESP32-C3 does not have is OpIllegal with the encoding in Imm. size
// is 2 or 4.
func Decode(word, pc uint32) (in Inst, size uint32) {
	if word&3 != 3 {
		return decode16(word&0xffff, pc), 2
	}
	return decode32(word, pc), 4
}

func illegal(w uint32) Inst { return Inst{Op: OpIllegal, Imm: w} }

func decode32(w, pc uint32) Inst {
	rd, rs1, rs2 := sink(w>>7&31), uint8(w>>15&31), uint8(w>>20&31)
	f3, f7 := w>>12&7, w>>25
	switch w & 0x7f {
	case 0x37: // lui
		return Inst{Op: OpLI, Rd: rd, Imm: w &^ 0xfff}
	case 0x17: // auipc
		return Inst{Op: OpLI, Rd: rd, Imm: pc + w&^0xfff}
	case 0x6f:
		return Inst{Op: OpJAL, Rd: rd, Imm: pc + immJ(w)}
	case 0x67:
		if f3 == 0 {
			return Inst{Op: OpJALR, Rd: rd, Rs1: rs1, Imm: immI(w)}
		}
	case 0x63:
		if op := branchOps[f3]; op != OpIllegal {
			return Inst{Op: op, Rs1: rs1, Rs2: rs2, Imm: pc + immB(w)}
		}
	case 0x03:
		if op := loadOps[f3]; op != OpIllegal {
			return Inst{Op: op, Rd: rd, Rs1: rs1, Imm: immI(w)}
		}
	case 0x23:
		if op := storeOps[f3]; op != OpIllegal {
			return Inst{Op: op, Rs1: rs1, Rs2: rs2, Imm: immS(w)}
		}
	case 0x13:
		switch f3 {
		case 1:
			if f7 != 0 {
				return illegal(w)
			}
			return Inst{Op: OpSLLI, Rd: rd, Rs1: rs1, Imm: uint32(rs2)}
		case 5:
			op := OpSRLI
			if f7 == 0x20 {
				op = OpSRAI
			} else if f7 != 0 {
				return illegal(w)
			}
			return Inst{Op: op, Rd: rd, Rs1: rs1, Imm: uint32(rs2)}
		}
		return Inst{Op: immOps[f3], Rd: rd, Rs1: rs1, Imm: immI(w)}
	case 0x33:
		switch {
		case f7 == 0:
			return Inst{Op: regOps[f3], Rd: rd, Rs1: rs1, Rs2: rs2}
		case f7 == 1:
			return Inst{Op: mulOps[f3], Rd: rd, Rs1: rs1, Rs2: rs2}
		case f7 == 0x20 && f3 == 0:
			return Inst{Op: OpSUB, Rd: rd, Rs1: rs1, Rs2: rs2}
		case f7 == 0x20 && f3 == 5:
			return Inst{Op: OpSRA, Rd: rd, Rs1: rs1, Rs2: rs2}
		}
	case 0x0f:
		switch f3 {
		case 0: // every fence is a no-op on one hart with ordered devices
			return Inst{Op: OpFENCE}
		case 1:
			return Inst{Op: OpFENCEI}
		}
	case 0x73:
		if f3 == 0 {
			switch w {
			case 0x00000073:
				return Inst{Op: OpECALL}
			case 0x00100073:
				return Inst{Op: OpEBREAK}
			case 0x30200073:
				return Inst{Op: OpMRET, Imm: w}
			case 0x10500073:
				return Inst{Op: OpWFI, Imm: w}
			}
			return illegal(w)
		}
		if op := csrOps[f3]; op != OpIllegal {
			// the encoding stays in Imm: a refused access is an illegal
			// instruction and mtval shows it; the CSR number is Imm>>20
			return Inst{Op: op, Rd: rd, Rs1: rs1, Imm: w}
		}
	}
	return illegal(w)
}

// decode16 expands the compressed forms of RV32C without F and D (unprivileged
// ISA manual, chapter "C"). HINTs execute as the no-ops they are.
func decode16(w, pc uint32) Inst {
	rd, rs2 := w>>7&31, uint8(w>>2&31)            // CR, CI, CSS
	rdc, rs1c := uint8(w>>2&7+8), uint8(w>>7&7+8) // CIW, CL, CS, CB
	imm6 := uint32(int32(w<<19)>>31)<<5 | w>>2&31
	f3 := w >> 13
	switch w & 3 {
	case 0:
		switch f3 {
		case 0: // c.addi4spn
			imm := w>>7&15<<6 | w>>11&3<<4 | w>>5&1<<3 | w>>6&1<<2
			if imm == 0 {
				return illegal(w)
			}
			return Inst{Op: OpADDI, Rd: rdc, Rs1: 2, Imm: imm}
		case 2: // c.lw
			return Inst{Op: OpLW, Rd: rdc, Rs1: rs1c, Imm: immCL(w)}
		case 6: // c.sw
			return Inst{Op: OpSW, Rs1: rs1c, Rs2: rdc, Imm: immCL(w)}
		}
	case 1:
		switch f3 {
		case 0: // c.addi, c.nop
			return Inst{Op: OpADDI, Rd: sink(rd), Rs1: uint8(rd), Imm: imm6}
		case 1: // c.jal
			return Inst{Op: OpJAL, Rd: 1, Imm: pc + immCJ(w)}
		case 2: // c.li
			return Inst{Op: OpLI, Rd: sink(rd), Imm: imm6}
		case 3:
			if rd == 2 { // c.addi16sp
				imm := uint32(int32(w<<19)>>31)<<9 | w>>6&1<<4 | w>>5&1<<6 | w>>3&3<<7 | w>>2&1<<5
				if imm == 0 {
					return illegal(w)
				}
				return Inst{Op: OpADDI, Rd: 2, Rs1: 2, Imm: imm}
			}
			if imm6 == 0 {
				return illegal(w)
			}
			return Inst{Op: OpLI, Rd: sink(rd), Imm: imm6 << 12}
		case 4:
			switch w >> 10 & 3 {
			case 0, 1: // c.srli, c.srai
				if w>>12&1 != 0 {
					return illegal(w)
				}
				op := OpSRLI
				if w>>10&1 != 0 {
					op = OpSRAI
				}
				return Inst{Op: op, Rd: rs1c, Rs1: rs1c, Imm: uint32(rs2)}
			case 2: // c.andi
				return Inst{Op: OpANDI, Rd: rs1c, Rs1: rs1c, Imm: imm6}
			}
			if w>>12&1 != 0 { // c.subw, c.addw: RV64
				return illegal(w)
			}
			op := [4]Op{OpSUB, OpXOR, OpOR, OpAND}[w>>5&3]
			return Inst{Op: op, Rd: rs1c, Rs1: rs1c, Rs2: rdc}
		case 5: // c.j
			return Inst{Op: OpJAL, Rd: SinkReg, Imm: pc + immCJ(w)}
		case 6, 7:
			op := OpBEQ
			if f3 == 7 {
				op = OpBNE
			}
			imm := uint32(int32(w<<19)>>31)<<8 | w>>10&3<<3 | w>>5&3<<6 | w>>3&3<<1 | w>>2&1<<5
			return Inst{Op: op, Rs1: rs1c, Imm: pc + imm}
		}
	case 2:
		switch f3 {
		case 0: // c.slli
			if w>>12&1 != 0 {
				return illegal(w)
			}
			return Inst{Op: OpSLLI, Rd: sink(rd), Rs1: uint8(rd), Imm: uint32(rs2)}
		case 2: // c.lwsp
			if rd == 0 {
				return illegal(w)
			}
			return Inst{Op: OpLW, Rd: uint8(rd), Rs1: 2, Imm: w>>12&1<<5 | w>>4&7<<2 | w>>2&3<<6}
		case 4:
			switch {
			case w>>12&1 == 0 && rs2 == 0: // c.jr
				if rd == 0 {
					return illegal(w)
				}
				return Inst{Op: OpJALR, Rd: SinkReg, Rs1: uint8(rd)}
			case w>>12&1 == 0: // c.mv
				return Inst{Op: OpADD, Rd: sink(rd), Rs2: rs2}
			case rs2 != 0: // c.add
				return Inst{Op: OpADD, Rd: sink(rd), Rs1: uint8(rd), Rs2: rs2}
			case rd == 0:
				return Inst{Op: OpEBREAK}
			default: // c.jalr
				return Inst{Op: OpJALR, Rd: 1, Rs1: uint8(rd)}
			}
		case 6: // c.swsp
			return Inst{Op: OpSW, Rs1: 2, Rs2: rs2, Imm: w>>9&15<<2 | w>>7&3<<6}
		}
	}
	return illegal(w)
}

func immCL(w uint32) uint32 { return w>>10&7<<3 | w>>6&1<<2 | w>>5&1<<6 }

func immCJ(w uint32) uint32 {
	return uint32(int32(w<<19)>>31)<<11 | w>>11&1<<4 | w>>9&3<<8 | w>>8&1<<10 |
		w>>7&1<<6 | w>>6&1<<7 | w>>3&7<<1 | w>>2&1<<5
}
