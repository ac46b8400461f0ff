package command

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
)

// tree is a command line with two verbs.
func tree() *cobra.Command {
	root := &cobra.Command{Use: "tool", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().Bool("json", false, "print events")
	root.SetFlagErrorFunc(FlagError)
	run := func(*cobra.Command, []string) error { return nil }
	copied := &cobra.Command{Use: "copy FROM [TO]", Short: "copy a thing", Args: Args("FROM", "[TO]"), RunE: run}
	var d time.Duration
	var dir string
	DurationVar(copied.Flags(), &d, "timeout", "give up after `TIME`")
	DirectoryVar(copied.Flags(), &dir, "serve", "serve the files in `DIR`", "--share takes one")
	copied.Flags().Int("count", 0, "copy `N` times")
	lint := &cobra.Command{Use: "lint [-- RULE...]", Short: "look for mistakes", Args: AfterDash("RULE"), RunE: run}
	lint.Flags().Bool("strict", false, "find more")
	root.AddCommand(copied, lint)
	return root
}

func TestArguments(t *testing.T) {
	elsewhere := map[string]string{"write-flash": "tool copy FROM"}
	for _, tc := range []struct {
		line, err, hint string
	}{
		{"copy a", "", ""},
		{"copy a b", "", ""},
		{"copy", "copy: FROM is missing", "tool copy --help"},
		{"copy a b c", "copy: unexpected argument c", "tool copy --help"},
		{"copy a b -- c d", "copy: nothing takes the arguments after --: c d", "firmware has no command line"},
		{"lint -- x y", "", ""},
		{"lint x", "lint: unexpected argument x", "tool lint -- x   # each RULE follows --"},
		{"copy a --timeout 10s", "", ""},
		{"copy a --timeout 10", `--timeout: "10" is not a duration, such as 30s`, "tool copy --help"},
		{"copy a --timeout 0s", `--timeout: "0s" is not longer than 0s`, ""},
		{"copy a --timeout=-1s", `--timeout: "-1s" is not longer than 0s`, ""},
		{"copy a --serve tcp://x:1", "--serve: tcp://x:1 is an address; --share takes one", ""},
		{"copy a --count x", `--count: "x" is not a number`, ""},
		{"copy a --count 99999999999999999999", `--count: "99999999999999999999" is out of range`, ""},
		{"copy a --tiemout 1s", "copy has no flag --tiemout", "tool copy --timeout"},
		{"copy a --strict", "copy has no flag --strict", "tool lint --strict"},
		{"copy a -x", "copy has no flag -x", "tool copy --help"},
		{"cpoy a", "unknown verb cpoy", "tool copy"},
		{"zzzzzzzz", "unknown verb zzzzzzzz", "tool --help lists the verbs"},
		{"write_flash a", "unknown verb write_flash: tool's word for it is another", "tool copy FROM"},
	} {
		root := tree()
		root.SetArgs(strings.Fields(tc.line))
		root.SetOut(&strings.Builder{})
		err := VerbError(root, root.Execute(), elsewhere)
		if tc.err == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.line, err)
			}
			continue
		}
		if err == nil || err.Error() != tc.err || fault.KindOf(err) != fault.Usage || !strings.Contains(strings.Join(fault.Hints(err), "\n"), tc.hint) {
			t.Errorf("%s: %v %q, want %s with %q", tc.line, err, fault.Hints(err), tc.err, tc.hint)
		}
	}
	if err := UnknownValue("--by", "crat", []string{"crate", "section"}); err.Error() != `--by: unknown value "crat"` || fault.Hints(err)[0] != "--by crate" {
		t.Errorf("%v %q", err, fault.Hints(err))
	}
}

// The help of a verb has its parts in one order, and no line is wider than asked.
func TestHelp(t *testing.T) {
	root := tree()
	var out strings.Builder
	root.SetOut(&out)
	root.Commands()[0].Long = "Copy a thing to a place where it can be found again later on, by a name." + Exits(fault.Build)
	SetHelp(root, func() int { return 44 })
	root.SetArgs([]string{"copy", "--help"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, part := range []string{"Copy a thing", "Usage:\n  tool copy", "\nFlags:\n", "--timeout TIME\n", "Flags of every verb:\n", "Exit codes:\n    0  success\n", "    3  the build failed"} {
		i := strings.Index(out.String()[at:], part)
		if i < 0 {
			t.Fatalf("no %q after the first %d bytes of\n%s", part, at, out.String())
		}
		at += i
	}
	for line := range strings.Lines(out.String()) {
		if len(strings.TrimRight(line, "\n")) > 44 {
			t.Errorf("wider than 44: %q", line)
		}
	}
}
