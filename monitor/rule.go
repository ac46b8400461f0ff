package monitor

import "regexp"

// Rule is one --expect or --fail: a text, or a regular expression.
type Rule struct {
	text string
	re   *regexp.Regexp
}
