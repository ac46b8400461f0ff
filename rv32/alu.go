package rv32

// Division as in the unprivileged ISA manual, table "Semantics for division by
// zero and division overflow". Go defines the overflow case the same way.

func div(a, b uint32) uint32 {
	if b == 0 {
		return 0xffffffff
	}
	return uint32(int32(a) / int32(b))
}

func divu(a, b uint32) uint32 {
	if b == 0 {
		return 0xffffffff
	}
	return a / b
}

func rem(a, b uint32) uint32 {
	if b == 0 {
		return a
	}
	return uint32(int32(a) % int32(b))
}

func remu(a, b uint32) uint32 {
	if b == 0 {
		return a
	}
	return a % b
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
