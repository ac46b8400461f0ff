package monitor

import (
	"fmt"
	"strings"

	"espalier.dev/espalier/firmware"
)

// symbolise fills in the frames of a report. Return addresses are looked up
// one byte earlier, inside the call.
func (r *Report) symbolise(s *firmware.Symbols) {
	r.unwind(s.App())
	for i := range r.Frames {
		f := &r.Frames[i]
		at := f.Addr
		if f.Role == "ra" || f.Role == "stack-dump" {
			at--
		}
		if s.Executable(at) {
			f.Frames = s.Frames(at)
			for j := range f.Frames {
				if !f.Frames[j].Inline {
					f.Frames[j].Offset += f.Addr - at
				}
			}
		}
		f.Plumbing = plumbing(f.Frames)
	}
	if s.App() == nil && len(r.Frames) > 0 {
		r.Hints = append(r.Hints, "name the ELF of this firmware to see functions and lines")
	}
}

// plumbing reports whether all functions of an address only carry a panic to
// its handler: a reader looks past them.
func plumbing(frames []firmware.Frame) bool {
	for _, f := range frames {
		if !isPlumbing(f.Function) {
			return false
		}
	}
	return len(frames) > 0
}

func isPlumbing(name string) bool {
	for _, p := range [...]string{"core::panicking::", "core::option::unwrap_failed", "core::option::expect_failed", "core::result::unwrap_failed", "rust_begin_unwind", "esp_backtrace::", "esp_hal::exception_handler::", "core::slice::index::slice_", "core::str::slice_error_fail", "core::cell::panic_already", "esp_println::"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	switch name {
	case "ExceptionHandler", "_start_trap", "_start_trap_rust", "_start_trap_rust_hal", "_dispatch_exception", "default_start_trap", "_pre_default_start_trap", "__rustc::rust_begin_unwind":
		return true
	}
	return strings.HasSuffix(name, "::rust_begin_unwind")
}

// Where returns the innermost place that a reader wants to see, as
// "function at file:line:column" or, without debug information,
// "function+0x12": past the plumbing, and past the standard library if anything
// else is known. It is "" if nothing is.
func (r *Report) Where() string {
	second := ""
	for _, f := range r.Frames {
		if f.Plumbing {
			continue
		}
		for _, g := range f.Frames {
			if isPlumbing(g.Function) {
				continue
			}
			if !strings.HasPrefix(g.File, "library/") {
				return describe(g)
			}
			if second == "" {
				second = describe(g)
			}
		}
	}
	return second
}

// printed is the location that the firmware printed, shortened; "" where it
// is only that of the exception handler.
func (r *Report) printed() string {
	if r.Kind != Panic && strings.Contains(r.Location, "exception_handler") {
		return ""
	}
	return firmware.ShortPath(r.Location, "/src")
}

// place is file:line:column as far as known.
func place(f firmware.Frame) string {
	if f.File == "" {
		return ""
	}
	s := f.File
	if f.Line > 0 {
		s += fmt.Sprintf(":%d", f.Line)
		if f.Column > 0 {
			s += fmt.Sprintf(":%d", f.Column)
		}
	}
	return s
}

// describe is "function at file:line:column", or "function+0x12".
func describe(f firmware.Frame) string {
	name := f.Function
	if name == "" {
		name = "??"
	}
	if p := place(f); p != "" {
		return name + " at " + p
	}
	if f.Offset > 0 {
		return fmt.Sprintf("%s+0x%x", name, f.Offset)
	}
	return name
}

// String is the report as plain text for people, several lines, ending with a
// newline.
func (r *Report) String() string {
	var b strings.Builder
	head := r.Kind.String()
	switch {
	case strings.HasSuffix(r.Core, "Cpu"):
		head += " on " + r.Core
	case r.Core != "":
		head += " on core " + r.Core
	}
	fmt.Fprintf(&b, "%s: %s\n", head, strings.ReplaceAll(r.Message, "\n", "\n  "))
	if at := r.printed(); at != "" {
		fmt.Fprintf(&b, "  at %s\n", at)
	}
	for i, f := range r.Frames {
		fmt.Fprintf(&b, "%4d: 0x%08x ", i, f.Addr)
		switch {
		case len(f.Frames) == 0:
			b.WriteString("??")
		default:
			b.WriteString(describe(f.Frames[0]))
		}
		if f.Role != "backtrace" && f.Role != "stack-dump" {
			fmt.Fprintf(&b, " [%s]", f.Role)
		}
		b.WriteByte('\n')
		for _, g := range f.Frames[min(1, len(f.Frames)):] {
			fmt.Fprintf(&b, "%16s inlined into %s\n", "", describe(g))
		}
	}
	r.registers(&b)
	if s := r.Stack; s != nil {
		fmt.Fprintf(&b, "  stack: %d bytes", len(s.Data))
		if s.SP != 0 {
			fmt.Fprintf(&b, " from 0x%08x", s.SP)
		}
		b.WriteByte('\n')
	}
	for _, h := range r.Hints {
		fmt.Fprintf(&b, "  hint: %s\n", h)
	}
	return b.String()
}

func (r *Report) registers(b *strings.Builder) {
	for i, g := range r.Registers {
		if i%4 == 0 {
			b.WriteString("  ")
		}
		fmt.Fprintf(b, "%-7s 0x%08x", g.Name, g.Value)
		if i%4 == 3 || i == len(r.Registers)-1 {
			b.WriteByte('\n')
		} else {
			b.WriteString("  ")
		}
	}
}
