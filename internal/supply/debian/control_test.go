package debian

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func stanzas(text string) (string, error) {
	in := NewStanzaReader(strings.NewReader(text), "f", nil)
	var b strings.Builder
	for {
		st, err := in.Next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		for _, f := range st.fields {
			b.WriteString(f.name + "=" + strings.ReplaceAll(f.value, "\n", "/") + ";")
		}
		b.WriteByte('|')
	}
}

func TestStanzas(t *testing.T) {
	for _, test := range []struct{ name, in, want, err string }{
		{name: "empty"},
		{name: "blank lines and comments", in: "\n# c\n \n", want: ""},
		{name: "two", in: "A: 1\nB:2\n\nA:  3 \n", want: "a=1;b=2;|a=3;|"},
		{name: "no newline at the end", in: "A: 1", want: "a=1;|"},
		{name: "carriage returns", in: "A: 1\r\nB: 2\r\n\r\nA: 3\r\n", want: "a=1;b=2;|a=3;|"},
		{name: "folded", in: "A: 1\n two\n .\n\tthree \nB:\n x\n", want: "a=1/two/./three;b=/x;|"},
		{name: "comment inside", in: "A: 1\n# no\n 2\nB: 3\n", want: "a=1/2;b=3;|"},
		{name: "empty value", in: "A:\n", want: "a=;|"},
		{name: "colon in the value", in: "A: b: c\n", want: "a=b: c;|"},
		{name: "continuation first", in: "A: 1\n\n x\n", err: "f:3: continuation line"},
		{name: "no colon", in: "A: 1\nB\n", err: `f:2: want "Field: value", got "B"`},
		{name: "blank in the name", in: "A b: 1\n", err: "f:1:"},
		{name: "twice", in: "A: 1\na: 2\n", err: "f:2: field a appears twice"},
		{name: "empty name", in: ": 1\n", err: "f:1:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := stanzas(test.in)
			if test.err != "" {
				var s *SyntaxError
				if !errors.As(err, &s) || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestStanzaLineTooLong(t *testing.T) {
	if _, err := stanzas("A: " + strings.Repeat("x", maxLine+10)); err == nil || !strings.Contains(err.Error(), "line too long") {
		t.Errorf("error %v", err)
	}
}

func FuzzStanzas(f *testing.F) {
	f.Add("A: 1\n two\n .\n\nB: 2\n")
	f.Add("Package: rustc-web\nVersion: 1.96.0+dfsg1-1~deb12u2\nArchitecture: amd64\nDepends: libc6 (>= 2.34), gcc | clang\nProvides: rustc (= 1)\nFilename: pool/r.deb\nSize: 5\nSHA256: " + strings.Repeat("0", 64) + "\n")
	f.Add("# c\n\r\n A:\n:")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := stanzas(text)
		if again, err2 := stanzas(text); got != again || (err == nil) != (err2 == nil) {
			t.Error("not deterministic")
		}
		u := newUniverse("amd64")
		su := &suite{src: &Source{Suite: "s"}, rel: &release{}}
		if u.add(strings.NewReader(text), "f", su) == nil {
			u.seal()
			for name := range u.byName {
				_, _ = u.resolve([]want{{Name: name}})
			}
			u.offers()
		}
	})
}

func FuzzRelations(f *testing.F) {
	f.Add("libc6 (>= 2.34), gcc | clang:any (<< 1:2)")
	f.Fuzz(func(t *testing.T, v string) {
		groups, err := ParseRelations(v)
		if err != nil {
			return
		}
		for _, g := range groups {
			for _, r := range g {
				back, err := ParseRelations(r.String())
				if err != nil || len(back) != 1 || back[0][0] != r {
					t.Errorf("%q -> %+v -> %+v, %v", v, r, back, err)
				}
			}
		}
	})
}
