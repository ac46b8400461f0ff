package loader

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// TimeoutError is a chip that did not answer a command.
type TimeoutError struct {
	Command string
	After   time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("the chip did not answer %s within %s", e.Command, e.After)
}

// CommandError is a command that the chip refused.
type CommandError struct {
	Command string
	Status  byte
	Code    byte
	Stub    bool
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("the chip refused %s: %s", e.Command, e.Reason())
}

// Reason is the meaning of the code.
func (e *CommandError) Reason() string {
	names := map[byte]string{
		0x00: "undefined error", 0x01: "wrong parameter", 0x02: "no memory", 0x03: "sending failed", 0x04: "receiving failed",
		0x05: "the message is malformed", 0x06: "the operation failed", 0x07: "checksum mismatch", 0x08: "what was written reads back differently",
		0x09: "reading failed", 0x0a: "wrong length", 0x0b: "inflating failed", 0x0c: "Adler-32 mismatch", 0x0d: "wrong parameter for inflating",
		0x0e: "wrong size for RAM", 0x0f: "wrong address for RAM",
		0x64: "wrong parameter", 0x65: "wrong format", 0x66: "description too long", 0x67: "wrong encoding", 0x69: "not enough storage",
		0xc0: "bad data length", 0xc1: "bad data checksum", 0xc2: "bad block size", 0xc3: "invalid command", 0xc4: "SPI operation failed",
		0xc5: "SPI unlock failed", 0xc6: "not in flash mode", 0xc7: "inflating failed", 0xc8: "not enough data", 0xc9: "too much data",
		0xca: "wrong image", 0xcb: "flash is not ready", 0xff: "unknown command",
	}
	if s, ok := names[e.Code]; ok {
		return fmt.Sprintf("%s (0x%02x)", s, e.Code)
	}
	return fmt.Sprintf("error 0x%02x", e.Code)
}

// ConnectError is a chip whose loader cannot be reached.
type ConnectError struct {
	Port    string
	Tried   []string // reset strategies, in order
	Heard   int      // bytes that came, whatever they were
	Boot    string   // mode that the ROM printed, such as "0xd (SPI_FAST_FLASH_BOOT)"
	NoLines bool     // the port cannot reset the chip
	Err     error    // of the last attempt
}

func (e *ConnectError) Error() string {
	what := "connecting to the chip at " + e.Port + ": "
	switch {
	case e.Boot != "" && !e.Download():
		return what + "it boots its firmware instead of the loader (boot:" + e.Boot + ")"
	case e.Boot != "":
		return what + "its loader waits, but does not answer"
	case e.Heard > 0:
		return fmt.Sprintf("%s%d bytes came, none of them an answer of the loader", what, e.Heard)
	}
	return what + "no answer"
}

// Download reports whether the ROM said that its loader waits.
func (e *ConnectError) Download() bool { return strings.Contains(e.Boot, "DOWNLOAD") }

// Hints says what to do about it.
func (e *ConnectError) Hints() []string {
	button := "hold BOOT, press RESET, release BOOT, and try again with --before no-reset"
	switch {
	case e.NoLines:
		return []string{"this port has no modem lines, so it cannot reset the chip: " + button}
	case e.Boot != "" && !e.Download():
		return []string{"GPIO9 is not pulled low by the port: " + button}
	case e.Boot != "":
		return []string{"does the transmit wire reach the chip's RX?"}
	case e.Heard > 0:
		return []string{"another speed? the loader listens at 115200 baud", button}
	}
	return []string{"is the board powered, and is this its port? espalier ports", button}
}

func (e *ConnectError) Unwrap() error { return e.Err }

// VerifyError is flash that does not hold what was written, after all
// attempts.
type VerifyError struct {
	Part     string
	Addr     uint32 // of the first byte that differs
	Want     byte
	Got      byte
	Attempts int
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("verifying %s: 0x%08x holds 0x%02x instead of 0x%02x after %d attempts", e.Part, e.Addr, e.Got, e.Want, e.Attempts)
}

// Hints says what to do about it.
func (e *VerifyError) Hints() []string {
	if e.Got&^e.Want == 0 && e.Got != e.Want {
		return []string{"bits read as 0 that should be 1: the flash is worn out there, write-protected, or loses power while erasing"}
	}
	return []string{"try a lower --baud, a shorter cable, another supply"}
}

// Refusal is one reason not to write.
type Refusal struct {
	Reason string // what is wrong
	Would  string // what would have happened
	Hint   string // what to do, may be empty
	// Final refusals hold with Force, too: writing is not possible.
	Final bool
}

// RefusedError is a write that was not begun: nothing has changed in flash.
type RefusedError struct{ Refusals []Refusal }

func (e *RefusedError) Error() string {
	r := e.Refusals[0]
	s := r.Reason + "; " + r.Would
	if n := len(e.Refusals); n > 1 {
		s += fmt.Sprintf(" (and %d more)", n-1)
	}
	return s
}

// Hints lists the other reasons and what to do.
func (e *RefusedError) Hints() []string {
	var out []string
	final := false
	for i, r := range e.Refusals {
		if i > 0 {
			out = append(out, r.Reason+"; "+r.Would)
		}
		if r.Hint != "" {
			out = append(out, r.Hint)
		}
		final = final || r.Final
	}
	if !final {
		out = append(out, "--force writes all the same")
	}
	return append(out, "nothing was written")
}

// WrongChipError is a chip that is not an ESP32-C3.
type WrongChipError struct{ Name string }

func (e *WrongChipError) Error() string {
	return fmt.Sprintf("the chip is %s, not an esp32c3; nothing was written", e.Name)
}

// SecureDownloadError is a chip that is fused to Secure Download mode.
type SecureDownloadError struct{ What string }

func (e *SecureDownloadError) Error() string {
	return e.What + ": the chip is in Secure Download mode, where its loader reads nothing back"
}

// recoverable reports whether an error may be gone after a new start: the chip
// did not understand, or was not heard.
func recoverable(err error) bool {
	var t *TimeoutError
	var c *CommandError
	var p *patchError
	return errors.As(err, &t) || errors.As(err, &c) || errors.As(err, &p)
}
