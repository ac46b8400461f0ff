package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/fault"
)

// TestExitCodesDocument: docs/exit-codes.md says what the code does.
func TestExitCodesDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`).FindAllStringSubmatch(string(b), -1)
	var got, want []string
	for _, r := range rows {
		got = append(got, r[1]+" "+r[2])
	}
	for _, s := range exitTable() {
		want = append(want, fmt.Sprintf("%d %s", s.kind, s.meaning))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("docs/exit-codes.md:\n%s\nthe code:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryVerbHelps: no verb without a short line, a long text, exit
// statuses, a group.
func TestEveryVerbHelps(t *testing.T) {
	a := newApp(nil, strings.NewReader(""), new(strings.Builder), new(strings.Builder), noEnv)
	known := map[string]bool{}
	for _, g := range groups() {
		known[g.ID] = true
	}
	for _, cmd := range newRoot(a).Commands() {
		if cmd.Name() == "help" {
			continue
		}
		if cmd.Short == "" || !strings.Contains(cmd.Long, "\n\nExit codes:\n    0  success\n") || !known[cmd.GroupID] {
			t.Errorf("%s: short %q, group %q, or its long text has no exit statuses", cmd.Name(), cmd.Short, cmd.GroupID)
		}
		if first := cmd.Short; first != "" && (strings.HasSuffix(first, ".") || len(first) > 80) {
			t.Errorf("%s: short line %q", cmd.Name(), first)
		}
		if cmd.Args == nil {
			t.Errorf("%s takes any arguments", cmd.Name())
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

// run runs one verb made for the test and returns its exit status and output.
func runVerb(t *testing.T, ctx context.Context, f func(a *app, ctx context.Context) error, args ...string) (int, string) {
	t.Helper()
	var out, errs strings.Builder
	code := execute(ctx, append([]string{"try"}, args...), strings.NewReader(""), &out, &errs, noEnv, []verb{{groupMaintenance, func(a *app) *cobra.Command {
		return &cobra.Command{Use: "try", RunE: func(cmd *cobra.Command, _ []string) error { return f(a, cmd.Context()) }}
	}}})
	return code, out.String() + errs.String()
}

func TestKinds(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		f    func(*app, context.Context) error
		code int
		text string
	}{
		{"success", context.Background(), func(*app, context.Context) error { return nil }, 0, ""},
		{"fault", context.Background(), func(*app, context.Context) error { return fault.New(fault.Differ, "they differ", "look here") }, 8, "espalier: they differ\nhint: look here\n"},
		{"wrapped fault", context.Background(), func(*app, context.Context) error {
			return fmt.Errorf("verifying: %w", fault.New(fault.Sandbox, "no"))
		}, 7, "espalier: verifying: no\n"},
		{"error of a public package", context.Background(), func(*app, context.Context) error { return &image.SegmentsError{Count: 20} }, 2, "espalier: the image has 20 segments; the boot chain loads at most 16\nhint: let the linker"},
		{"public error with a kind", context.Background(), func(*app, context.Context) error {
			return fault.Wrap(fault.Build, &image.SegmentsError{Count: 20}, "hello")
		}, 3, "hint: let the linker"},
		{"context", cancelled, func(_ *app, ctx context.Context) error { return ctx.Err() }, 130, "espalier: context canceled\n"},
		{"deadline", context.Background(), func(*app, context.Context) error { return context.DeadlineExceeded }, 124, ""},
		{"unclassified", context.Background(), func(*app, context.Context) error { return fs.ErrClosed }, 2, "espalier: file already closed\n"},
		{"panic", context.Background(), func(*app, context.Context) error { panic("index out\nof range") }, 9, "espalier: internal error: index out of range (internal/cli/exit_test.go:"},
		{"index", context.Background(), func(_ *app, ctx context.Context) error { return []error{}[len(ctx.Done())] }, 9, "espalier: internal error: runtime error: index out of range [0] with length 0 (internal/cli/exit_test.go:"},
		{"joined", context.Background(), func(*app, context.Context) error {
			return errors.Join(fault.New(fault.Pins, "one"), fault.New(fault.Pins, "two"))
		}, 6, "espalier: one\nespalier: two\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, text := runVerb(t, tt.ctx, tt.f)
			if code != tt.code || !strings.Contains(text, tt.text) {
				t.Errorf("exit %d, want %d; printed:\n%s\nwant:\n%s", code, tt.code, text, tt.text)
			}
			if strings.Contains(text, "goroutine ") {
				t.Errorf("a stack trace without -v:\n%s", text)
			}
		})
	}
	if _, text := runVerb(t, context.Background(), func(*app, context.Context) error { panic("x") }, "-v"); !strings.Contains(text, "goroutine ") {
		t.Errorf("no stack trace with -v:\n%s", text)
	}
}

// TestEventsDocument: every event is in docs/json.md, and no other.
func TestEventsDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(b), -1) {
		documented[m[1]] = true
	}
	used := map[string]bool{}
	// The name is an argument of the printer or the result of an EventName method.
	call := regexp.MustCompile(`(?:\.Event\(|EventName\(\) string \{ return )"([a-z-]+)"`)
	for _, dir := range []string{".", "../ui", "../console", "../session", "../inspect"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range call.FindAllSubmatch(src, -1) {
				used[string(m[1])] = true
			}
		}
	}
	for e := range used {
		if !documented[e] {
			t.Errorf("event %s is not in docs/json.md", e)
		}
	}
	for e := range documented {
		if !used[e] {
			t.Errorf("docs/json.md describes %s, which nothing sends", e)
		}
	}
}

// TestEventFields: names are in one style, and docs/json.md has each of them.
func TestEventFields(t *testing.T) {
	doc, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	style := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	tag := regexp.MustCompile(`json:"([^",]+)`)
	names := map[string]string{}
	for _, dir := range []string{".", "../ui", "../console", "../session"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, m := range tag.FindAllSubmatch(src, -1) {
				names[string(m[1])] = f
			}
		}
	}
	if len(names) < 80 {
		t.Fatalf("only %d names", len(names))
	}
	for name, f := range names {
		if name == "-" {
			continue
		}
		if !style.MatchString(name) {
			t.Errorf("%s: %s: words in lower case, separated by dashes", f, name)
		}
		if !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("%s: docs/json.md has no `%s`", f, name)
		}
	}
}
