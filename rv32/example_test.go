package rv32_test

import (
	"fmt"

	"espalier.dev/espalier/rv32"
)

// A CPU with one memory adds the numbers from 1 to 10.
func Example() {
	cpu := rv32.New(rv32.Config{})
	ram := rv32.NewBank(4096)
	cpu.Memory().Map(0x80000000, ram, 0, 4096, rv32.Read|rv32.Write|rv32.Exec)
	ram.Write(0, []byte{
		0x13, 0x05, 0x00, 0x00, // li   a0, 0
		0x93, 0x05, 0xa0, 0x00, // li   a1, 10
		0x33, 0x05, 0xb5, 0x00, // add  a0, a0, a1
		0x93, 0x85, 0xf5, 0xff, // addi a1, a1, -1
		0xe3, 0x9c, 0x05, 0xfe, // bnez a1, .-8
		0x73, 0x00, 0x10, 0x00, // ebreak
	})
	cpu.StopOnEbreak = true
	cpu.SetPC(0x80000000)
	exit := cpu.Run(1000)
	fmt.Println(exit, cpu.Reg(10), cpu.Cycles())
	// Output: ebreak 55 32
}
