package semihost

import (
	"encoding/binary"
	"testing"

	"espalier.dev/espalier/rv32"
)

const (
	codeBase = 0x1000
	dataBase = 0x3000
)

// guest is a CPU in front of one semihosting call with the given registers.
type guest struct {
	t    *testing.T
	cpu  *rv32.CPU
	host *Host
	out  string
	errs string
}

func newGuest(t *testing.T, engine rv32.Engine) *guest {
	g := &guest{t: t, cpu: rv32.New(rv32.Config{Engine: engine})}
	b := rv32.NewBank(16 << 10)
	g.cpu.Memory().Map(codeBase, b, 0, 16<<10, rv32.Read|rv32.Write|rv32.Exec)
	g.host = &Host{
		Stdout:       func(p []byte) { g.out += string(p) },
		Stderr:       func(p []byte) { g.errs += string(p) },
		Centiseconds: func() uint32 { return 1234 },
	}
	g.host.Attach(g.cpu)
	g.words(codeBase, markBefore, 0x00100073, markAfter, 0x0000006f)
	return g
}

func (g *guest) words(addr uint32, w ...uint32) {
	for i, v := range w {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], v)
		g.cpu.Memory().Write(addr+4*uint32(i), b[:])
	}
}

// call runs the call and returns a0 and why the run ended.
func (g *guest) call(op, arg uint32) (uint32, rv32.Exit) {
	g.cpu.SetPC(codeBase)
	g.cpu.SetReg(10, op)
	g.cpu.SetReg(11, arg)
	exit := g.cpu.Run(g.cpu.Cycles() + 3)
	if g.cpu.Reg(11) != arg {
		g.t.Errorf("operation 0x%x changed a1 to 0x%x", op, g.cpu.Reg(11))
	}
	return g.cpu.Reg(10), exit
}

// block writes a parameter block and calls with it.
func (g *guest) block(op uint32, words ...uint32) uint32 {
	g.t.Helper()
	g.words(dataBase, words...)
	v, exit := g.call(op, dataBase)
	if exit != rv32.ExitBudget {
		g.t.Fatalf("operation 0x%x ended the run with %v", op, exit)
	}
	return v
}

func engines(t *testing.T, f func(t *testing.T, g *guest)) {
	for _, e := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		t.Run([]string{"block", "reference"}[e], func(t *testing.T) { f(t, newGuest(t, e)) })
	}
}

func TestConsole(t *testing.T) {
	engines(t, func(t *testing.T, g *guest) {
		const name, text = dataBase + 0x100, dataBase + 0x200
		g.cpu.Memory().Write(name, []byte(":tt\x00"))
		g.cpu.Memory().Write(text, []byte("hello\x00"))
		out, errs := g.block(sysOpen, name, 4, 3), g.block(sysOpen, name, 8, 3)
		if out == failed || errs == failed || out == errs {
			t.Fatalf("handles %d and %d", out, errs)
		}
		if n := g.block(sysWrite, out, text, 5); n != 0 {
			t.Errorf("%d bytes were not written", n)
		}
		if n := g.block(sysWrite, errs, text, 2); n != 0 {
			t.Errorf("%d bytes were not written", n)
		}
		g.call(sysWrite0, text)
		g.call(sysWriteC, text+4)
		if g.out != "hellohelloo" || g.errs != "he" {
			t.Errorf("wrote %q and %q", g.out, g.errs)
		}
		if v := g.block(sysClose, out); v != 0 {
			t.Errorf("close says %d", v)
		}
		if n := g.block(sysWrite, out, text, 5); n != 5 {
			t.Errorf("a closed handle takes bytes: %d left", n)
		}
		if v, _ := g.call(sysErrno, 0); v != errBadFile {
			t.Errorf("errno %d", v)
		}

		g.host.Stdin = []byte("abc")
		in := g.block(sysOpen, name, 0, 3)
		if n := g.block(sysRead, in, text, 2); n != 0 {
			t.Errorf("%d bytes were not read", n)
		}
		if v, _ := g.call(sysReadC, 0); v != 'c' {
			t.Errorf("read %q", rune(v))
		}
		if n := g.block(sysRead, in, text, 2); n != 2 {
			t.Errorf("read %d bytes at the end", 2-n)
		}
	})
}

func TestFeaturesFile(t *testing.T) {
	g := newGuest(t, rv32.EngineBlock)
	const name, buf = dataBase + 0x100, dataBase + 0x200
	g.cpu.Memory().Write(name, []byte(":semihosting-features"))
	h := g.block(sysOpen, name, 0, 21)
	if n := g.block(sysFLen, h); n != 5 {
		t.Errorf("length %d", n)
	}
	g.block(sysSeek, h, 4)
	g.block(sysRead, h, buf, 1)
	var b [1]byte
	if g.cpu.Memory().Read(buf, b[:]); b[0] != 3 {
		t.Errorf("features %d", b[0])
	}
	if v := g.block(sysIsTTY, h); v != 0 {
		t.Error("is a terminal")
	}
}

func TestCommandLine(t *testing.T) {
	engines(t, func(t *testing.T, g *guest) {
		const buf = dataBase + 0x100
		if v := g.block(sysGetCmdline, buf, 100); v != failed {
			t.Errorf("no command line is %d", v)
		}
		g.host.StopAtCommandLine = true
		if _, exit := g.call(sysGetCmdline, dataBase); exit != rv32.ExitEbreak || !g.host.AtCommandLine {
			t.Fatalf("ended with %v", exit)
		}
		line := "run_addr 77"
		g.host.CommandLine = &line
		g.words(dataBase, buf, 100)
		if g.cpu.Run(g.cpu.Cycles() + 2); g.cpu.Reg(10) != 0 {
			t.Errorf("says %d", g.cpu.Reg(10))
		}
		b := make([]byte, 12)
		g.cpu.Memory().Read(buf, b)
		if n, _ := g.host.word(dataBase + 4); string(b) != line+"\x00" || n != 11 {
			t.Errorf("%q, length %d", b, n)
		}
		if v := g.block(sysGetCmdline, buf, 11); v != failed {
			t.Errorf("a buffer without room for the end: %d", v)
		}
	})
}

func TestExit(t *testing.T) {
	engines(t, func(t *testing.T, g *guest) {
		g.words(dataBase, ApplicationExit, 101)
		if _, exit := g.call(sysExitExtended, dataBase); exit != rv32.ExitEbreak {
			t.Errorf("ended with %v", exit)
		}
		if e := g.host.Exited; e == nil || *e != (Exit{ApplicationExit, 101}) || e.Success() {
			t.Errorf("exited %v", e)
		}
		g.host.Reset()
		g.call(sysExit, ApplicationExit)
		if e := g.host.Exited; e == nil || !e.Success() {
			t.Errorf("exited %v", e)
		}
	})
}

// An ebreak without the marks is an exception, as on a board without debugger.
func TestPlainEbreakTraps(t *testing.T) {
	engines(t, func(t *testing.T, g *guest) {
		g.words(codeBase+8, 0x13)
		g.cpu.SetPC(codeBase)
		g.cpu.Run(2)
		if c := g.cpu.State().CSR.Mcause; c != rv32.CauseBreak {
			t.Errorf("mcause %d", c)
		}
	})
}

// Bad pointers, handles and operations fail and never reach the host.
func TestRefused(t *testing.T) {
	g := newGuest(t, rv32.EngineBlock)
	for op := range uint32(0x120) {
		if op == sysExit {
			continue
		}
		for _, arg := range []uint32{0, 0xfffffffc, dataBase} {
			g.words(dataBase, 0xffffffff, 0xffffffff, 0xffffffff)
			g.call(op, arg)
		}
	}
	if g.host.Exited == nil || g.out != "" && len(g.out) > 0x120 {
		t.Errorf("exited %v, wrote %q", g.host.Exited, g.out)
	}
	g.cpu.Memory().Write(dataBase+0x100, []byte("/etc/passwd"))
	if v := g.block(sysOpen, dataBase+0x100, 0, 11); v != failed {
		t.Error("a file of the host was opened")
	}
	if v, _ := g.call(sysTime, 0); v != 12 {
		t.Errorf("time %d", v)
	}
}
