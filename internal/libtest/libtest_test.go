package libtest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/fwtest"
)

// parse gives a verb the flags of both sides of "--".
func parse(t *testing.T, before, after []string) (Flags, []string, error) {
	t.Helper()
	var o Flags
	var names []string
	cmd := &cobra.Command{Use: "test", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, args []string) (err error) {
		if names, err = o.Parse(cmd, after); err != nil {
			return err
		}
		return o.Check()
	}}
	o.Add(cmd.Flags())
	cmd.SetArgs(before)
	err := cmd.Execute()
	return o, names, err
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name          string
		before, after []string
		want          Flags
		names         []string
	}{
		{"nothing", nil, nil, Flags{Format: fwtest.Pretty}, nil},
		{"as cargo nextest lists", nil, []string{"--list", "--format", "terse"}, Flags{List: true, Format: fwtest.Terse}, nil},
		{"as cargo nextest runs one", nil, []string{"suite::adds", "--exact", "--nocapture"},
			Flags{Filter: fwtest.Filter{Exact: true}, NoCapture: true, Format: fwtest.Pretty}, []string{"suite::adds"}},
		{"both sides", []string{"--skip", "slow", "--test-threads=3"}, []string{"--skip", "flaky", "-q"},
			Flags{Filter: fwtest.Filter{Skip: []string{"slow", "flaky"}}, Workers: 3, Format: fwtest.Terse}, nil},
		{"other spellings", nil, []string{"--no-capture", "-Z", "unstable-options", "--format=json"}, Flags{NoCapture: true, Format: fwtest.JSON}, nil},
		{"quiet does not hide a format", nil, []string{"-q", "--format", "json"}, Flags{Format: fwtest.JSON}, nil},
		{"show-output", nil, []string{"--show-output"}, Flags{NoCapture: true, Format: fwtest.Pretty}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, names, err := parse(t, tc.before, tc.after)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want.Workers == 0 {
				if got.Workers < 1 {
					t.Errorf("%d boards at a time", got.Workers)
				}
				got.Workers = 0
			}
			got.format = ""
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
			if strings.Join(names, " ") != strings.Join(tc.names, " ") {
				t.Errorf("names %q, want %q", names, tc.names)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	for _, tc := range []struct {
		after []string
		want  string
	}{
		{[]string{"--frobnicate"}, "--frobnicate"},
		{[]string{"--format", "xml"}, "--format"},
		{[]string{"--ignored", "--include-ignored"}, "exclude each other"},
		{[]string{"--test-threads", "-1"}, "--test-threads -1"},
		{[]string{"--test-threads", "two"}, `"two" is not a number`},
	} {
		_, _, err := parse(t, nil, tc.after)
		if err == nil || !strings.Contains(err.Error(), tc.want) || fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v, want an error about %s", tc.after, err, tc.want)
		}
	}
}
