/* Every instruction of the C extension that RV32 has without floating point, at
   the ends of its immediate's range. The numbers are expected values worked out
   from the instruction set manual, volume I, chapter "C". */
	.option norvc
RVTEST_CODE_BEGIN
	.option rvc

	/* c.li, c.addi, c.nop: a signed 6-bit immediate */
	c.li a0, 31
	CHECK(2, a0, 31)
	c.li a0, -32
	CHECK(3, a0, -32)
	c.addi a0, 31
	CHECK(4, a0, -1)
	c.addi a0, -32
	CHECK(5, a0, -33)
	c.nop
	CHECK(6, a0, -33)

	/* c.lui: bits 17 to 12, sign-extended, not 0 */
	c.lui a1, 1
	CHECK(7, a1, 0x1000)
	c.lui a1, 31
	CHECK(8, a1, 0x1f000)
	c.lui a1, 0xfffe0
	CHECK(9, a1, 0xfffe0000)

	/* c.addi16sp, c.addi4spn */
	li sp, 0x20000
	c.addi16sp sp, -512
	CHECK(10, sp, 0x1fe00)
	c.addi16sp sp, 496
	CHECK(11, sp, 0x1fff0)
	c.addi4spn a5, sp, 1020
	CHECK(12, a5, 0x203ec)
	c.addi4spn s0, sp, 4
	CHECK(13, s0, 0x1fff4)

	/* shifts */
	li a2, 0x80000001
	c.slli a2, 1
	CHECK(14, a2, 2)
	li a2, 0x80000001
	c.slli a2, 31
	CHECK(15, a2, 0x80000000)
	c.srli a2, 31
	CHECK(16, a2, 1)
	li a2, 0x80000000
	c.srai a2, 31
	CHECK(17, a2, -1)
	li a2, 0x40000000
	c.srai a2, 30
	CHECK(18, a2, 1)

	/* c.andi, register operations */
	li a3, 0xffffffff
	c.andi a3, 31
	CHECK(19, a3, 31)
	li a3, 0x12345678
	c.andi a3, -32
	CHECK(20, a3, 0x12345660)
	li a3, 5
	li a4, 12
	c.sub a3, a4
	CHECK(21, a3, -7)
	c.xor a3, a4
	CHECK(22, a3, -11)
	c.or a3, a4
	CHECK(23, a3, -3)
	c.and a3, a4
	CHECK(24, a3, 12)
	c.mv t0, a3
	CHECK(25, t0, 12)
	c.add t0, a4
	CHECK(26, t0, 24)
	li ra, 3
	c.add ra, t0
	CHECK(27, ra, 27)

	/* loads and stores: offsets 0 to 124, and 0 to 252 from sp */
	la a0, words
	li a1, 0xcafef00d
	c.sw a1, 124(a0)
	c.lw a2, 124(a0)
	CHECK(28, a2, 0xcafef00d)
	lw t0, 124(a0)
	CHECK(29, t0, 0xcafef00d)
	c.sw a0, 0(a0)
	c.lw a3, 0(a0)
	la t0, words
	sub a3, a3, t0
	CHECK(30, a3, 0)
	la sp, words
	li t1, 0x13572468
	c.swsp t1, 252(sp)
	c.lwsp t2, 252(sp)
	CHECK(31, t2, 0x13572468)
	lw t0, 252(a0)
	CHECK(32, t0, 0x13572468)
	c.swsp t1, 64(sp)
	c.lwsp ra, 64(sp)
	CHECK(33, ra, 0x13572468)

	/* branches, forwards and backwards, taken and not */
	li TESTNUM, 34
	li a0, 0
	c.beqz a0, 1f
	j fail
1:	li TESTNUM, 35
	c.bnez a0, fail_near
	li a0, 0x80000000
	li TESTNUM, 36
	c.bnez a0, 1f
	j fail
1:	li TESTNUM, 37
	c.beqz a0, fail_near
	li a1, 0
	li a0, 5
2:	c.addi a1, 3
	c.addi a0, -1
	c.bnez a0, 2b
	CHECK(38, a1, 15)

	/* jumps and links: c.jal and c.jalr link the address two bytes on */
	li TESTNUM, 39
	c.j 1f
fail_near:
	j fail
1:	c.jal 1f
3:	j fail
1:	la t0, 3b
	sub t0, t0, ra
	CHECK(40, t0, 0)
	la t1, 1f
	li TESTNUM, 41
	c.jr t1
	j fail
1:	la t1, 1f
	li TESTNUM, 42
	c.jalr t1
4:	j fail
1:	la t0, 4b
	sub t0, t0, ra
	CHECK(43, t0, 0)
	li TESTNUM, 44
	c.jal far_ahead
	c.j 5f
	.balign 1024
far_ahead:
	c.jr ra
5:
	/* a hint writes nothing: c.li, c.mv and c.add with x0, c.slli x0 */
	.2byte 0x407d /* c.li x0, 31 */
	.2byte 0x802a /* c.mv x0, a0 */
	.2byte 0x902a /* c.add x0, a0 */
	.2byte 0x007e /* c.slli x0, 31 */
	mv t0, x0
	CHECK(45, t0, 0)

	/* a 32-bit instruction at an address that is not a multiple of 4, and one
	   over the end of a page */
	.balign 4
	c.nop
	.option norvc
	addi t0, x0, 1234
	.option rvc
	CHECK(46, t0, 1234)
	c.j 6f
	.balign 4096
	.skip 4094, 0
6:
	j 7f
	.balign 4096
	.skip 4094 - 4, 0
7:	.option norvc
	addi t0, x0, 77
	lui t1, 0x12345
	.option rvc
	CHECK(47, t0, 77)
	CHECK(48, t1, 0x12345000)

	/* what is reserved traps: 0, c.addi4spn with 0, c.lwsp to x0, c.jr x0 */
	.option norvc
	la t0, catch
	la t1, handler_address
	sw t0, 0(t1)
	.option rvc
#define ILLEGAL(n, bits) li TESTNUM, n; li s1, 0; la s0, 1f; .2byte bits; 1: CHECK(n, s1, 2)
	ILLEGAL(50, 0x0000)
	ILLEGAL(51, 0x0004) /* c.addi4spn s1, sp, 0 */
	ILLEGAL(52, 0x4002) /* c.lwsp x0, 0(sp) */
	ILLEGAL(53, 0x8002) /* c.jr x0 */
	ILLEGAL(54, 0x6101) /* c.addi16sp 0 */
	ILLEGAL(55, 0x6081) /* c.lui ra, 0 */
	ILLEGAL(56, 0x9c01) /* c.subw, RV64 */
	ILLEGAL(57, 0x8000) /* reserved in quadrant 0 */
	.option norvc
	FAIL_PASS

	.balign 4
mtvec_handler:
	.globl mtvec_handler
	la t5, handler_address
	lw t5, 0(t5)
	jr t5
catch:
	csrr s1, mcause
	csrw mepc, s0
	mret

	.data
	.balign 16
handler_address: .word 0
	.balign 16
words:	.skip 512
