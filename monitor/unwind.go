package monitor

import (
	"encoding/binary"
	"fmt"
	"strings"

	"espalier.dev/espalier/firmware"
)

// unwind replaces what a report says about its stack memory by the calls in
// it. Without call frame information the report stays as it is.
func (r *Report) unwind(app *firmware.ELF) {
	if r.Stack == nil || app == nil || r.Kind == Watchdog || r.Kind == ResetLoop {
		return
	}
	s := r.Stack
	var from firmware.Stack
	if s.PC != 0 && len(r.Registers) == 0 || s.SP == 0 {
		// esp-backtrace: a return address, and memory whose place it does not
		// print, but which ends where the stack does.
		from.PC = s.PC
		if s.SP == 0 {
			s.SP = stackPointer(app, len(s.Data))
		}
	} else {
		from.Exact = true
		from.PC = register(r.Registers, "mepc")
		if from.PC == 0 {
			from.PC = register(r.Registers, "pc")
		}
		for _, g := range r.Registers {
			if n := abiNumber(g.Name); n > 0 {
				from.Set(n, g.Value)
			}
		}
	}
	base := s.SP
	if base == 0 {
		base = 1 << 16 // any: only saved frame pointers would tell the difference
	}
	from.Set(2, base)
	from.Memory = func(addr uint32) (uint32, bool) {
		off := uint64(addr - base)
		if off+4 > uint64(len(s.Data)) {
			return 0, false
		}
		return binary.LittleEndian.Uint32(s.Data[off:]), true
	}
	if at := firmware.ShortPath(r.Location, "/src"); at != "" {
		// The panic says where it was: the call is on that line.
		from.Likely = func(ret uint32) bool {
			for _, f := range app.Frames(ret - 1) {
				if strings.HasPrefix(at, fmt.Sprintf("%s:%d:", f.File, f.Line)) {
					return true
				}
			}
			return false
		}
	}
	pcs := app.Unwind(from)
	if len(pcs) < 2 {
		return
	}
	r.Hints = without(r.Hints, framePointers)
	frames := r.Frames[:0:0]
	seen := map[uint32]bool{}
	for _, f := range r.Frames {
		if f.Role == "pc" || f.Role == "backtrace" {
			frames = append(frames, f)
			seen[f.Addr] = true
		}
	}
	for _, pc := range pcs {
		if !seen[pc] {
			frames = append(frames, ReportFrame{Addr: pc, Role: "stack-dump"})
		}
	}
	r.Frames = frames
}

// stackPointer is where a dump of n bytes begins: it reaches to the top of the
// stack, unless it has the greatest size that esp-backtrace can be told (4 to
// 32 KiB). 0 if that cannot be known.
func stackPointer(app *firmware.ELF, n int) uint32 {
	top, ok := app.Lookup("_stack_start")
	if !ok || uint64(n) > uint64(top.Addr) {
		return 0
	}
	switch n {
	case 4 << 10, 8 << 10, 16 << 10, 32 << 10:
		return 0
	}
	return top.Addr - uint32(n)
}

// abiNumber is the number of a register by its ABI name (RISC-V psABI), -1
// for another.
func abiNumber(name string) int {
	const names = " zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6 "
	i := strings.Index(names, " "+name+" ")
	if i < 0 || name == "" {
		return -1
	}
	return strings.Count(names[:i+1], " ") - 1
}

func without(list []string, drop string) []string {
	out := list[:0:0]
	for _, s := range list {
		if s != drop {
			out = append(out, s)
		}
	}
	return out
}
