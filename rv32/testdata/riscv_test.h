/* The environment that riscv-tests want, for this CPU: mtvec is aligned to 256
   bytes as on the ESP32-C3, and the result (1, or the failed test's number) is
   stored at 0x60000000. */
#include "encoding.h"
#define RVTEST_RV32U .macro init; .endm
#define RVTEST_RV64U .macro init; .endm
#define RVTEST_RV32M .macro init; .endm
#define RVTEST_RV64M .macro init; .endm
#define TESTNUM gp
#define RVTEST_CODE_BEGIN \
	.option norelax; .section .text.init; .globl _start; \
	_start: j reset; .align 8; \
	trap_vector: .weak mtvec_handler; \
	csrr t5, mcause; li t6, 8; beq t5, t6, 1f; li t6, 11; beq t5, t6, 1f; \
	la t5, mtvec_handler; beqz t5, 2f; jr t5; \
	2: ori gp, gp, 1337; 1: li a6, 0x60000000; sw gp, 0(a6); 3: j 3b; \
	reset: la t0, trap_vector; csrw mtvec, t0; li gp, 0; csrwi mstatus, 0; init
#define RVTEST_CODE_END unimp
#define RVTEST_PASS fence; li TESTNUM, 1; li a7, 93; li a0, 0; ecall
#define RVTEST_FAIL fence; 1: beqz TESTNUM, 1b; sll TESTNUM, TESTNUM, 1; or TESTNUM, TESTNUM, 1; li a7, 93; addi a0, TESTNUM, 0; ecall
#define EXTRA_DATA
#define RVTEST_DATA_BEGIN EXTRA_DATA .align 4; .global begin_signature; begin_signature:
#define RVTEST_DATA_END .align 4; .global end_signature; end_signature:
