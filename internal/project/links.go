package project

import (
	"path"
	"strings"
)

// Links resolves paths of the input tree through its symbolic links to
// directories, as the kernel does.
type Links map[string]string // path of a link to its text

// Links returns the symbolic links of the input tree.
func (p *Project) Links() Links {
	l := Links{}
	for _, f := range p.Files {
		if f.Target != "" {
			l[f.Path] = f.Target
		}
	}
	return l
}

// maxLinks bounds the links of one path, as the kernel does.
const maxLinks = 40

// Resolve returns the path, relative to the root, at which name is when every
// link in its directory is followed; name itself may be a link. A path that
// leaves the tree or runs in a circle is returned as it is.
func (l Links) Resolve(name string) string {
	if len(l) == 0 {
		return name
	}
	dir, ok := l.dir(path.Dir(path.Clean(name)), 0)
	if !ok {
		return name
	}
	return path.Join(dir, path.Base(name))
}

func (l Links) dir(dir string, depth int) (string, bool) {
	if depth > maxLinks || strings.HasPrefix(dir, "../") || dir == ".." {
		return "", false
	}
	if dir == "." || dir == "/" {
		return ".", true
	}
	parent, ok := l.dir(path.Dir(dir), depth)
	if !ok {
		return "", false
	}
	at := path.Join(parent, path.Base(dir))
	if to, link := l[at]; link {
		return l.dir(path.Join(parent, to), depth+1)
	}
	return at, true
}
