package semihost_test

import (
	"fmt"
	"strings"

	"espalier.dev/espalier/emu/semihost"
	"espalier.dev/espalier/rv32"
)

// A CPU writes a text by semihosting, and exits with status 3.
func Example() {
	cpu := rv32.New(rv32.Config{})
	ram := rv32.NewBank(4096)
	cpu.Memory().Map(0x80000000, ram, 0, 4096, rv32.Read|rv32.Write|rv32.Exec)
	call := "\x13\x10\xf0\x01" + // slli zero, zero, 31
		"\x73\x00\x10\x00" + // ebreak
		"\x13\x50\x70\x40" // srai zero, zero, 7
	ram.Write(0, []byte(""+
		"\xb7\x05\x00\x80"+"\x93\x85\x05\x10"+ // li a1, 0x80000100
		"\x13\x05\x40\x00"+call+ // li a0, 4: SYS_WRITE0
		"\x93\x85\x05\x10"+ // addi a1, a1, 0x100
		"\x13\x05\x00\x02"+call)) // li a0, 32: SYS_EXIT_EXTENDED
	ram.Write(0x100, []byte("hello from the chip\x00"))
	ram.Write(0x200, []byte{0x26, 0, 2, 0, 3, 0, 0, 0}) // application exit, status

	var out strings.Builder
	host := &semihost.Host{Stdout: func(p []byte) { out.Write(p) }}
	host.Attach(cpu)
	cpu.SetPC(0x80000000)
	fmt.Println(cpu.Run(1000))
	fmt.Println(out.String())
	fmt.Println(host.Exited.Reason == semihost.ApplicationExit, host.Exited.Code, host.Exited.Success())
	// Output:
	// ebreak
	// hello from the chip
	// true 3 false
}
