package deptest

import (
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSizes: no package is over its limit.
func TestSizes(t *testing.T) {
	root := filepath.Join("..", "..")
	sources, err := scan(root, token.NewFileSet())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range limits {
		found, err := tooLarge(root, l, sources)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range found {
			t.Error(line)
		}
	}
}

// Each part of a limit is checked on a package that is one over it.
func TestTooLarge(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "internal", "cli")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.go":         "package p\n" + strings.Repeat("//\n", 9),
		"b_windows.go": "package p\n\ntype T struct{}\n\nfunc (T) a()  {}\nfunc (*T) b() {}\n",
		"a_test.go":    "package p\n" + strings.Repeat("//\n", 99),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := scan(root, token.NewFileSet())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		limit limit
		want  string // parts, separated by |
	}{
		{limit{"internal/cli", 16, 10, 2, ""}, ""},
		{limit{"internal/cli", 15, 10, 2, ""}, "internal/cli has 16 lines"},
		{limit{"internal/cli", 16, 9, 2, ""}, "internal/cli/a.go has 10 lines"},
		{limit{"internal/cli", 16, 10, 1, ""}, "T has more than 1 methods"},
		{limit{"internal/other", 16, 10, 1, ""}, "internal/other has no sources"},
	} {
		got, err := tooLarge(root, tc.limit, sources)
		if err != nil || len(got) != min(1, len(tc.want)) || !strings.Contains(strings.Join(got, "|"), tc.want) {
			t.Errorf("%+v: %q, %v; want %q", tc.limit, got, err, tc.want)
		}
	}
}
