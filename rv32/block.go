package rv32

type block struct{}

type codeIndex struct{}

func (*codeIndex) init()                                       {}
func (*codeIndex) dropPage(addr uint32)                        {}
func (*codeIndex) dropAll(m *Memory)                           {}
func (m *Memory) dropLines(b *Bank, page uint32, lines uint64) {}
func (c *CPU) runBlocks() Exit                                 { return c.runReference() }
