package elftest

import "encoding/binary"

// PrintConstants returns RISC-V code that writes "const ", the byte at each of
// addrs and a line feed to UART0, and then loops. It fits any address and uses
// no memory of its own.
func PrintConstants(addrs ...uint32) []byte {
	const fifo = 0x6000_0000 // UART_FIFO_REG of UART0
	var code []byte
	emit := func(words ...uint32) {
		for _, w := range words {
			code = binary.LittleEndian.AppendUint32(code, w)
		}
	}
	letters := func(s string) {
		for _, c := range []byte(s) {
			emit(0x313|uint32(c)<<20, 0x0062_a023) // addi t1, x0, c; sw t1, 0(t0)
		}
	}
	emit(0x2b7 | fifo) // lui t0, fifo
	letters("const ")
	for _, a := range addrs {
		high := (a + 0x800) &^ 0xfff
		emit(0x337|high, 0x0003_4383|(a-high)<<20, 0x0072_a023) // lui t1, high; lbu t2, low(t1); sw t2, 0(t0)
	}
	letters("\n")
	emit(0x6f) // j .
	return code
}
