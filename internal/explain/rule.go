package explain

import "strings"

// Rule is a known failure.
type Rule struct {
	Name  string // lower case, words separated by dashes: what "explain RULE" takes
	Title string // one line: what happened
	Cause string // why
	Cure  []string
	// Source is where the facts are from: a manual's section, or the address of
	// a public report.
	Source string

	// Facts must all be in the log, within window lines of each other. One fact
	// may have alternatives. In a text, * is anything within a line, and letters
	// are compared as they are.
	Facts [][]string
	// Not are facts of logs that look alike and mean something else. One of them
	// within window lines of the match rules it out.
	Not []string
	// Rank orders rules that match the same log: the higher one is nearer to the
	// cause. 0 is the default.
	Rank int
}

// window is how many lines may be between the facts of one rule.
const window = 80

// one and all are the common forms of Facts.
func one(alternatives ...string) [][]string { return [][]string{alternatives} }

func all(facts ...string) (out [][]string) {
	for _, f := range facts {
		out = append(out, []string{f})
	}
	return out
}

// Find returns the rule of a name.
func Find(name string) (Rule, bool) {
	for _, r := range Rules() {
		if r.Name == name {
			return r, true
		}
	}
	return Rule{}, false
}

// Rules returns all rules.
func Rules() []Rule {
	var out []Rule
	for _, list := range [][]Rule{compilerRules(), cargoRules(), linkerRules(), nixRules(), flashRules(), bootRules(), runRules(), wifiRules(), hostRules()} {
		out = append(out, list...)
	}
	return out
}

// pattern is a compiled text: its literal parts in their order.
type pattern struct {
	parts   []string
	longest int // index of the part that the scanner looks for
}

func compile(text string) pattern {
	p := pattern{}
	for _, part := range strings.Split(text, "*") {
		if part == "" {
			continue
		}
		if len(p.parts) > 0 && len(part) > len(p.parts[p.longest]) {
			p.longest = len(p.parts)
		}
		p.parts = append(p.parts, part)
	}
	return p
}

// in reports whether a line contains the parts in their order.
func (p pattern) in(line []byte) bool {
	for _, part := range p.parts {
		i := indexOf(line, part)
		if i < 0 {
			return false
		}
		line = line[i+len(part):]
	}
	return true
}
