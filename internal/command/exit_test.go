package command

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
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
	for _, s := range ExitCodes() {
		want = append(want, fmt.Sprintf("%d %s", s.Kind, s.Meaning))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("docs/exit-codes.md:\n%s\nthe code:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
