// Package semihost is the host's side of semihosting on RISC-V: firmware asks
// for console output, a command line, the time or its own end by an ebreak
// between two marker instructions ("Semihosting for AArch32 and AArch64",
// release 2025Q1, and the RISC-V semihosting specification 1.0).
//
// A call reads the registers and the memory of a CPU that is at an ebreak and
// returns the reply in a0, the text that was written and how the firmware exited.
// The firmware has no access to clock, processes or random numbers of the host, and
// to files only by Host.Files: without these the same run has the same replies.
package semihost

import (
	"encoding/binary"

	"espalier.dev/espalier/rv32"
)

// The three instructions of a call, none of them compressed: slli x0, x0, 0x1f;
// ebreak; srai x0, x0, 7.
const (
	markBefore = 0x01f01013
	markAfter  = 0x40705013
)

// Operations.
const (
	sysOpen         = 0x01
	sysClose        = 0x02
	sysWriteC       = 0x03
	sysWrite0       = 0x04
	sysWrite        = 0x05
	sysRead         = 0x06
	sysReadC        = 0x07
	sysIsError      = 0x08
	sysIsTTY        = 0x09
	sysSeek         = 0x0a
	sysFLen         = 0x0c
	sysTmpNam       = 0x0d
	sysRemove       = 0x0e
	sysRename       = 0x0f
	sysClock        = 0x10
	sysTime         = 0x11
	sysSystem       = 0x12
	sysErrno        = 0x13
	sysGetCmdline   = 0x15
	sysHeapInfo     = 0x16
	sysExit         = 0x18
	sysExitExtended = 0x20
	sysElapsed      = 0x30
	sysTickFreq     = 0x31
	sysTestList     = 0x100 // of embedded-test, protocol version 0: {address, length} of a list of tests
)

// ApplicationExit is the reason of a regular exit; an Exit with it has a code.
const ApplicationExit = 0x20026

// Error numbers that firmware finds in SYS_ERRNO.
const (
	errNoEntry = 2
	errIO      = 5
	errBadFile = 9
	errAccess  = 13
	errFault   = 14
	errExists  = 17
	errInvalid = 22
	errTooMany = 24
	errNoSys   = 38
)

const failed = ^uint32(0)

// Exit says how the firmware ended.
type Exit struct {
	Reason uint32 // ApplicationExit, or the code of an exception or error
	Code   uint32 // exit status with ApplicationExit: 0 is success
}

// Success reports whether the firmware exited by itself with status 0.
func (e Exit) Success() bool { return e.Reason == ApplicationExit && e.Code == 0 }

// Host answers calls. The zero value has no command line and drops output.
type Host struct {
	// CommandLine is the reply to SYS_GET_CMDLINE; nil has none. With
	// StopAtCommandLine the run stops in front of the call as long as it is nil.
	CommandLine       *string
	StopAtCommandLine bool
	// Stdout and Stderr receive what the firmware writes; the slice is only
	// valid during the call. Nil drops it.
	Stdout, Stderr func([]byte)
	// Files are the files of the host that the firmware reaches; nil: none.
	Files Files
	// Stdin is what the firmware reads.
	Stdin []byte
	// Centiseconds returns the guest time since power-on in 1/100 s.
	Centiseconds func() uint32

	// TestList is what embedded-test's firmware has replied to the command "list";
	// nil when it has not.
	TestList []byte

	// Exited is set when the firmware has called for its end; the run stops there.
	// If it is continued, calls for the end return.
	Exited *Exit
	// AtCommandLine says that the last stop is in front of SYS_GET_CMDLINE.
	AtCommandLine bool

	cpu   *rv32.CPU
	errno uint32
	files [maxFiles]file // by handle less 1
}

// file is an open handle.
type file struct {
	kind fileKind
	pos  int
	host File // of kind hostFile
}

type fileKind uint8

const (
	closed fileKind = iota
	stdin
	stdout
	stderr
	features // the special file that lists extensions
	hostFile

	maxFiles = 16
)

// featureBits is the content of ":semihosting-features": SYS_EXIT_EXTENDED and
// separate standard output and error are supported.
var featureBits = []byte{'S', 'H', 'F', 'B', 3}

// Attach makes h answer the calls of a CPU, by its OnEbreak.
func (h *Host) Attach(cpu *rv32.CPU) {
	h.cpu = cpu
	cpu.OnEbreak = h.ebreak
}

// Reset forgets open files and the exit, for another run of the same board.
func (h *Host) Reset() {
	h.Close()
	h.Exited, h.AtCommandLine, h.TestList, h.errno, h.files = nil, false, nil, 0, [maxFiles]file{}
}

// ebreak answers the call at PC. An ebreak without the marks is an exception.
func (h *Host) ebreak() rv32.BreakAction {
	pc := h.cpu.PC()
	if before, ok := h.word(pc - 4); !ok || before != markBefore {
		return rv32.BreakTrap
	}
	if after, ok := h.word(pc + 4); !ok || after != markAfter {
		return rv32.BreakTrap
	}
	op, arg := h.cpu.Reg(10), h.cpu.Reg(11)
	if h.Exited != nil && (op == sysExit || op == sysExitExtended) {
		h.reply(0) // the owner lets the firmware go on, so that its ports send the rest
		return rv32.BreakRetire
	}
	switch op {
	case sysGetCmdline:
		h.AtCommandLine = h.CommandLine == nil && h.StopAtCommandLine
		if h.AtCommandLine {
			return rv32.BreakStop
		}
	case sysExit:
		h.exit(Exit{Reason: arg})
		return rv32.BreakStop
	case sysExitExtended:
		block, ok := h.block(arg, 2)
		if !ok {
			h.reply(h.fail(errFault))
			return rv32.BreakRetire
		}
		h.exit(Exit{Reason: block[0], Code: block[1]})
		return rv32.BreakStop
	}
	h.reply(h.call(op, arg))
	return rv32.BreakRetire
}

func (h *Host) exit(e Exit) { h.Exited = &e }

func (h *Host) reply(v uint32) { h.cpu.SetReg(10, v) }

func (h *Host) fail(errno uint32) uint32 {
	h.errno = errno
	return failed
}

// call performs an operation and returns a0. Unknown ones and those that would
// start programs of the host fail.
func (h *Host) call(op, arg uint32) uint32 {
	switch op {
	case sysOpen:
		return h.open(arg)
	case sysClose:
		return h.close(arg)
	case sysWriteC:
		if b, ok := h.bytes(arg, 1); ok {
			h.output(stdout, b)
		}
		return 0
	case sysWrite0:
		if s, ok := h.text(arg); ok {
			h.output(stdout, s)
		}
		return 0
	case sysWrite:
		return h.write(arg)
	case sysRead:
		return h.read(arg)
	case sysReadC:
		if len(h.Stdin) == 0 {
			return 0
		}
		c := h.Stdin[0]
		h.Stdin = h.Stdin[1:]
		return uint32(c)
	case sysIsError:
		if block, ok := h.block(arg, 1); ok && int32(block[0]) >= 0 {
			return 0
		}
		return 1
	case sysIsTTY:
		f := h.file(arg)
		switch {
		case f == nil:
			return h.fail(errBadFile)
		case f.kind == features || f.kind == hostFile:
			return 0
		}
		return 1
	case sysSeek:
		return h.seek(arg)
	case sysFLen:
		f := h.file(arg)
		switch {
		case f == nil:
			return h.fail(errBadFile)
		case f.kind == features:
			return uint32(len(featureBits))
		case f.kind == hostFile:
			return h.size(f)
		}
		return 0
	case sysClock:
		return h.now()
	case sysTime:
		return h.now() / 100 // seconds since power-on: the board has no calendar
	case sysErrno:
		return h.errno
	case sysGetCmdline:
		return h.commandLine(arg)
	case sysHeapInfo:
		return h.heapInfo(arg)
	case sysElapsed:
		v := make([]byte, 8)
		binary.LittleEndian.PutUint32(v, h.now())
		if !h.cpu.Memory().Write(arg, v) {
			return h.fail(errFault)
		}
		return 0
	case sysTickFreq:
		return 100
	case sysTestList:
		block, ok := h.block(arg, 2)
		if ok {
			h.TestList, ok = h.bytes(block[0], block[1])
		}
		if !ok {
			return h.fail(errFault)
		}
		return 0
	case sysRemove:
		return h.remove(arg)
	case sysRename:
		return h.rename(arg)
	case sysTmpNam, sysSystem:
		return h.fail(errNoSys)
	}
	return h.fail(errNoSys)
}

func (h *Host) now() uint32 {
	if h.Centiseconds == nil {
		return 0
	}
	return h.Centiseconds()
}
