package monitor_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"espalier.dev/espalier/firmware"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/monitor"
)

// TestUnwindAgainstGDB gives gdb the same stack as a core file. gdb stops at
// the first function that has not saved its return address; up to there, and
// again from the first one that has, both must say the same.
func TestUnwindAgainstGDB(t *testing.T) {
	gdb := devtest.Tool(t, "gdb-multiarch")
	_, s := watch(t, "stackdump", monitor.Options{})
	if len(s.reports) != 1 || s.reports[0].Stack == nil {
		t.Fatalf("%s", s)
	}
	r := s.reports[0]
	var ours []uint32
	for _, f := range r.Frames {
		ours = append(ours, f.Addr)
	}
	elf := filepath.Join(devtest.Store(t), "firmware", "stackdump.elf")
	theirs := backtrace(t, gdb, elf, r.Stack, r.Stack.PC, r.Stack.SP)
	if len(theirs) < 3 || !same(ours, theirs) {
		t.Errorf("from the top: %x, gdb %x", ours, theirs)
	}
	// The first return address after the gap that lies on the stack, where
	// LLVM saves it: below the caller's frame.
	for k := len(theirs); k < len(ours); k++ {
		word := binary.LittleEndian.AppendUint32(nil, ours[k])
		at := bytes.Index(r.Stack.Data, word)
		if at < 0 {
			continue
		}
		theirs = backtrace(t, gdb, elf, r.Stack, ours[k], r.Stack.SP+uint32(at)+4)
		if len(theirs) < 2 || !same(ours[k:], theirs) {
			t.Errorf("from %08x: %x, gdb %x", ours[k], ours[k:], theirs)
		}
		return
	}
	t.Errorf("no return address of %x lies on the stack", ours)
}

// same reports whether theirs is how ours begins.
func same(ours, theirs []uint32) bool {
	for i, pc := range theirs {
		if i >= len(ours) || ours[i] != pc {
			return false
		}
	}
	return true
}

// backtrace is what gdb makes of a stack: the program counters of all frames
// that are not inlined.
func backtrace(t *testing.T, gdb, elf string, stack *monitor.StackDump, pc, sp uint32) []uint32 {
	t.Helper()
	core := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(core, coreFile(stack, pc, sp), 0o644); err != nil {
		t.Fatal(err)
	}
	const script = `python
f = gdb.newest_frame()
while f is not None and f.pc() != 0:
    if f.type() != gdb.INLINE_FRAME:
        print("frame %x" % f.pc())
    f = f.older()
end
`
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(gdb, "-batch", "-nx", "-ex", "set architecture riscv:rv32", "-ex", "set osabi GNU/Linux", "-ex", "file "+elf, "-ex", "core "+core, "-x", file).CombinedOutput()
	if err != nil {
		t.Fatalf("gdb: %v\n%s", err, out)
	}
	var pcs []uint32
	for _, l := range strings.Split(string(out), "\n") {
		if h, ok := strings.CutPrefix(l, "frame "); ok {
			v, err := strconv.ParseUint(h, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			pcs = append(pcs, uint32(v))
		}
	}
	return pcs
}

// coreFile is a Linux core of a 32-bit RISC-V process with this stack
// (NT_PRSTATUS: registers from byte 72, pc first, then x1 to x31).
func coreFile(stack *monitor.StackDump, pc, sp uint32) []byte {
	le := binary.LittleEndian
	status := make([]byte, 204)
	le.PutUint16(status[12:], 6) // SIGABRT
	le.PutUint32(status[24:], 1) // process
	le.PutUint32(status[72:], pc)
	le.PutUint32(status[72+2*4:], sp)
	note := append(le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, 5), uint32(len(status))), 1), "CORE\x00\x00\x00\x00"...)
	note = append(note, status...)
	out := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	out = le.AppendUint16(le.AppendUint16(out, 4), 243) // ET_CORE, EM_RISCV
	for _, v := range []uint32{1, 0, 52, 0, 1} {
		out = le.AppendUint32(out, v)
	}
	for _, v := range []uint16{52, 32, 2, 0, 0, 0} {
		out = le.AppendUint16(out, v)
	}
	at := uint32(52 + 2*32)
	size := uint32(len(stack.Data))
	for _, v := range []uint32{4, at, 0, 0, uint32(len(note)), 0, 0, 1, 1, at + uint32(len(note)), stack.SP, 0, size, size, 6, 1} {
		out = le.AppendUint32(out, v)
	}
	return append(append(out, note...), stack.Data...)
}

// TestGuruStack: the register dump and "Stack memory:" of the mask ROM and of
// ESP-IDF are unwound as well. The stack is that of a real program.
func TestGuruStack(t *testing.T) {
	_, s := watch(t, "stackdump", monitor.Options{})
	if len(s.reports) != 1 || s.reports[0].Stack == nil {
		t.Fatalf("%s", s)
	}
	r := s.reports[0]
	k, sp := 0, uint32(0)
	for i, f := range r.Frames {
		if at := bytes.Index(r.Stack.Data, binary.LittleEndian.AppendUint32(nil, f.Addr)); i > 2 && at >= 0 {
			k, sp = i, uint32(at)+4
			break
		}
	}
	if k == 0 {
		t.Fatal("no return address on the stack")
	}
	var log strings.Builder
	fmt.Fprintf(&log, "Guru Meditation Error: Core  0 panic'ed (Load access fault). Exception was unhandled.\r\n\r\nCore  0 register dump:\r\n")
	fmt.Fprintf(&log, "MEPC    : 0x%08x  RA      : 0x%08x  SP      : 0x%08x  GP      : 0x3fc80000  \r\n", r.Frames[k].Addr, 0, r.Stack.SP+sp)
	log.WriteString("\r\nStack memory:\r\n")
	for data, at := r.Stack.Data[sp:], r.Stack.SP+sp; len(data) >= 4; {
		fmt.Fprintf(&log, "%08x:", at)
		for i := 0; i < 8 && len(data) >= 4; i++ {
			fmt.Fprintf(&log, " 0x%08x", binary.LittleEndian.Uint32(data))
			data, at = data[4:], at+4
		}
		log.WriteString("\r\n")
	}
	log.WriteString("\r\n\r\n\r\n")
	b, err := os.ReadFile(filepath.Join(devtest.Store(t), "firmware", "stackdump.elf"))
	if err != nil {
		t.Fatal(err)
	}
	app, err := firmware.Open(bytes.NewReader(b), firmware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out transcript
	m := monitor.New(monitor.Options{Symbols: firmware.NewSymbols(app, nil)}, &out)
	m.Write(monitor.UART0, 0, []byte(log.String()))
	m.Close(0)
	if len(out.reports) != 1 || out.reports[0].Kind != monitor.Guru {
		t.Fatalf("%s", &out)
	}
	var got []uint32
	for _, f := range out.reports[0].Frames {
		got = append(got, f.Addr)
	}
	var want []uint32
	for _, f := range r.Frames[k:] {
		want = append(want, f.Addr)
	}
	if len(got) != len(want) || !same(got, want) {
		t.Errorf("%x\nwant %x\n%s", got, want, &out)
	}
}
