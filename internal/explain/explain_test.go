package explain

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

type sample struct{ name, text string }

func samples(t testing.TB) (out []sample) {
	t.Helper()
	b, err := os.ReadFile("testdata/logs.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(b), "\n== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		out = append(out, sample{name, text + "\n"})
	}
	return out
}

var allRules = NewSet(Rules())

func scan(text string) *Scanner {
	s := allRules.Scanner()
	s.Write([]byte(text))
	return s
}

func names(ms []Match) (out []string) {
	for _, m := range ms {
		out = append(out, m.Rule.Name)
	}
	return out
}

// TestRules: each rule is the first for its own log, on its own and in the
// middle of another tool's output, and each log that looks like one of them has
// no rule.
func TestRules(t *testing.T) {
	tested := map[string]bool{}
	noise := strings.Repeat("   Compiling heapless v0.9.3\n", 200)
	for _, s := range samples(t) {
		want, why, lookalike := strings.Cut(s.name, " ")
		tested[want] = true
		for _, text := range []string{
			s.text, noise + s.text + noise,
			strings.ReplaceAll(s.text, "\n", "\r\n"),
			"\x1b[0;31m" + strings.ReplaceAll(s.text, " ", " \x1b[1m") + "\x1b[0m",
		} {
			got := names(scan(text).Result())
			switch {
			case lookalike && len(got) > 0:
				t.Errorf("%s: matches %v", why, got)
			case !lookalike && (len(got) == 0 || got[0] != want):
				t.Errorf("%s: got %v for\n%s", want, got, s.text)
			}
		}
	}
	for _, r := range Rules() {
		if !tested[r.Name] {
			t.Errorf("rule %s has no log", r.Name)
		}
	}
}

// TestFields: every rule says all, and each alternative of its facts finds it.
func TestFields(t *testing.T) {
	seen := map[string]bool{}
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, r := range Rules() {
		if seen[r.Name] || !name.MatchString(r.Name) {
			t.Errorf("name %q", r.Name)
		}
		seen[r.Name] = true
		if r.Title == "" || r.Cause == "" || len(r.Cure) == 0 || r.Source == "" || len(r.Facts) == 0 {
			t.Errorf("rule %s is incomplete", r.Name)
		}
		if got, ok := Find(r.Name); !ok || got.Name != r.Name {
			t.Errorf("Find(%s)", r.Name)
		}
		for i, alternatives := range r.Facts {
			for _, text := range alternatives {
				if len(text) < 8 {
					t.Errorf("rule %s: %q is too short to mean one thing", r.Name, text)
				}
				log := ""
				for k, others := range r.Facts {
					if k != i {
						log += strings.ReplaceAll(others[0], "*", " x ") + "\n"
					}
				}
				log += strings.ReplaceAll(text, "*", " x ") + "\n"
				found := false
				for _, m := range scan(log).Result() {
					found = found || m.Rule.Name == r.Name
				}
				if !found {
					t.Errorf("rule %s does not find its fact %q", r.Name, text)
				}
			}
		}
	}
}

// TestDistance: facts that are far apart do not belong together, and what rules
// a match out does so only near it.
func TestDistance(t *testing.T) {
	rules := []Rule{{Name: "a", Facts: all("first fact", "second fact"), Not: []string{"exception here"}}}
	far := strings.Repeat("\n", window+1)
	for text, want := range map[string]bool{
		"first fact\nsecond fact\n":                                                 true,
		"second fact\nfirst fact\n":                                                 true,
		"first fact" + far + "second fact\n":                                        false,
		"first fact" + far + "second fact\nfirst fact\n":                            true,
		"first fact\nsecond fact\nexception here\n":                                 false,
		"exception here\nfirst fact\nsecond fact\n":                                 false,
		"first fact\nsecond fact\n" + far + "exception here\n":                      true,
		"first fact second fact":                                                    true,
		"exception here\nfirst fact second fact" + far + "first fact second fact\n": true,
	} {
		s := NewSet(rules).Scanner()
		s.Write([]byte(text))
		if got := len(s.Result()) > 0; got != want {
			t.Errorf("%.80q: %v", text, got)
		}
	}
}

// TestObstacle34Telling: without a rule the lines are those that say something.
func TestObstacle34Telling(t *testing.T) {
	s := scan("   Compiling a\nwarning: unused variable\nerror[E0308]: mismatched types\n  --> src/main.rs:3:5\n" +
		"error: aborting due to 1 previous error\nFor more information about this error, try `rustc --explain E0308`.\nerror: could not compile `a`\nthread 'main' panicked at 'x'\n")
	if got := s.Result(); len(got) > 0 {
		t.Fatal(names(got))
	}
	var lines []string
	for _, l := range s.Telling() {
		lines = append(lines, l.Text)
	}
	if len(lines) < 2 || lines[0] != "error[E0308]: mismatched types" || !strings.Contains(strings.Join(lines, "\n"), "panicked at") {
		t.Errorf("%q", lines)
	}
	if s := scan("all is well\n"); len(s.Telling()) != 0 {
		t.Error(s.Telling())
	}
	long := scan("error: linking failed: " + strings.Repeat("x", 15<<10) + "\nerror: the cause\n")
	for _, l := range long.Telling() {
		if len([]rune(l.Text)) > 200 {
			t.Errorf("a line of %d bytes is shown", len(l.Text))
		}
	}
}

// TestFormats: logs in UTF-16, in one line, cut anywhere.
func TestFormats(t *testing.T) {
	text := "error: environment variable `SSID` not defined at compile time\n"
	wide := []byte{0xff, 0xfe}
	for _, c := range []byte(text) {
		wide = append(wide, c, 0)
	}
	if got := names(scan(string(wide)).Result()); len(got) != 1 || got[0] != "missing-env" {
		t.Errorf("UTF-16: %v", got)
	}
	for cut := range len(text) {
		s := allRules.Scanner()
		s.Write([]byte(text[:cut]))
		s.Write([]byte(text[cut:]))
		if got := names(s.Result()); len(got) != 1 {
			t.Errorf("cut at %d: %v", cut, got)
		}
	}
	for _, before := range []int{maxLine - 40, maxLine, 3*maxLine - 30} {
		if got := names(scan(strings.Repeat("x", before) + text).Result()); len(got) != 1 {
			t.Errorf("after %d bytes without a line end: %v", before, got)
		}
	}
}

func bigLog(size int) []byte {
	line := "   Compiling esp-hal v1.2.2\n   = note: rust-lld \"-flavor\" \"gnu\" \"/target/riscv32imc-unknown-none-elf/release/deps/libcore-021d3b5beb503905.rlib\"\n\x1b[32mI (23) boot: chip revision: v0.4\x1b[0m\n"
	return bytes.Repeat([]byte(line), size/len(line)+1)[:size]
}

// TestLarge: 10 MB in one second (the bound is wide: the machine may be busy),
// and memory that does not grow with the log.
func TestLarge(t *testing.T) {
	log := bigLog(10 << 20)
	start := time.Now()
	s := allRules.Scanner()
	if _, err := s.ReadFrom(bytes.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("10 MB took %v", took)
	}
	if len(s.Result()) != 0 {
		t.Error(names(s.Result()))
	}
}

// repeated reads a text again and again.
type repeated struct {
	text []byte
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// TestGigabyte: of a log of one gigabyte the cause at its end is found, and what is
// kept is a few megabytes.
func TestGigabyte(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: reads a gigabyte")
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := allRules.Scanner()
	log := io.MultiReader(io.LimitReader(&repeated{text: bigLog(1 << 20)}, 1<<30), strings.NewReader("\nerror: environment variable `SSID` not defined at compile time\n"))
	if n, err := s.ReadFrom(log); err != nil || n < 1<<30 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if got := names(s.Result()); len(got) != 1 || got[0] != "missing-env" {
		t.Errorf("%v", got)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes are kept", grown)
	}
	runtime.KeepAlive(s)
}

func BenchmarkScan(b *testing.B) {
	log := bigLog(10 << 20)
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		s := allRules.Scanner()
		s.Write(log)
		s.Result()
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range samples(f)[:20] {
		f.Add([]byte(s.text), 7)
	}
	f.Add([]byte("\x1b[\x1b]\x00\xff\x1b"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		whole := allRules.Scanner()
		whole.Write(b)
		parts := allRules.Scanner()
		cut = max(0, min(cut, len(b)))
		parts.Write(b[:cut])
		parts.Write(b[cut:])
		x, y := names(whole.Result()), names(parts.Result())
		if strings.Join(x, " ") != strings.Join(y, " ") {
			t.Errorf("%v in one part, %v in two", x, y)
		}
		whole.Telling()
	})
}

// TestTail: the cause is found in the beginning and in the end of a long output,
// and what is kept does not grow.
func TestTail(t *testing.T) {
	noise := bytes.Repeat([]byte("   Compiling a crate of the program\n"), 1<<16)
	fact := []byte("error: environment variable `SSID` not defined at compile time\n")
	for _, parts := range [][][]byte{{fact, noise, noise}, {noise, noise, fact}, {noise, fact, noise[:100]}} {
		var tail Tail
		for _, p := range parts {
			if n, err := tail.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		if r, ok := tail.Best(""); !ok || r.Name != "missing-env" {
			t.Errorf("found %q", r.Name)
		}
		if len(tail.head)+len(tail.end) > keptHead+2*keptEnd {
			t.Errorf("%d bytes are kept", len(tail.head)+len(tail.end))
		}
	}
	if r, ok := new(Tail).Best("unshare: No space left on device"); !ok || r.Name != "user-namespaces" {
		t.Errorf("found %q", r.Name)
	}
}
