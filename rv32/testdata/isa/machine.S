/* Machine mode of the ESP32-C3: registers, traps and privileges, as the chapter
   "ESP-RISC-V CPU" of its technical reference manual describes them. */
	.option norvc
RVTEST_CODE_BEGIN
	/* 2: misa is RV32IMC with user mode; writes are ignored */
	csrr a0, misa
	CHECK(2, a0, 0x40101104)
	csrw misa, x0
	csrr a0, misa
	CHECK(3, a0, 0x40101104)
	csrr a0, mhartid
	CHECK(4, a0, 0)
	csrr a0, mvendorid
	CHECK(5, a0, 0x612)
	csrr a0, marchid
	CHECK(6, a0, 0x80000001)

	/* 10: csrrw, csrrs, csrrc and their immediate forms on plain storage */
	li a1, 0x12345678
	csrw mscratch, a1
	li a2, 0xff
	csrrs a0, mscratch, a2
	CHECK(10, a0, 0x12345678)
	csrrc a0, mscratch, a2
	CHECK(11, a0, 0x123456ff)
	csrrw a0, mscratch, x0
	CHECK(12, a0, 0x12345600)
	csrrwi a0, mscratch, 31
	CHECK(13, a0, 0)
	csrrsi a0, mscratch, 0
	CHECK(14, a0, 31)
	csrrci a0, mscratch, 5
	CHECK(15, a0, 31)
	csrrs a0, mscratch, x0
	CHECK(16, a0, 26)

	/* 20: fields that are hard-wired */
	li a0, 0x12345677
	csrw mepc, a0
	csrr a1, mepc
	CHECK(20, a1, 0x12345676)
	csrr s2, mtvec
	li a0, 0x4000abcd
	csrw mtvec, a0
	csrr a1, mtvec
	csrw mtvec, s2
	li t0, 0xfffffffe
	and a1, a1, t0
	CHECK(21, a1, 0x4000ab00)

	la t0, handler
	la t1, handler_address
	sw t0, 0(t1)

	/* 30: an environment call from machine mode; mret returns behind it */
#define TRAPS(n, cause, value, instruction...) \
	li TESTNUM, n; li s1, -1; la s0, 9f; 8: instruction; 9: \
	CHECK(n, s1, cause); li t5, value; bne s3, t5, fail; la t5, 8b; bne s4, t5, fail
	TRAPS(30, 11, 0, ecall)
	/* 31: a breakpoint */
	TRAPS(31, 3, 0, ebreak)
	/* 32: illegal instructions: mtval is the instruction */
	TRAPS(32, 2, 0xffffffff, .4byte 0xffffffff)
	TRAPS(33, 2, 0x10500077, .4byte 0x10500077)
	/* 34: writing a read-only register, and a register that does not exist */
	TRAPS(34, 2, 0xf1401073, csrw mhartid, x0)
	TRAPS(35, 2, 0x5c002573, csrr a0, 0x5c0)
	/* 36: supervisor mode does not exist */
	TRAPS(36, 2, 0x10200073, .4byte 0x10200073)
	TRAPS(37, 2, 0x18002573, .4byte 0x18002573)
	/* 38: no floating point and no atomics */
	TRAPS(38, 2, 0x00052007, .4byte 0x00052007)
	TRAPS(39, 2, 0x1005252f, .4byte 0x1005252f)

	/* 40: access faults: mtval is the address */
	li a0, 0x00000010
	TRAPS(40, 5, 0x10, lw a1, 0(a0))
	TRAPS(41, 7, 0x10, sw a1, 0(a0))

	/* 42: fetching where there is nothing: mepc and mtval are the target */
	li TESTNUM, 42
	li s1, -1
	la s0, 1f
	li a0, 0x00000010
	jr a0
1:	CHECK(42, s1, 1)
	CHECK(43, s3, 0x10)
	CHECK(44, s4, 0x10)

	/* 45: misaligned data is accessed, at any offset and over words */
	la a0, data
	lw a1, 1(a0)
	CHECK(45, a1, 0x55443322)
	lw a1, 3(a0)
	CHECK(46, a1, 0x77665544)
	lhu a1, 3(a0)
	CHECK(47, a1, 0x5544)
	lh a1, 7(a0)
	CHECK(48, a1, 0xffff9988)
	li a2, 0xa1b2c3d4
	sw a2, 5(a0)
	lw a1, 4(a0)
	CHECK(49, a1, 0xb2c3d455)
	lw a1, 8(a0)
	CHECK(50, a1, 0xccbbaaa1)
	sh a2, 11(a0)
	lbu a1, 12(a0)
	CHECK(51, a1, 0xc3)

	/* 52: bit 0 of the target of jalr is cleared */
	la a0, 1f
	addi a0, a0, 1
	li TESTNUM, 52
	jr a0
	j fail
1:
	/* 55: mstatus in a trap: MIE moves to MPIE and back */
	csrsi mstatus, 8
	li s5, -1
	TRAPS(55, 11, 0, ecall)
	li t0, 0x1888
	and s5, s5, t0
	CHECK(56, s5, 0x1880) /* in the handler: MPP machine, MPIE 1, MIE 0 */
	csrr a0, mstatus
	and a0, a0, t0
	CHECK(57, a0, 0x88) /* after mret: MPP user, MPIE 1, MIE 1 */
	csrci mstatus, 8

	/* 60: user mode: an environment call has another cause, machine registers
	   cannot be read and mret does not exist */
#define IN_USER(n, cause, value, instruction...) \
	li TESTNUM, n; li s1, -1; la s0, 9f; li t5, 0x1800; csrc mstatus, t5; \
	la t5, 8f; csrw mepc, t5; mret; 8: instruction; 9: \
	CHECK(n, s1, cause); li t5, value; bne s3, t5, fail; li t5, 0x1800; and s5, s5, t5; bne s5, x0, fail
	la t0, from_user
	la t1, handler_address
	sw t0, 0(t1)
	/* without an entry of the PMP, user mode may not even fetch */
	li a0, -1
	csrw pmpaddr0, a0
	li a0, 0x1f
	csrw pmpcfg0, a0
	IN_USER(60, 8, 0, ecall)
	IN_USER(61, 2, 0x34002573, csrr a0, mscratch)
	IN_USER(62, 2, 0x30200073, mret)
	IN_USER(63, 3, 0, ebreak)

	/* 70: fence and fence.i; wfi with an interrupt pending is a no-op */
	li TESTNUM, 70
	fence
	fence.i
	la a0, patch
	li a1, 0x02a00513 /* li a0, 42 */
	sw a1, 0(a0)
	fence.i
	li a0, 0
patch:	li a0, 1
	CHECK(71, a0, 42)
	FAIL_PASS

	.globl mtvec_handler
mtvec_handler:
	la t5, handler_address
	lw t5, 0(t5)
	jr t5

	/* keeps what a trap left in s1, s3, s4, s5 and goes on at s0 */
handler:
	csrr s1, mcause
	csrr s3, mtval
	csrr s4, mepc
	csrr s5, mstatus
	csrw mepc, s0
	mret

	/* the same, and goes on in machine mode */
from_user:
	csrr s1, mcause
	csrr s3, mtval
	csrr s4, mepc
	csrr s5, mstatus
	csrw mepc, s0
	li t5, 0x1800
	csrs mstatus, t5
	mret

	.data
	.balign 16
handler_address: .word 0
	.balign 16
data:	.byte 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00
