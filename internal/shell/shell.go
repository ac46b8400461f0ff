//go:build unix

package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Main runs the shell on the process's own streams and returns its exit status,
// that of the last command. On a terminal it shows a prompt; otherwise standard
// input is a script.
func Main() int {
	// Without job control a stopped command could not be continued. Commands
	// inherit that these signals are ignored, but not that SIGINT is caught: it
	// ends the command, to which the terminal sends it, too.
	signal.Ignore(unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT)
	s := &shell{files: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		s.interactive(os.Stdin, os.Stdout)
	} else {
		s.script(os.Stdin)
	}
	return s.status
}

// script runs a whole script.
func (s *shell) script(in io.Reader) {
	text, err := io.ReadAll(in)
	var l list
	if err == nil {
		l, err = parse(string(text))
	}
	if err != nil {
		s.complain("%v", err)
		s.status = statusUsage
		return
	}
	s.run(l)
}

// interactive reads commands from a terminal until exit or Ctrl-D.
func (s *shell) interactive(tty, out *os.File) {
	fd := int(tty.Fd())
	lines := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys{tty}, out}, "")
	text := ""
	for {
		wd, _ := os.Getwd()
		prompt := "espalier:" + wd + "$ "
		if text != "" {
			prompt = "> "
		}
		lines.SetPrompt(prompt)
		if width, height, err := term.GetSize(fd); err == nil && width > 0 {
			_ = lines.SetSize(width, height)
		}
		before, err := term.MakeRaw(fd)
		if err != nil {
			s.complain("preparing the terminal: %v", err)
			s.status = 1
			return
		}
		line, err := lines.ReadLine()
		_ = term.Restore(fd, before) // commands get a terminal in its ordinary mode
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			fmt.Fprintln(out)
			return
		}
		if line == interrupted {
			text, s.status = "", statusInterrupt
			continue
		}
		text += line + "\n"
		l, err := parse(text)
		if errors.Is(err, errIncomplete) {
			continue
		}
		text = ""
		if err != nil {
			s.complain("%v", err)
			s.status = statusUsage
			continue
		}
		s.run(l)
		if s.exiting {
			return
		}
	}
}

// interrupted is the line that stands for Ctrl-C at the prompt.
const interrupted = "^C"

// keys turns Ctrl-C at the prompt, which the line editor would take for the end
// of the input, into a line of its own: to the end, delete to the start, the
// marker, return.
type keys struct{ r io.Reader }

func (k keys) Read(p []byte) (int, error) {
	const replacement = "\x05\x15" + interrupted + "\r"
	buf := make([]byte, max(1, len(p)/len(replacement)))
	n, err := k.r.Read(buf)
	return copy(p, bytes.ReplaceAll(buf[:n], []byte{3}, []byte(replacement))), err
}
