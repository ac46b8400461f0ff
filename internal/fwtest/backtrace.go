package fwtest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/monitor"
)

// backtrace describes the calls of a failed test, innermost first, without those
// that only carry a panic or an exit.
func (m *machine) backtrace() []string {
	var frames [][]firmware.Frame
	var addrs []uint32
	if r := m.out.report; r != nil && len(r.Frames) > 0 && m.host.Exited == nil {
		for _, f := range r.Frames {
			frames, addrs = append(frames, f.Frames), append(addrs, f.Addr)
		}
	} else {
		for i, addr := range m.calls() {
			at := addr
			if i > 0 {
				at-- // a return address: the call is before it
			}
			frames, addrs = append(frames, m.p.symbols.Frames(at)), append(addrs, addr)
		}
	}
	var out, all []string
	for i, inline := range frames {
		if len(inline) == 0 {
			out = append(out, fmt.Sprintf("0x%08x", addrs[i]))
		}
		for _, f := range inline {
			text := fmt.Sprintf("0x%08x %s", addrs[i], f.Function)
			if f.File != "" {
				text += fmt.Sprintf(" at %s:%d", f.File, f.Line)
			}
			all = append(all, text)
			if carries(f.Function) {
				out = nil // all before it belongs to the panic or the exit
				continue
			}
			out = append(out, text)
			if strings.HasPrefix(f.Function, "embedded_test::export::__embedded_test_start") {
				return out
			}
		}
	}
	if len(out) == 0 {
		return all // the stack could not be followed beyond the panic
	}
	return out
}

// carries reports whether a function only carries a panic to its handler or an
// exit to the host.
func carries(function string) bool {
	for _, p := range []string{"core::panicking::", "core::option::", "core::result::", "semihosting::", "esp_backtrace::",
		"rust_begin_unwind", "defmt::export::panic", "_defmt_panic", "__defmt_default_panic", "__rustc::rust_begin_unwind", "embedded_test::export::hosting", "embedded_test::export::check_outcome"} {
		if strings.HasPrefix(function, p) {
			return true
		}
	}
	return strings.HasSuffix(function, "::rust_begin_unwind")
}

// calls returns where the CPU is and the return addresses on its stack.
func (m *machine) calls() []uint32 {
	cpu, app := m.board.CPU(), m.p.symbols.App()
	if app == nil || !app.Executable(cpu.PC()) {
		return []uint32{cpu.PC()}
	}
	regs := firmware.Registers{PC: cpu.PC()}
	for n := 1; n < 32; n++ {
		regs.Set(n, cpu.Reg(n))
	}
	return app.Unwind(firmware.Stack{Registers: regs, Exact: true, Memory: func(addr uint32) (uint32, bool) {
		var word [4]byte
		ok := cpu.Memory().Read(addr, word[:])
		return binary.LittleEndian.Uint32(word[:]), ok
	}})
}

var _ monitor.Sink = (*output)(nil)
