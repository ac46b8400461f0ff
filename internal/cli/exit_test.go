package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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

// eventPackages are the directories of the packages with types of events.
func eventPackages() []string {
	return []string{".", "../adopt", "../ui", "../console", "../session", "../inspect", "../workspace", "../version", "../flashing", "../ports", "../settings", "../doctor", "../explain"}
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
	for _, dir := range eventPackages() {
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
	for _, dir := range eventPackages() {
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
