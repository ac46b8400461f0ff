package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// aptConf is the part of apt's configuration that this supplier uses: file
// locations, proxies, Check-Valid-Until, Check-Date. Names are
// case-insensitive, as in apt.
type aptConf struct {
	values map[string]string
	lists  map[string][]string
}

// readAptConf reads apt.conf.d and apt.conf below root, in apt's order.
func readAptConf(root string) (*aptConf, error) {
	c := &aptConf{values: map[string]string{}, lists: map[string][]string{}}
	dir := "/etc/apt/apt.conf.d"
	names, err := partNames(filepath.Join(root, dir), ".conf", "")
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "reading apt's configuration")
	}
	files := make([]string, 0, len(names)+1)
	for _, n := range names {
		files = append(files, dir+"/"+n)
	}
	files = append(files, "/etc/apt/apt.conf")
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(root, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, fs.ErrPermission):
			continue // apt as this user cannot read it either
		case err != nil:
			return nil, fault.Wrap(fault.Usage, err, "reading apt's configuration")
		}
		if err := c.parse(string(b), name); err != nil {
			return nil, fault.Wrap(fault.Usage, err, "reading apt's configuration", "check it with: apt-config dump")
		}
	}
	return c, nil
}

// get returns the value of an item such as "Acquire::http::Proxy".
func (c *aptConf) get(item string) string { return c.values[strings.ToLower(item)] }

// off reports whether an item has one of the values that mean no.
func (c *aptConf) off(item string) bool {
	v := ""
	return c.get(item) != "" && yesNo(&v, item, c.get(item)) == nil && v == "no"
}

// path returns the location of a file of apt's: Dir, Dir::Etc and the item
// itself are joined as apt does; an absolute part replaces those before it.
func (c *aptConf) path(item, fallback string) string {
	p := "/"
	for _, part := range []struct{ item, fallback string }{{"Dir", "/"}, {"Dir::Etc", "etc/apt"}, {item, fallback}} {
		v := c.get(part.item)
		if v == "" {
			v = part.fallback
		}
		if filepath.IsAbs(v) {
			p = v
		} else {
			p = filepath.Join(p, v)
		}
	}
	return filepath.Clean(p)
}

// parse reads apt.conf(5) syntax: "A::B value;", "A { B value; };", lists
// ("A { "x"; };", "A:: "x";"), #clear, and comments of three kinds.
func (c *aptConf) parse(src, file string) error {
	toks, err := aptTokens(src, file)
	if err != nil {
		return err
	}
	var scope []string
	var item []aptToken // tokens of the current statement
	assign := func() error {
		defer func() { item = item[:0] }()
		if len(item) == 0 {
			return nil
		}
		if !item[0].quoted && strings.EqualFold(item[0].text, "#clear") {
			for _, t := range item[1:] {
				c.clear(strings.Join(append(slices.Clone(scope), t.text), "::"))
			}
			return nil
		}
		if item[0].quoted && len(item) == 1 { // anonymous list element
			c.add(strings.Join(scope, "::"), item[0].text)
			return nil
		}
		if len(item) > 2 {
			return &SyntaxError{file, item[0].line, fmt.Sprintf("too many words after %q", item[0].text)}
		}
		value := ""
		if len(item) == 2 {
			value = item[1].text
		}
		name := strings.Join(append(slices.Clone(scope), item[0].text), "::")
		if list, ok := strings.CutSuffix(name, "::"); ok {
			c.add(list, value)
			return nil
		}
		c.values[strings.ToLower(name)] = value
		return nil
	}
	for _, t := range toks {
		switch {
		case t.quoted || t.text != "{" && t.text != "}" && t.text != ";":
			item = append(item, t)
		case t.text == ";":
			if err := assign(); err != nil {
				return err
			}
		case t.text == "{":
			if len(item) == 0 || len(item) > 2 {
				return &SyntaxError{file, t.line, "block without a name"}
			}
			if len(item) == 2 {
				c.values[strings.ToLower(strings.Join(append(slices.Clone(scope), item[0].text), "::"))] = item[1].text
			}
			scope = append(scope, item[0].text)
			item = item[:0]
		case t.text == "}":
			if err := assign(); err != nil {
				return err
			}
			if len(scope) == 0 {
				return &SyntaxError{file, t.line, "\"}\" without \"{\""}
			}
			scope = scope[:len(scope)-1]
		}
	}
	if len(scope) > 0 || len(item) > 0 {
		line := 1
		if len(toks) > 0 {
			line = toks[len(toks)-1].line
		}
		return &SyntaxError{file, line, "file ends inside a statement"}
	}
	return nil
}

func (c *aptConf) add(list, value string) {
	list = strings.ToLower(list)
	c.lists[list] = append(c.lists[list], value)
}

func (c *aptConf) clear(item string) {
	item = strings.ToLower(item)
	for k := range c.values {
		if k == item || strings.HasPrefix(k, item+"::") {
			delete(c.values, k)
		}
	}
	for k := range c.lists {
		if k == item || strings.HasPrefix(k, item+"::") {
			delete(c.lists, k)
		}
	}
}

type aptToken struct {
	text   string
	quoted bool
	line   int
}

func aptTokens(src, file string) ([]aptToken, error) {
	var toks []aptToken
	line := 1
	for i := 0; i < len(src); {
		c := src[i]
		rest := src[i:]
		switch {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case strings.HasPrefix(rest, "//"), c == '#' && !isDirective(rest):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			i += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest, "*/")
			if n < 0 {
				return nil, &SyntaxError{file, line, "comment is not closed"}
			}
			line += strings.Count(rest[:n], "\n")
			i += n + 2
		case c == '{' || c == '}' || c == ';':
			toks = append(toks, aptToken{text: rest[:1], line: line})
			i++
		case c == '"':
			n := strings.IndexByte(rest[1:], '"')
			if n < 0 {
				return nil, &SyntaxError{file, line, "string is not closed"}
			}
			toks = append(toks, aptToken{text: rest[1 : 1+n], quoted: true, line: line})
			line += strings.Count(rest[:n+2], "\n")
			i += n + 2
		default:
			n := strings.IndexAny(rest, " \t\r\n{};\"")
			if n < 0 {
				n = len(rest)
			}
			toks = append(toks, aptToken{text: rest[:n], line: line})
			i += n
		}
	}
	return toks, nil
}

// isDirective distinguishes "#clear" and "#include" from a comment.
func isDirective(s string) bool {
	for _, d := range []string{"#clear", "#include"} {
		if len(s) > len(d) && strings.EqualFold(s[:len(d)], d) && strings.IndexByte(" \t", s[len(d)]) >= 0 {
			return true
		}
	}
	return false
}
