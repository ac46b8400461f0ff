package monitor

import (
	"regexp"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Rule is one --expect or --fail: a text that a line contains or, between
// slashes, a regular expression (RE2) that matches somewhere in it. Rules see
// lines as people do: without colours, without the line end.
type Rule struct {
	source string // as the user wrote it
	text   string
	re     *regexp.Regexp
}

// ParseRule reads one rule. A text that itself begins and ends with a slash
// is written as an expression: /\/dev\//.
func ParseRule(s string) (Rule, error) {
	if s == "" {
		return Rule{}, fault.New(fault.Usage, "an expected text is empty")
	}
	if len(s) < 3 || s[0] != '/' || s[len(s)-1] != '/' {
		return Rule{source: s, text: s}, nil
	}
	re, err := regexp.Compile(s[1 : len(s)-1])
	if err != nil {
		return Rule{}, fault.Wrap(fault.Usage, err, "reading the expression "+s,
			"expressions are RE2 (https://github.com/google/re2/wiki/Syntax); a plain text needs no slashes")
	}
	return Rule{source: s, re: re}, nil
}

// ParseRules reads several rules.
func ParseRules(ss []string) ([]Rule, error) {
	var out []Rule
	for _, s := range ss {
		r, err := ParseRule(s)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// String returns the rule as the user wrote it.
func (r Rule) String() string { return r.source }

// Match reports whether line fulfils the rule.
func (r Rule) Match(line string) bool {
	if r.re != nil {
		return r.re.MatchString(line)
	}
	return r.text != "" && strings.Contains(line, r.text)
}
