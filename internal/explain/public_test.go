package explain

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPublicFailures: failures that people of this field have reported, by their
// facts: each finds its rule first. Together with the reports that are the sources of
// rules they are sixty at least.
func TestPublicFailures(t *testing.T) {
	b, err := os.ReadFile("testdata/public.txt")
	if err != nil {
		t.Fatal(err)
	}
	report := regexp.MustCompile(`[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+#[0-9]+`)
	var reports []string
	for _, part := range strings.Split("\n"+string(b), "\n== ")[1:] {
		header, text, _ := strings.Cut(part, "\n")
		rule, source, _ := strings.Cut(header, " ")
		if report.FindString(source) != source || slices.Contains(reports, source) {
			t.Errorf("%s: %q is not the number of one report, or it is twice", rule, source)
		}
		reports = append(reports, source)
		if got := names(scan(text).Result()); len(got) == 0 || got[0] != rule {
			t.Errorf("%s: got %v, want %s", source, got, rule)
		}
	}
	for _, r := range Rules() {
		reports = append(reports, report.FindAllString(r.Source, -1)...)
	}
	slices.Sort(reports)
	if n := len(slices.Compact(reports)); n < 60 {
		t.Errorf("%d reports", n)
	}
}
