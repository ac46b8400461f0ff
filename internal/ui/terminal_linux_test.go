package ui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"espalier.dev/espalier/internal/progress"
)

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// visible replays what a program wrote to a terminal, as far as bars use it:
// line ends, carriage returns, "cursor up n and erase below".
func visible(s string) []string {
	var lines []string
	line := ""
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\x1b' && i+1 < len(s) && s[i+1] == '[':
			end := i + 2
			for end < len(s) && (s[end] < '@' || s[end] > '~') {
				end++
			}
			if end < len(s) && s[end] == 'A' {
				n := 0
				fmt.Sscanf(s[i+2:end], "%d", &n)
				lines = lines[:max(0, len(lines)-n)]
				line = ""
			}
			i = end
		case s[i] == '\n':
			lines = append(lines, line)
			line = ""
		case s[i] == '\r':
		default:
			line += string(s[i])
		}
	}
	return append(lines, line)
}

func TestBarsLeaveOneLinePerPhase(t *testing.T) {
	master, slave := openPTY(t)
	shown := screen(master)
	u := New(Options{Stdout: slave, Stderr: slave, Lookup: env("TERM", "xterm")})
	if !u.Terminal(Stderr) {
		t.Fatal("a pseudo-terminal is no terminal")
	}
	fetch := u.Start("fetch", progress.Bytes, 4096)
	unpack := u.Start("unpack", progress.Packages, 0)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			fetch.Add(256)
			fetch.Item(fmt.Sprintf("package-%d.deb", i))
			unpack.Add(1)
			u.Note("note %d", i)
			fmt.Fprintf(u.Writer(Stdout), "data %d\n", i)
		})
	}
	wg.Wait()
	fetch.Detail("16 packages, 4.0 KiB")
	fetch.Done(nil)
	unpack.Done(errors.New("disk full"))
	unpack.Done(nil) // only the first counts
	u.Printf("after")
	u.Close()
	slave.Close()
	raw := <-shown
	got := visible(raw)
	text := strings.Join(got, "\n")
	count := func(want string) (n int) {
		for _, l := range got {
			if strings.HasPrefix(l, want) {
				n++
			}
		}
		return n
	}
	if count("fetch: 16 packages, 4.0 KiB") != 1 || count("unpack: failed") != 1 || count("note ") != 16 || count("data ") != 16 {
		t.Errorf("left on the terminal:\n%s", text)
	}
	if n := len(got); n < 2 || got[n-1] != "" || got[n-2] != "after" {
		t.Errorf("the last line is not \"after\", or the cursor is not at the start of a line:\n%s", text)
	}
	if strings.Contains(text, "[=") || strings.Contains(text, "4096") {
		t.Errorf("a bar stayed on the terminal:\n%s", text)
	}
}

func TestCloseInTheMiddle(t *testing.T) {
	master, slave := openPTY(t)
	shown := screen(master)
	u := New(Options{Stdout: io.Discard, Stderr: slave, Lookup: env("TERM", "xterm")})
	task := u.Start("build", progress.Crates, 10)
	task.Add(3)
	io.WriteString(u.Writer(Stderr), "unfinished")
	u.Close()
	task.Add(1) // a phase may outlive the interrupt
	task.Done(nil)
	u.Error(errors.New("interrupted"))
	slave.Close()
	got := visible(<-shown)
	if text := strings.Join(got, "\n"); !strings.HasPrefix(text, "unfinished") || !strings.HasSuffix(text, "interrupted\n") {
		t.Errorf("left on the terminal:\n%q", text)
	}
}

func TestColorPolicy(t *testing.T) {
	_, slave := openPTY(t)
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer w.Close()
	for _, tt := range []struct {
		name string
		out  io.Writer
		opt  Options
		want bool
	}{
		{"terminal", slave, Options{Lookup: env("TERM", "xterm")}, true},
		{"dumb terminal", slave, Options{Lookup: env("TERM", "dumb")}, false},
		{"NO_COLOR", slave, Options{Lookup: env("TERM", "xterm", "NO_COLOR", "1")}, false},
		{"empty NO_COLOR", slave, Options{Lookup: env("TERM", "xterm", "NO_COLOR", "")}, true},
		{"flag", slave, Options{NoColor: true, Lookup: env("TERM", "xterm")}, false},
		{"json", slave, Options{JSON: true, Lookup: env("TERM", "xterm")}, false},
		{"pipe", w, Options{Lookup: env("TERM", "xterm")}, false},
		{"forced", w, Options{Lookup: env("CLICOLOR_FORCE", "1")}, true},
		{"not forced", w, Options{Lookup: env("CLICOLOR_FORCE", "0")}, false},
		{"off wins", w, Options{Lookup: env("CLICOLOR_FORCE", "1", "NO_COLOR", "1")}, false},
	} {
		tt.opt.Stdout, tt.opt.Stderr = tt.out, io.Discard
		u := New(tt.opt)
		if got := u.Color(Stdout); got != tt.want {
			t.Errorf("%s: colour %v", tt.name, got)
		}
		if got := u.Paint(Stdout, Red, "x\n"); (got == "\x1b[31mx\x1b[0m\n") != tt.want {
			t.Errorf("%s: Paint gives %q", tt.name, got)
		}
	}
}

// TestBarFits: a bar is shown, and neither it nor a long name leaves the line.
func TestBarFits(t *testing.T) {
	master, slave := openPTY(t)
	chunks := make(chan string)
	go func() {
		defer close(chunks)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			chunks <- string(buf[:n])
		}
	}()
	u := New(Options{Stdout: io.Discard, Stderr: slave, Lookup: env("TERM", "xterm")})
	task := u.Start("fetch", progress.Packages, 100)
	task.Add(50)
	task.Item(strings.Repeat("a-very-long-name-", 20))
	var shown string
	for !strings.Contains(shown, "…") {
		c, ok := <-chunks
		if !ok {
			t.Fatalf("no bar in %q", shown)
		}
		shown += c
	}
	go func() {
		task.Done(nil)
		u.Close()
		slave.Close()
	}()
	for c := range chunks {
		shown += c
	}
	if !strings.Contains(shown, "fetch  [====") || !strings.Contains(shown, "]  50 of 100 packages  a-very-long") {
		t.Errorf("the bar looks like %q", shown)
	}
	for _, line := range strings.Split(shown, "\n") {
		if n := len([]rune(line)); n > 100 { // 80 columns and the sequences that move the cursor
			t.Errorf("a line of %d characters: %q", n, line)
		}
	}
}
