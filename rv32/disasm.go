package rv32

import (
	"fmt"
	"strings"
)

var regNames = [32]string{"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
	"a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"}

// RegName is the ABI name of register i.
func RegName(i int) string { return regNames[i&31] }

var csrNames = map[uint32]string{
	0x300: "mstatus", 0x301: "misa", 0x304: "mie", 0x305: "mtvec", 0x340: "mscratch", 0x341: "mepc", 0x342: "mcause",
	0x343: "mtval", 0x344: "mip", 0x3a0: "pmpcfg0", 0x3a1: "pmpcfg1", 0x3a2: "pmpcfg2", 0x3a3: "pmpcfg3",
	0x3b0: "pmpaddr0", 0x3b1: "pmpaddr1", 0x3b2: "pmpaddr2", 0x3b3: "pmpaddr3", 0x3b4: "pmpaddr4", 0x3b5: "pmpaddr5",
	0x3b6: "pmpaddr6", 0x3b7: "pmpaddr7", 0x3b8: "pmpaddr8", 0x3b9: "pmpaddr9", 0x3ba: "pmpaddr10", 0x3bb: "pmpaddr11",
	0x3bc: "pmpaddr12", 0x3bd: "pmpaddr13", 0x3be: "pmpaddr14", 0x3bf: "pmpaddr15",
	0x7a0: "tselect", 0x7a1: "tdata1", 0x7a2: "tdata2", 0x7a5: "tcontrol",
	0xf11: "mvendorid", 0xf12: "marchid", 0xf13: "mimpid", 0xf14: "mhartid",
}

// Disassemble formats the instruction at pc whose first bytes are word as
// objdump does, including aliases: mnemonic, tab, operands. size is 2 or 4. An
// instruction that the ESP32-C3 does not have is a .2byte or .4byte.
func Disassemble(word, pc uint32) (text string, size int) {
	in, n := Decode(word, pc)
	if n == 2 {
		word &= 0xffff
		if text := disassembleHint(word); text != "" {
			return text, 2
		}
	}
	return disassemble(in, word, n), int(n)
}

// disassembleHint formats the compressed encodings that have no effect.
func disassembleHint(w uint32) string {
	rd, rs2, imm := w>>7&31, w>>2&31, int32(w<<19)>>31<<5|int32(w>>2&31)
	switch w>>13<<2&31 | w&3 {
	case 0:
		if w == 0 {
			return "unimp"
		}
	case 1: // c.nop
		if rd == 0 && imm != 0 {
			return fmt.Sprintf("c.nop\t%d", imm)
		}
	case 2<<2 | 1:
		if rd == 0 {
			return fmt.Sprintf("c.li\tzero,%d", imm)
		}
	case 3<<2 | 1:
		if rd == 0 && imm != 0 {
			return fmt.Sprintf("c.lui\tzero,0x%x", uint32(imm)&0xfffff)
		}
	case 4<<2 | 1:
		if w>>12&1 == 0 && rs2 == 0 && w>>11&1 == 0 {
			return fmt.Sprintf("c.%s64\t%s", [2]string{"srli", "srai"}[w>>10&1], regNames[rd&7+8])
		}
	case 0<<2 | 2:
		switch {
		case w>>12&1 != 0:
		case rs2 == 0:
			return "c.slli64\t" + regNames[rd]
		case rd == 0:
			return fmt.Sprintf("c.slli\tzero,0x%x", rs2)
		}
	case 4<<2 | 2:
		if rd == 0 && rs2 != 0 {
			return fmt.Sprintf("c.%s\tzero,%s", [2]string{"mv", "add"}[w>>12&1], regNames[rs2])
		}
	}
	return ""
}

func disassemble(in Inst, w, size uint32) string {
	rdn := in.Rd
	if rdn == SinkReg {
		rdn = 0
	}
	rd, rs1, rs2, imm := regNames[rdn], regNames[in.Rs1&31], regNames[in.Rs2&31], int32(in.Imm)
	name := ""
	if int(in.Op) < len(opNames) {
		name = opNames[in.Op]
	}
	switch op := in.Op; op {
	case OpIllegal:
		if size == 2 {
			return fmt.Sprintf(".2byte\t0x%x", w)
		}
		return fmt.Sprintf(".4byte\t0x%x", w)
	case OpLI:
		switch {
		case size == 4 && w&0x7f == 0x17:
			return fmt.Sprintf("auipc\t%s,0x%x", rd, w>>12)
		case size == 4 || w>>13 == 3:
			return fmt.Sprintf("lui\t%s,0x%x", rd, in.Imm>>12)
		}
		return fmt.Sprintf("li\t%s,%d", rd, imm)
	case OpADDI:
		switch {
		case in.Rs1 == 0 && rdn == 0 && imm == 0:
			return "nop"
		case in.Rs1 == 0:
			return fmt.Sprintf("li\t%s,%d", rd, imm)
		case imm == 0 && size == 4:
			return fmt.Sprintf("mv\t%s,%s", rd, rs1)
		}
	case OpXORI:
		if imm == -1 {
			return fmt.Sprintf("not\t%s,%s", rd, rs1)
		}
	case OpANDI:
		if imm == 255 {
			return fmt.Sprintf("zext.b\t%s,%s", rd, rs1)
		}
	case OpSLTIU:
		if imm == 1 {
			return fmt.Sprintf("seqz\t%s,%s", rd, rs1)
		}
	case OpSLLI, OpSRLI, OpSRAI:
		return fmt.Sprintf("%s\t%s,%s,0x%x", name, rd, rs1, imm)
	case OpADD:
		if size == 2 && in.Rs1 == 0 {
			return fmt.Sprintf("mv\t%s,%s", rd, rs2)
		}
	case OpSUB:
		if in.Rs1 == 0 {
			return fmt.Sprintf("neg\t%s,%s", rd, rs2)
		}
	case OpSLTU:
		if in.Rs1 == 0 {
			return fmt.Sprintf("snez\t%s,%s", rd, rs2)
		}
	case OpSLT:
		switch {
		case in.Rs2 == 0:
			return fmt.Sprintf("sltz\t%s,%s", rd, rs1)
		case in.Rs1 == 0:
			return fmt.Sprintf("sgtz\t%s,%s", rd, rs2)
		}
	case OpLB, OpLH, OpLW, OpLBU, OpLHU:
		return fmt.Sprintf("%s\t%s,%d(%s)", name, rd, imm, rs1)
	case OpSB, OpSH, OpSW:
		return fmt.Sprintf("%s\t%s,%d(%s)", name, rs2, imm, rs1)
	case OpBEQ, OpBNE, OpBLT, OpBGE, OpBLTU, OpBGEU:
		return disassembleBranch(in, name, rs1, rs2)
	case OpJAL:
		switch rdn {
		case 0:
			return fmt.Sprintf("j\t0x%x", in.Imm)
		case 1:
			return fmt.Sprintf("jal\t0x%x", in.Imm)
		}
		return fmt.Sprintf("jal\t%s,0x%x", rd, in.Imm)
	case OpJALR:
		to := rs1
		if imm != 0 {
			to = fmt.Sprintf("%d(%s)", imm, rs1)
		}
		switch {
		case rdn == 0 && in.Rs1 == 1 && imm == 0:
			return "ret"
		case rdn == 0:
			return "jr\t" + to
		case rdn == 1:
			return "jalr\t" + to
		}
		return fmt.Sprintf("jalr\t%s,%s", rd, to)
	case OpFENCE:
		return disassembleFence(w)
	case OpFENCEI:
		return "fence.i"
	case OpECALL, OpEBREAK, OpMRET, OpWFI:
		return name
	case OpCSRRW, OpCSRRS, OpCSRRC, OpCSRRWI, OpCSRRSI, OpCSRRCI:
		return disassembleCSR(in, rdn)
	}
	if in.Op < OpADD {
		return fmt.Sprintf("%s\t%s,%s,%d", name, rd, rs1, imm)
	}
	return fmt.Sprintf("%s\t%s,%s,%s", name, rd, rs1, rs2)
}

func disassembleBranch(in Inst, name, rs1, rs2 string) string {
	switch {
	case in.Rs1 == 0 && in.Op == OpBGE:
		return fmt.Sprintf("blez\t%s,0x%x", rs2, in.Imm)
	case in.Rs2 == 0 && in.Op <= OpBGE:
		return fmt.Sprintf("%sz\t%s,0x%x", name, rs1, in.Imm)
	case in.Rs1 == 0 && in.Op == OpBLT:
		return fmt.Sprintf("bgtz\t%s,0x%x", rs2, in.Imm)
	}
	return fmt.Sprintf("%s\t%s,%s,0x%x", name, rs1, rs2, in.Imm)
}

func disassembleFence(w uint32) string {
	set := func(bits uint32) string {
		var b strings.Builder
		for i, c := range "iorw" {
			if bits>>(3-i)&1 != 0 {
				b.WriteRune(c)
			}
		}
		if b.Len() == 0 {
			return "unknown"
		}
		return b.String()
	}
	switch {
	case w == 0x0ff0000f:
		return "fence"
	case w == 0x8330000f:
		return "fence.tso"
	}
	return fmt.Sprintf("fence\t%s,%s", set(w>>24&15), set(w>>20&15))
}

func disassembleCSR(in Inst, rdn uint8) string {
	n := in.Imm >> 20
	csr, ok := csrNames[n]
	if !ok {
		csr = fmt.Sprintf("0x%x", n)
	}
	src := regNames[in.Rs1&31]
	if in.Op >= OpCSRRWI {
		src = fmt.Sprint(in.Rs1)
	}
	rd, name := regNames[rdn], opNames[in.Op]
	switch short := "csr" + name[4:5]; {
	case in.Op == OpCSRRS && in.Rs1 == 0:
		return fmt.Sprintf("csrr\t%s,%s", rd, csr)
	case rdn == 0 && in.Op >= OpCSRRWI:
		return fmt.Sprintf("%si\t%s,%s", short, csr, src)
	case rdn == 0:
		return fmt.Sprintf("%s\t%s,%s", short, csr, src)
	}
	return fmt.Sprintf("%s\t%s,%s,%s", name, rd, csr, src)
}
