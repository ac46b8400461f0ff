package emutest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emutest"
	"espalier.dev/espalier/internal/devtest"
)

// pair returns two boards of one firmware whose pins 4 and 5 are joined, crossed or
// not; pin 3 of the first is high.
func pair(t testing.TB, name string, crossed bool, opts ...emutest.Option) (first, second *emutest.Board) {
	t.Helper()
	real := t
	if r, ok := t.(*recordingT); ok {
		real = r.TB
	}
	opts = append([]emutest.Option{emutest.Firmware(built(real, name)), emutest.NoWiFi()}, opts...)
	first, second = emutest.New(t, opts...), emutest.New(t, opts...)
	g := emutest.NewGroup(t, first, second)
	for _, pin := range []int{4, 5} {
		other := pin
		if crossed {
			other = 9 - pin
		}
		g.Join(first, pin, second, other)
	}
	first.SetPin(3, emu.High)
	return first, second
}

// conversation is two boards that talk, and what they say.
type conversation struct {
	firmware     string
	crossed      bool
	first, other []string // lines of the boards, in order
}

var (
	squares = conversation{
		firmware: "joined", crossed: true,
		first: []string{"the square of 1 is 1", "the square of 2 is 4", "the square of 3 is 9", "the square of 4 is 16", "the square of 5 is 25", "asked"},
		other: []string{"asked for 1", "asked for 2", "asked for 3", "asked for 4", "asked for 5"},
	}
	// An I2C bus with the drivers of esp-hal: open drain, acknowledge bits and a clock
	// that the device stretches.
	memory = conversation{
		firmware: "bus",
		first: []string{"a device after ", "at 0: [00, ff, 55, 00]", "at 4: [01, fe, 55, 01]", "at 8: [02, fd, 55, 04]", "at 12: [03, fc, 55, 09]",
			"at another address: AcknowledgeCheckFailed"},
		other: []string{"4 bytes for 0", "0 bytes for 0", "read at 0: Done", "4 bytes for 4", "read at 4: Done", "4 bytes for 12", "read at 12: Done"},
	}
)

// Two boards talk. All that happens is the same for any number of threads, whichever
// board the test waits for, and wherever its waits end.
func TestGroup(t *testing.T) {
	for _, c := range []conversation{squares, memory} {
		t.Run(c.firmware, func(t *testing.T) {
			if c.firmware != squares.firmware {
				devtest.Long(t, "runs six boards")
			}
			orders := []struct {
				name    string
				threads int
				wait    func(first, other *emutest.Board)
			}{
				{"the first, then the other", 1, func(first, other *emutest.Board) {
					for _, line := range c.first {
						first.Expect(line)
					}
					for _, line := range c.other {
						other.Expect(line)
					}
				}},
				{"the other, then the first", 2, func(first, other *emutest.Board) {
					for _, line := range c.other {
						other.Expect(line)
					}
					for _, line := range c.first {
						first.Expect(line)
					}
				}},
				{"in turn", 8, func(first, other *emutest.Board) {
					for i, line := range c.first {
						first.Expect(line)
						first.Run(137 * time.Microsecond)
						if i < len(c.other) {
							other.Expect(c.other[i])
						}
						other.Run(11*time.Microsecond + 300*time.Nanosecond)
					}
				}},
			}
			want, end := "", time.Duration(0)
			for _, o := range orders {
				threads := runtime.GOMAXPROCS(o.threads)
				first, other := pair(t, c.firmware, c.crossed, emutest.Timeout(2*time.Second))
				o.wait(first, other)
				if end == 0 {
					end = max(first.Now(), other.Now()) + 5*time.Millisecond
				}
				first.Run(end - first.Now())
				runtime.GOMAXPROCS(threads)
				for _, b := range []*emutest.Board{first, other} {
					if over := b.Now() - end; over < 0 || over > time.Microsecond {
						t.Errorf("%s: a board is at %v, the end is %v", o.name, b.Now(), end)
					}
				}
				got := fmt.Sprintf("traces %x %x\n%s\n%s", first.Emu().Trace(), other.Emu().Trace(), strings.Join(first.Lines(), "\n"), strings.Join(other.Lines(), "\n"))
				if want == "" {
					want = got
				}
				if got != want {
					t.Errorf("%s: %s\n%s: %s", o.name, got, orders[0].name, want)
				}
			}
		})
	}
}

// What goes wrong on a board that no one waits for is shown, with its own lines.
func TestGroupFailures(t *testing.T) {
	for _, tc := range []struct {
		name string
		test func(t testing.TB)
		want string
	}{
		{"nothing comes", func(t testing.TB) {
			_, answers := pair(t, "joined", true, emutest.Timeout(50*time.Millisecond))
			answers.Expect("no such text")
		}, `no line with "no such text" within 50ms`},
		{"joined late", func(t testing.TB) {
			asks, answers := pair(t, "joined", true)
			asks.Run(time.Millisecond)
			emutest.NewGroup(t, asks, answers)
		}, "a board of a group has run already"},
		{"not in the group", func(t testing.TB) {
			asks, answers := pair(t, "joined", true)
			emutest.NewGroup(t, asks).Join(asks, 1, answers, 1)
		}, "not in the group"},
	} {
		failed, text := failing(t, tc.test)
		if !failed || !strings.Contains(text, tc.want) {
			t.Errorf("%s: failed %v: %s", tc.name, failed, text)
		}
	}
}

// The artefacts of the boards are beside each other.
func TestGroupArtifacts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	failed, text := failing(t, func(t testing.TB) {
		asks, _ := pair(t, "joined", true, emutest.Artifacts(dir))
		asks.Expect("asked")
	})
	if failed {
		t.Fatal(text)
	}
	for name, want := range map[string]string{"board1-serial.log": "the square of 3 is 9", "board2-serial.log": "asked for 3"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v, %q", name, err, b)
		}
	}
	if list, _ := filepath.Glob(filepath.Join(dir, "*run.recording")); len(list) > 0 {
		t.Errorf("kept %v", list)
	}
}
