package monitor

import (
	"regexp"
	"strings"
)

// Rule is one --expect or --fail: a text that a line contains or, between
// slashes, a regular expression (RE2) that matches somewhere in it. Rules see
// lines as people do: without colours, without the line end.
type Rule struct {
	source string // as the user wrote it
	text   string
	re     *regexp.Regexp
}

// RuleError is a rule that cannot be read.
type RuleError struct {
	Source string // as the user wrote it, "" if that is what is wrong
	Err    error  // of the expression
}

func (e *RuleError) Error() string {
	if e.Source == "" {
		return "an expected text is empty"
	}
	return "reading the expression " + e.Source + ": " + e.Err.Error()
}

func (e *RuleError) Unwrap() error { return e.Err }

// Hints returns what to do about it.
func (e *RuleError) Hints() []string {
	if e.Source == "" {
		return nil
	}
	return []string{"expressions are RE2 (https://github.com/google/re2/wiki/Syntax); a plain text needs no slashes"}
}

// ParseRule reads one rule; the error is a *RuleError. A text that itself begins and ends with a slash
// is written as an expression: /\/dev\//.
func ParseRule(s string) (Rule, error) {
	if s == "" {
		return Rule{}, &RuleError{}
	}
	if len(s) < 3 || s[0] != '/' || s[len(s)-1] != '/' {
		return Rule{source: s, text: s}, nil
	}
	re, err := regexp.Compile(s[1 : len(s)-1])
	if err != nil {
		return Rule{}, &RuleError{Source: s, Err: err}
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
