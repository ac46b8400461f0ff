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
)

// pair returns two boards of one firmware that are joined by UART1; the first asks.
func pair(t testing.TB, opts ...emutest.Option) (asks, answers *emutest.Board) {
	t.Helper()
	opts = append([]emutest.Option{emutest.Firmware(joined(t)), emutest.NoWiFi()}, opts...)
	asks, answers = emutest.New(t, opts...), emutest.New(t, opts...)
	g := emutest.NewGroup(t, asks, answers)
	g.Join(asks, 4, answers, 5)
	g.Join(answers, 4, asks, 5)
	asks.SetPin(3, emu.High)
	return asks, answers
}

func joined(t testing.TB) string {
	if t, ok := t.(*recordingT); ok {
		return built(t.TB, "joined")
	}
	return built(t, "joined")
}

// Two boards talk, and all that happened is the same for any number of threads. It is
// not the same for a test that waits in another order: the boards exchange levels
// where a wait has ended, too.
func TestGroup(t *testing.T) {
	play := func(threads int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		asks, answers := pair(t)
		var said []string
		for range 5 {
			said = append(said, asks.ExpectRegexp(`the square of (\d) is (\d+)`)[0])
		}
		asks.Expect("asked")
		if want := "the square of 1 is 1, the square of 2 is 4, the square of 3 is 9, the square of 4 is 16, the square of 5 is 25"; strings.Join(said, ", ") != want {
			t.Errorf("%s", strings.Join(said, ", "))
		}
		answers.Expect("asked for 5")
		// Both to the same instant.
		answers.Run(250*time.Millisecond - answers.Now())
		asks.Run(250*time.Millisecond - asks.Now())
		return fmt.Sprintf("%x %x", asks.Emu().Trace(), answers.Emu().Trace())
	}
	want := play(1)
	for _, threads := range []int{2, 8} {
		if got := play(threads); got != want {
			t.Errorf("%d threads: %s, not %s", threads, got, want)
		}
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
			_, answers := pair(t, emutest.Timeout(50*time.Millisecond))
			answers.Expect("no such text")
		}, `no line with "no such text" within 50ms`},
		{"joined late", func(t testing.TB) {
			asks, answers := pair(t)
			asks.Run(time.Millisecond)
			emutest.NewGroup(t, asks, answers)
		}, "a board of a group has run already"},
		{"not in the group", func(t testing.TB) {
			asks, answers := pair(t)
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
		asks, _ := pair(t, emutest.Artifacts(dir))
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
