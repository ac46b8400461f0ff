package fwtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/fwtest"
)

// Programs of other test frameworks (testdata/frameworks), built by espalier.
func TestFrameworks(t *testing.T) {
	for _, k := range []struct {
		program string
		want    []string // name, outcome, and what the message contains
		output  string   // of the last test
	}{
		{"protocol0", []string{"tests::fails FAILED returned an error", "tests::hangs FAILED timed out after 1s", "tests::panics ok ", "tests::sums ok "}, "a frame of three bytes"},
		{"unit", []string{"an_empty_frame ok ", "keeps_its_state ok ", "later ignored ", "refuses ok ", "wraps ok "}, ""},
		{"broken", []string{"bad FAILED panicked: assertion failed: `(left == right)`: the sum of [1, 2]", "good ok "}, "(2/3) running `bad`"},
	} {
		t.Run(k.program, func(t *testing.T) {
			results := run(t, fwtest.Runner{Workers: 2}, built(t, "frameworks/"+k.program))
			slices.SortFunc(results, func(a, b fwtest.Result) int { return strings.Compare(a.Test.Name, b.Test.Name) })
			for i, r := range results {
				if i >= len(k.want) {
					t.Errorf("%s: not expected", r.Test.Name)
					continue
				}
				head, message := k.want[i], ""
				if f := strings.SplitN(head, " ", 3); len(f) == 3 {
					head, message = f[0]+" "+f[1], f[2]
				}
				// Without debug information, so without call frame information.
				if r.Test.Name == "bad" && (len(r.Backtrace) < 2 || !strings.HasSuffix(r.Backtrace[0], " broken::tests::bad") || !strings.HasSuffix(r.Backtrace[1], " main")) {
					t.Errorf("backtrace\n%s", strings.Join(r.Backtrace, "\n"))
				}
				if got := r.Test.Name + " " + r.Outcome.String(); got != head || !strings.Contains(r.Message, message) {
					t.Errorf("%s: %s, want %s\n%s", got, r.Message, k.want[i], strings.Join(r.Output, "\n"))
				}
			}
			if len(results) < len(k.want) {
				t.Errorf("%d results, want %d", len(results), len(k.want))
			}
			if n := slices.IndexFunc(results, func(r fwtest.Result) bool { return strings.Contains(strings.Join(r.Output, "\n"), k.output) }); n < 0 {
				t.Errorf("no test has written %q", k.output)
			}
		})
	}
}

// defmt over UART0, and over USB-Serial-JTAG where a host is connected to it.
func TestDefmtOverSerialPorts(t *testing.T) {
	for _, usb := range []bool{false, true} {
		t.Run(fmt.Sprintf("USB %v", usb), func(t *testing.T) {
			p := built(t, "frameworks/serial")
			r := fwtest.Runner{Bed: func() (testbed.Config, error) {
				cfg := testbed.Config{Network: testbed.None}
				cfg.Board.USBHost = usb
				return cfg, nil
			}}
			if err := r.Load(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			jobs, _ := fwtest.Filter{}.Select([]*fwtest.Program{p})
			err := r.Run(t.Context(), jobs, func(res fwtest.Result) {
				if text := strings.Join(res.Output, "\n"); res.Outcome != fwtest.Passed || !strings.Contains(text, "ERROR a checksum of 0x42") {
					t.Errorf("%v %s\n%s", res.Outcome, res.Message, text)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
