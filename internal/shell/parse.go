package shell

import (
	"errors"
	"fmt"
	"strings"
)

// list is a sequence of pipelines, each with its condition.
type list []pipeline

// pipeline is commands connected by pipes.
type pipeline struct {
	when     string // "&&": after success, "||": after failure, "": always
	not      bool   // ! inverts the status
	commands []command
}

// command is a simple command (XCU 2.9.1).
type command struct {
	assign    []assignment // before the first word
	words     []word
	redirects []redirect
}

type assignment struct {
	name  string
	value word
}

// redirect is "2>file": fd, operator, target.
type redirect struct {
	fd int
	op string // "<", ">", ">>" or ">&"
	to word
}

// word is a sequence of parts. An empty quoted part makes a word of its own.
type word []part

type part struct {
	text   string // literal text, or the name of a variable
	quoted bool   // neither split nor a pattern
	param  bool   // text is the name of a variable
}

// errIncomplete says that more lines are needed.
var errIncomplete = errors.New("the command is not complete")

// parse parses a text of whole lines.
func parse(text string) (list, error) {
	p := parser{rest: text}
	var out list
	when := ""
	for {
		p.blanks()
		switch {
		case p.rest == "":
			if when != "" {
				return nil, errIncomplete
			}
			return out, nil
		case p.rest[0] == '\n':
			p.rest = p.rest[1:]
			continue
		case strings.HasPrefix(p.rest, ";"):
			return nil, fmt.Errorf("syntax error at %q", ";")
		}
		pl := pipeline{when: when}
		for {
			c, err := p.command()
			if err != nil {
				return nil, err
			}
			if len(pl.commands) == 0 && len(c.words) > 0 && c.words[0].is("!") {
				pl.not, c.words = true, c.words[1:]
			}
			if len(c.words) == 0 && len(c.assign) == 0 && len(c.redirects) == 0 {
				if p.rest == "" {
					return nil, errIncomplete
				}
				return nil, fmt.Errorf("syntax error at %q", p.rest[:1])
			}
			if err := c.supported(); err != nil {
				return nil, err
			}
			pl.commands = append(pl.commands, c)
			if !strings.HasPrefix(p.rest, "|") || strings.HasPrefix(p.rest, "||") {
				break
			}
			p.rest = strings.TrimLeft(p.rest[1:], " \t\n")
			if p.rest == "" {
				return nil, errIncomplete
			}
		}
		out = append(out, pl)
		switch when = ""; {
		case strings.HasPrefix(p.rest, "&&"), strings.HasPrefix(p.rest, "||"):
			when, p.rest = p.rest[:2], p.rest[2:]
		case strings.HasPrefix(p.rest, "&"):
			return nil, errors.New("& is not supported: there is no job control")
		case strings.HasPrefix(p.rest, ";"):
			p.rest = p.rest[1:]
		}
	}
}

// reserved are the words of XCU 2.4 that begin or end compound commands.
const reserved = " if then else elif fi do done case esac while until for { } in function [[ "

func (c command) supported() error {
	if len(c.words) > 0 && len(c.words[0]) == 1 && !c.words[0][0].quoted && strings.Contains(reserved, " "+c.words[0][0].text+" ") {
		return fmt.Errorf("%s is not supported: simple commands, pipelines, && || and ; are", c.words[0][0].text)
	}
	return nil
}

func (w word) is(text string) bool { return len(w) == 1 && w[0] == part{text: text} }

type parser struct{ rest string }

// blanks skips blanks, continued lines and a comment.
func (p *parser) blanks() {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t")
		switch {
		case strings.HasPrefix(p.rest, "\\\n"):
			p.rest = p.rest[2:]
		case strings.HasPrefix(p.rest, "#"):
			if i := strings.IndexByte(p.rest, '\n'); i >= 0 {
				p.rest = p.rest[i:]
			} else {
				p.rest = ""
			}
		default:
			return
		}
	}
}

const operators = "|&;<>()\n"

func (p *parser) command() (command, error) {
	var c command
	for {
		p.blanks()
		if p.rest == "" || strings.ContainsRune("|;\n", rune(p.rest[0])) {
			return c, nil
		}
		if p.rest[0] == '&' {
			return c, nil
		}
		if p.rest[0] == '(' || p.rest[0] == ')' {
			return c, fmt.Errorf("%s is not supported: there are no subshells and functions", p.rest[:1])
		}
		if r, ok, err := p.redirect(); err != nil {
			return c, err
		} else if ok {
			c.redirects = append(c.redirects, r)
			continue
		}
		w, err := p.word()
		if err != nil {
			return c, err
		}
		if name, value, ok := w.assignment(); ok && len(c.words) == 0 {
			c.assign = append(c.assign, assignment{name, value})
			continue
		}
		c.words = append(c.words, w)
	}
}

func (p *parser) redirect() (redirect, bool, error) {
	rest, r := p.rest, redirect{fd: -1}
	if rest[0] >= '0' && rest[0] <= '2' && len(rest) > 1 && (rest[1] == '<' || rest[1] == '>') {
		r.fd, rest = int(rest[0]-'0'), rest[1:]
	}
	for _, op := range []string{"<<", "<&", "<>", ">|", ">>", ">&", ">", "<"} {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if op == "<<" || op == "<&" || op == "<>" || op == ">|" {
			return r, false, fmt.Errorf("%s is not supported", op)
		}
		r.op, p.rest = op, rest[len(op):]
		if r.fd < 0 {
			r.fd = 1
			if op == "<" {
				r.fd = 0
			}
		}
		p.blanks()
		if p.rest == "" || strings.ContainsRune(operators, rune(p.rest[0])) {
			return r, false, fmt.Errorf("%s without a file", op)
		}
		var err error
		r.to, err = p.word()
		return r, true, err
	}
	return r, false, nil
}

func (w word) assignment() (name string, value word, ok bool) {
	if len(w) == 0 || w[0].quoted || w[0].param {
		return "", nil, false
	}
	name, rest, ok := strings.Cut(w[0].text, "=")
	if !ok || !isName(name) {
		return "", nil, false
	}
	return name, append(word{{text: rest, quoted: true}}, w[1:]...), true
}

func isName(s string) bool {
	for i, r := range s {
		if !(r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || i > 0 && '0' <= r && r <= '9') {
			return false
		}
	}
	return s != ""
}

// word reads one word up to a blank or an operator.
func (p *parser) word() (word, error) {
	var w word
	literal := ""
	flush := func() {
		if literal != "" {
			w = append(w, part{text: literal})
			literal = ""
		}
	}
	for p.rest != "" && !strings.ContainsRune(" \t"+operators, rune(p.rest[0])) {
		switch c := p.rest[0]; c {
		case '\\':
			if len(p.rest) < 2 {
				return nil, errIncomplete
			}
			flush()
			if p.rest[1] == '\n' {
				p.rest = p.rest[2:]
				if p.rest == "" {
					return nil, errIncomplete
				}
				continue
			}
			w, p.rest = append(w, part{text: p.rest[1:2], quoted: true}), p.rest[2:]
		case '\'':
			text, rest, ok := strings.Cut(p.rest[1:], "'")
			if !ok {
				return nil, errIncomplete
			}
			flush()
			w, p.rest = append(w, part{text: text, quoted: true}), rest
		case '"':
			flush()
			p.rest = p.rest[1:]
			parts, err := p.doubleQuoted()
			if err != nil {
				return nil, err
			}
			w = append(w, parts...)
		case '$':
			v, ok, err := p.parameter(false)
			if err != nil {
				return nil, err
			}
			if !ok {
				literal += "$"
				continue
			}
			flush()
			w = append(w, v)
		case '`':
			return nil, errors.New("` is not supported: there is no command substitution")
		default:
			literal, p.rest = literal+p.rest[:1], p.rest[1:]
		}
	}
	flush()
	return w, nil
}

// doubleQuoted reads up to the closing quote (XCU 2.2.3).
func (p *parser) doubleQuoted() (word, error) {
	w := word{{quoted: true}} // "" is a word
	literal := ""
	for p.rest != "" {
		c := p.rest[0]
		switch {
		case c == '"':
			p.rest = p.rest[1:]
			return append(w, part{text: literal, quoted: true}), nil
		case c == '`':
			return nil, errors.New("` is not supported: there is no command substitution")
		case c == '\\' && len(p.rest) > 1 && strings.IndexByte("$`\"\\\n", p.rest[1]) >= 0:
			if p.rest[1] != '\n' {
				literal += p.rest[1:2]
			}
			p.rest = p.rest[2:]
		case c == '$':
			v, ok, err := p.parameter(true)
			if err != nil {
				return nil, err
			}
			if !ok {
				literal += "$"
				continue
			}
			w, literal = append(w, part{text: literal, quoted: true}, v), ""
		default:
			literal, p.rest = literal+p.rest[:1], p.rest[1:]
		}
	}
	return nil, errIncomplete
}

// parameter reads $NAME, ${NAME} or $?; ok is false for a $ that stands for
// itself, which is consumed.
func (p *parser) parameter(quoted bool) (v part, ok bool, err error) {
	p.rest = p.rest[1:]
	v = part{quoted: quoted, param: true}
	switch {
	case strings.HasPrefix(p.rest, "("):
		return v, false, errors.New("$( is not supported: there is no substitution")
	case strings.HasPrefix(p.rest, "{"):
		name, rest, closed := strings.Cut(p.rest[1:], "}")
		if !closed {
			return v, false, errIncomplete
		}
		if !isName(name) && name != "?" {
			return v, false, fmt.Errorf("${%s} is not supported: only ${NAME}", name)
		}
		v.text, p.rest = name, rest
		return v, true, nil
	case strings.HasPrefix(p.rest, "?"):
		v.text, p.rest = "?", p.rest[1:]
		return v, true, nil
	}
	n := 0
	for n < len(p.rest) && isName(p.rest[:n+1]) {
		n++
	}
	if n == 0 {
		return v, false, nil
	}
	v.text, p.rest = p.rest[:n], p.rest[n:]
	return v, true, nil
}
