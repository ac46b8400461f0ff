package monitor

import (
	"strconv"
	"strings"
)

// maxRegisters bounds a dump; a RISC-V one has 32 and some control registers.
const maxRegisters = 64

// trapFrame reads the one-line form of a derived Debug,
// "TrapFrame { ra: 1107361824, t0: 0 }". The numbers are decimal, or
// hexadecimal without 0x if the program asked for {:x?}; executable decides
// where they could be either.
func trapFrame(line string, executable func(uint32) bool) []Register {
	_, body, ok := strings.Cut(line, "TrapFrame {")
	if !ok {
		return nil
	}
	body, _, _ = strings.Cut(body, "}")
	var names, values []string
	for _, f := range strings.Split(body, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(f), ": ")
		if !ok || name == "" || len(names) >= maxRegisters {
			continue
		}
		names, values = append(names, strings.ToLower(name)), append(values, strings.TrimPrefix(value, "0x"))
	}
	parse := func(base int) (out []Register, ok bool) {
		for i, v := range values {
			n, err := strconv.ParseUint(v, base, 32)
			if err != nil {
				return nil, false
			}
			out = append(out, Register{Name: names[i], Value: uint32(n)})
		}
		return out, true
	}
	dec, decOK := parse(10)
	hex, hexOK := parse(16)
	if !decOK || strings.Contains(body, "0x") {
		if !hexOK {
			return nil
		}
		return hex
	}
	if hexOK && !executable(register(dec, "ra")) && executable(register(hex, "ra")) {
		return hex
	}
	return dec
}

// registerLine reads a line of a dump in either of two forms,
//
//	MEPC    : 0x42007294  RA      : 0x42007376  S0/FP   : 0x3fc9bba0   (mask ROM, ESP-IDF)
//	PC=0x42007294         RA/x1=0x42007376      S0/FP/x8=0x3fc9bba0    (esp-backtrace before 0.16)
//
// It returns nil if the line is anything else.
func registerLine(line string) []Register {
	var out []Register
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		i := strings.IndexAny(rest, " :=")
		if i <= 0 || i > 12 || !isWord(rest[0]) {
			return nil
		}
		name := strings.ToLower(rest[:i])
		rest = strings.TrimLeft(rest[i:], " ")
		if rest == "" || rest[0] != ':' && rest[0] != '=' {
			return nil
		}
		rest = strings.TrimLeft(rest[1:], " ")
		if !strings.HasPrefix(rest, "0x") {
			return nil
		}
		v, n := hexNumber(rest[2:])
		if n != 8 || len(out) >= maxRegisters {
			return nil
		}
		rest = rest[2+n:]
		name, _, _ = strings.Cut(name, "/")
		out = append(out, Register{Name: name, Value: v})
	}
	return out
}

func register(rs []Register, name string) uint32 {
	for _, r := range rs {
		if r.Name == name {
			return r.Value
		}
	}
	return 0
}

// stackLine reads a line of "Stack memory:",
// "3fcde4b0: 0x63333034 0x30303065".
func stackLine(line string) (addr uint32, data []byte, ok bool) {
	addr, n := hexNumber(line)
	if n != 8 || !strings.HasPrefix(line[8:], ":") {
		return 0, nil, false
	}
	for _, f := range strings.Fields(line[9:]) {
		v, n := hexNumber(strings.TrimPrefix(f, "0x"))
		if n != 8 || len(f) != 10 {
			return 0, nil, false
		}
		data = append(data, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return addr, data, len(data) > 0
}

// stackDump reads esp-backtrace's "STACKDUMP: 42001234 00ff…": a program
// counter and the bytes from the stack pointer upwards.
func stackDump(line string) *StackDump {
	rest, ok := strings.CutPrefix(line, "STACKDUMP: ")
	if !ok {
		return nil
	}
	pc, n := hexNumber(rest)
	if n != 8 || !strings.HasPrefix(rest[8:], " ") {
		return nil
	}
	d := &StackDump{PC: pc}
	for h := rest[9:]; len(h) >= 2; h = h[2:] {
		v, n := hexNumber(h[:2])
		if n != 2 {
			break
		}
		d.Data = append(d.Data, byte(v))
	}
	return d
}

// backtraceLine reads one line of addresses: "0x4200abcd" alone, or pairs of
// program counter and stack pointer, "0x4200abcd:0x3fc9bba0 0x42…:0x3f…",
// optionally after "Backtrace:".
func backtraceLine(line string) (pcs []uint32, ok bool) {
	line = strings.TrimSpace(strings.TrimPrefix(line, "Backtrace:"))
	for _, f := range strings.Fields(line) {
		if f == "|<-CORRUPTED" || f == "|<-CONTINUES" {
			continue
		}
		pc, _, _ := strings.Cut(f, ":")
		v, n := hexNumber(strings.TrimPrefix(pc, "0x"))
		if !strings.HasPrefix(pc, "0x") || n == 0 || n > 8 || n != len(pc)-2 {
			return nil, false
		}
		pcs = append(pcs, v)
	}
	return pcs, len(pcs) > 0
}
