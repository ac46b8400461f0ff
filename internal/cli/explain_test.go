package cli

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/explain"
	"espalier.dev/espalier/internal/fault"
)

// TestFailureNamesItsRule: an error gets the rule that matches what the verb has
// printed or the error's own text, unless it is of a kind that explains itself.
func TestFailureNamesItsRule(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for _, test := range []struct {
		kind    fault.Kind
		printed string
		err     string
		want    string
	}{
		{fault.Build, "error: environment variable `SSID` not defined at compile time\n", "compiling app failed: 1 error", "missing-env"},
		{fault.Program, "called `Result::unwrap()` on an `Err` value: SchedulerNotInitialized\n", "the firmware panicked", "radio-scheduler"},
		{fault.Chip, "", "flash verification failed: 0x10000", "flash-verify"},
		{fault.Build, "error[E0308]: mismatched types\n", "compiling app failed: 1 error", ""},
		{fault.Usage, "error: environment variable `SSID` not defined at compile time\n", "no such file", ""},
	} {
		for _, flags := range [][]string{nil, {"--json"}} {
			a := newApp(flags, strings.NewReader(""), io.Discard, io.Discard, none)
			if test.printed != "" {
				a.ui.Diagnostic(test.printed)
			}
			err := a.output.Explain(fault.Wrap(test.kind, errors.New(test.err), "", "first hint"))
			if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.err) {
				t.Errorf("the error became %v: %v", fault.KindOf(err), err)
			}
			hints := fault.Hints(err)
			i := slices.IndexFunc(hints, func(h string) bool { return strings.HasPrefix(h, "espalier explain "+test.want+" ") })
			if (i >= 0) != (test.want != "") || hints[0] != "first hint" || len(hints) != 1+min(1, len(test.want)) {
				t.Errorf("%s%s: hints %q, want %q", test.printed, test.err, hints, test.want)
			}
		}
	}
}

var verbInCure = regexp.MustCompile(`espalier ([a-z-]+)`)

// TestCuresAreVerbs: a command of espalier that a rule recommends exists.
func TestCuresAreVerbs(t *testing.T) {
	known := map[string]bool{}
	for _, c := range Command().Commands() {
		known[c.Name()] = true
	}
	for _, r := range explain.Rules() {
		for _, text := range append(r.Cure, r.Cause) {
			for _, m := range verbInCure.FindAllStringSubmatch(text, -1) {
				if !known[m[1]] && m[1] != "pins" {
					t.Errorf("rule %s: espalier has no verb %s: %s", r.Name, m[1], text)
				}
			}
		}
	}
}
