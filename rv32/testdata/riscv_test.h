/* The environment of the riscv-tests programs for this CPU: mtvec is aligned to
   256 bytes as on the ESP32-C3, and the result is stored at 0x60000000: 1, or
   twice the number of the failed test plus 1. Traps that a program does not
   handle itself (mtvec_handler) fail with the number that TESTNUM has then. */
#define RVTEST_RV32U
#define TESTNUM x28
#define RESULT_PORT 0x60000000
#define RVTEST_CODE_BEGIN \
	.option norelax; .text; .globl _start; \
	_start: j reset; .balign 256; \
	trap_vector: .weak mtvec_handler; \
	la t5, mtvec_handler; beqz t5, unexpected_trap; jr t5; \
	unexpected_trap: slli TESTNUM, TESTNUM, 1; ori TESTNUM, TESTNUM, 1; ori TESTNUM, TESTNUM, 1024; \
	report: li t6, RESULT_PORT; sw TESTNUM, 0(t6); 3: j 3b; \
	reset: la t0, trap_vector; csrw mtvec, t0; li TESTNUM, 0; csrwi mstatus, 0;
#define RVTEST_CODE_END
#define RVTEST_PASS li TESTNUM, 1; j report
#define RVTEST_FAIL slli TESTNUM, TESTNUM, 1; ori TESTNUM, TESTNUM, 1; j report
#define RVTEST_DATA_BEGIN .balign 16;
#define RVTEST_DATA_END .balign 16;

/* For our own programs: CHECK(number, register, expected value). */
#define CHECK(n, reg, value) li TESTNUM, n; li t6, value; bne reg, t6, fail
#define FAIL_PASS j pass; fail: RVTEST_FAIL; pass: RVTEST_PASS
