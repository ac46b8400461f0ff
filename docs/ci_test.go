package docs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// snippet is a YAML block of a page, whose first line says what it is for.
type snippet struct {
	page, head string
	doc        map[string]any
}

func snippets(t *testing.T) (out []snippet) {
	t.Helper()
	block := regexp.MustCompile("(?s)\n```ya?ml\n(.*?)\n```\n")
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			head, _, _ := strings.Cut(m[1], "\n")
			s := snippet{page: page, head: head}
			d := yaml.NewDecoder(strings.NewReader(m[1])) // refuses a key that is there twice
			if err := d.Decode(&s.doc); err != nil {
				t.Errorf("%s: %q: %v", page, head, err)
				continue
			}
			if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
				t.Errorf("%s: %q has more than one document", page, head)
			}
			out = append(out, s)
		}
	}
	return out
}

// TestCISnippets: the workflows in the pages have the keys of their service, in the
// places and of the types that its documentation states. TestCommands checks the
// command lines in them.
func TestCISnippets(t *testing.T) {
	github, gitlab := 0, 0
	for _, s := range snippets(t) {
		var err error
		switch {
		case strings.Contains(s.head, "GitHub"):
			github++
			err = checkGitHub(s.doc)
		case strings.Contains(s.head, "GitLab"):
			gitlab++
			err = checkGitLab(s.doc)
		}
		if err != nil {
			t.Errorf("%s: %q: %v", s.page, s.head, err)
		}
	}
	if github == 0 || gitlab == 0 {
		t.Errorf("%d workflows of GitHub, %d of GitLab", github, gitlab)
	}
}

// Mistakes that the check must find.
func TestCISnippetsRefused(t *testing.T) {
	for text, check := range map[string]func(map[string]any) error{
		"on: [push]\njobs:\n  a:\n    steps: [{run: espalier test}]\n":                                                        checkGitHub, // no runner
		"on: [push]\njobs:\n  a:\n    runs-on: x\n    steps: [{uses: actions/checkout}]\n":                                    checkGitHub, // no version
		"on: [push]\njobs:\n  a:\n    runs-on: x\n    steps: [{run: a, uses: b/c@v1}]\n":                                      checkGitHub, // both
		"on: [push]\njobs:\n  a:\n    runs-on: x\n    steps: [{run: a, whith: {}}]\n":                                         checkGitHub, // a slip
		"jobs:\n  a:\n    runs-on: x\n    steps: [{run: a}]\n":                                                                checkGitHub, // no event
		"on: [push]\njobs:\n  a:\n    runs-on: x\n    steps: [{uses: actions/upload-artifact@v4, with: {path: x, nam: y}}]\n": checkGitHub,
		"test:\n  artifacts: {}\n":                                      checkGitLab, // no script
		"test:\n  script: espalier test\n":                              checkGitLab, // not a list
		"test:\n  script: [a]\n  artefacts: {}\n":                       checkGitLab,
		"test:\n  script: [a]\n  artifacts: {reports: {unit: x}}\n":     checkGitLab,
		"test:\n  script: [a]\n  cache: {key: {file: [espalier.lock]}}": checkGitLab,
	} {
		var doc map[string]any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if check(doc) == nil {
			t.Errorf("accepted:\n%s", text)
		}
	}
}

// inputs are those of the actions that the pages use.
var inputs = map[string][]string{
	"actions/checkout":        {"fetch-depth", "submodules", "lfs", "path", "ref"},
	"actions/cache":           {"path", "key", "restore-keys"},
	"actions/upload-artifact": {"name", "path", "if-no-files-found", "retention-days"},
}

func checkGitHub(doc map[string]any) error {
	if doc["on"] == nil {
		return errors.New("no event starts it")
	}
	if err := known(doc, "name", "on", "jobs", "env", "permissions", "concurrency"); err != nil {
		return err
	}
	jobs, ok := doc["jobs"].(map[string]any)
	if !ok {
		return errors.New("no jobs")
	}
	for name, v := range jobs {
		job, _ := v.(map[string]any)
		steps, ok := job["steps"].([]any)
		if _, runner := job["runs-on"].(string); !runner || !ok {
			return fmt.Errorf("job %s: runs-on and a list of steps are required", name)
		}
		if err := known(job, "runs-on", "steps", "env", "strategy", "container", "permissions", "needs", "name", "services"); err != nil {
			return err
		}
		for i, v := range steps {
			step, _ := v.(map[string]any)
			uses, action := step["uses"].(string)
			_, run := step["run"].(string)
			if action == run {
				return fmt.Errorf("job %s, step %d: want either uses or run", name, i+1)
			}
			if err := known(step, "name", "id", "if", "uses", "with", "run", "env", "working-directory", "shell", "continue-on-error"); err != nil {
				return err
			}
			at, version, _ := strings.Cut(uses, "@")
			if action && version == "" {
				return fmt.Errorf("%s has no version", uses)
			}
			if with, ok := step["with"].(map[string]any); ok && inputs[at] != nil {
				if err := known(with, inputs[at]...); err != nil {
					return fmt.Errorf("%s: %w", uses, err)
				}
			}
		}
	}
	return nil
}

func checkGitLab(doc map[string]any) error {
	for name, v := range doc {
		if slices.Contains([]string{"image", "variables", "stages", "default", "include", "workflow", "cache"}, name) {
			continue
		}
		job, _ := v.(map[string]any)
		if script, ok := job["script"].([]any); !ok || len(script) == 0 {
			return fmt.Errorf("job %s: script has to be a list", name)
		}
		if err := known(job, "stage", "image", "variables", "cache", "script", "before_script", "after_script", "artifacts", "tags", "rules", "needs", "parallel", "services"); err != nil {
			return err
		}
		if cache, ok := job["cache"].(map[string]any); ok {
			if err := known(cache, "key", "paths", "policy", "when"); err != nil {
				return err
			}
			if key, ok := cache["key"].(map[string]any); ok {
				if err := known(key, "files", "prefix"); err != nil {
					return err
				}
			}
		}
		if artifacts, ok := job["artifacts"].(map[string]any); ok {
			if err := known(artifacts, "paths", "when", "expire_in", "name", "reports", "exclude"); err != nil {
				return err
			}
			if reports, ok := artifacts["reports"].(map[string]any); ok {
				if err := known(reports, "junit", "cyclonedx", "dotenv"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// known refuses keys of a table that are not listed.
func known(table map[string]any, keys ...string) error {
	for k := range table {
		if !slices.Contains(keys, k) {
			return fmt.Errorf("unknown key %q", k)
		}
	}
	return nil
}
