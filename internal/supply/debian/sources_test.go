package debian

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func show(list []Source) string {
	var out []string
	for _, s := range list {
		t := fmt.Sprintf("%d:%s %s %s", s.Line, s.URI, s.Suite, strings.Join(s.Components, "+"))
		for _, o := range []struct{ name, v string }{
			{"arch", strings.Join(s.Arch, ",")}, {"arch+", strings.Join(s.ArchAdd, ",")}, {"arch-", strings.Join(s.ArchRemove, ",")},
			{"by", strings.Join(s.SignedBy, ",")}, {"hash", s.ByHash}, {"trusted", s.Trusted}, {"until", s.CheckUntil}, {"max", s.MaxAge},
		} {
			if o.v != "" {
				t += " " + o.name + "=" + o.v
			}
		}
		if s.InlineKey != "" {
			t += fmt.Sprintf(" key=%d", strings.Count(s.InlineKey, "\n"))
		}
		out = append(out, t)
	}
	return strings.Join(out, "\n")
}

func TestOneLineSources(t *testing.T) {
	for _, test := range []struct{ name, in, want, err string }{
		{name: "plain", in: "deb http://h/debian bookworm main contrib", want: "1:http://h/debian/ bookworm main+contrib"},
		{name: "comments and deb-src", in: "# c\n\ndeb-src http://h/ b main\n  deb http://h// b main # x\r\n", want: "4:http://h/ b main"},
		{name: "options", in: "deb [ arch=amd64,arm64 signed-by=/k.gpg,/l.gpg trusted=no by-hash=force check-valid-until=no valid-until-max=60 lang=none ] http://h b main",
			want: "1:http://h/ b main arch=amd64,arm64 by=/k.gpg,/l.gpg hash=force trusted=no until=no max=60"},
		{name: "adding and removing", in: "deb [arch+=arm64 arch-=i386] http://h b main", want: "1:http://h/ b main arch+=arm64 arch-=i386"},
		{name: "flat", in: "deb file:/srv/repo ./", want: "1:file:/srv/repo/ ./ "},
		{name: "fingerprint", in: "deb [signed-by=0123456789abcdef0123456789abcdef01234567!] http://h b main", want: "1:http://h/ b main by=0123456789abcdef0123456789abcdef01234567!"},
		{name: "tabs", in: "deb\t[arch=amd64]\thttp://h\tb\tmain", want: "1:http://h/ b main arch=amd64"},
		{name: "type", in: "\nrpm http://h b main", err: `f:2: unknown type "rpm"`},
		{name: "options open", in: "deb [arch=amd64 http://h b main", err: "f:1: options are not closed"},
		{name: "option without value", in: "deb [arch] http://h b main", err: `option "arch"`},
		{name: "no uri", in: "deb", err: "no URI"}, {name: "no suite", in: "deb http://h", err: "no suite"},
		{name: "no components", in: "deb http://h b", err: "without components"},
		{name: "flat with components", in: "deb http://h b/ main", err: "allows no components"},
		{name: "no scheme", in: "deb /srv/repo b main", err: "no scheme"},
		{name: "not a boolean", in: "deb [trusted=maybe] http://h b main", err: "neither yes nor no"},
		{name: "relative key", in: "deb [signed-by=k.gpg] http://h b main", err: "absolute path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseSourcesList(strings.NewReader(test.in), "f")
			check(t, show(got), test.want, err, test.err)
		})
	}
}

func check(t *testing.T, got, want string, err error, wantErr string) {
	t.Helper()
	switch {
	case wantErr != "":
		if err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("error %v, want %q", err, wantErr)
		}
	case err != nil || got != want:
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func TestStanzaSources(t *testing.T) {
	for _, test := range []struct{ name, in, want, err string }{
		{name: "as Debian ships it", in: "Types: deb\n# snapshot\nURIs: http://h/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/k.gpg\n",
			want: "1:http://h/debian/ bookworm main by=/usr/share/keyrings/k.gpg\n1:http://h/debian/ bookworm-updates main by=/usr/share/keyrings/k.gpg"},
		{name: "several of all", in: "Types: deb deb-src\nURIs: http://a\n http://b\nSuites: s t\nComponents: main non-free\nArchitectures: amd64 arm64\nArchitectures-Remove: i386\nBy-Hash: no\n",
			want: "1:http://a/ s main+non-free arch=amd64,arm64 arch-=i386 hash=no\n1:http://a/ t main+non-free arch=amd64,arm64 arch-=i386 hash=no\n1:http://b/ s main+non-free arch=amd64,arm64 arch-=i386 hash=no\n1:http://b/ t main+non-free arch=amd64,arm64 arch-=i386 hash=no"},
		{name: "disabled", in: "Enabled: no\nTypes: deb\nURIs: http://a\nSuites: s\nComponents: main\n"},
		{name: "sources only", in: "Types: deb-src\nURIs: http://a\nSuites: s\nComponents: main\n"},
		{name: "inline key", in: "Types: deb\nURIs: http://a\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n\nTypes: deb\nURIs: http://b\nSuites: ./\n",
			want: "1:http://a/ s main key=4\n11:http://b/ ./ "},
		{name: "no types", in: "URIs: http://a\nSuites: s\nComponents: main\n", err: "f:1: stanza without Types"},
		{name: "bad type", in: "URIs: http://a\nTypes: rpm\n", err: `f:2: unknown type "rpm"`},
		{name: "no uris", in: "Types: deb\nSuites: s\nComponents: main\n", err: "f:1: stanza without URIs"},
		{name: "no components", in: "Types: deb\nURIs: http://a\nSuites: s\n", err: "f:3: suite \"s\" without components"},
		{name: "bad boolean", in: "Types: deb\nURIs: http://a\nSuites: s\nComponents: main\nTrusted: perhaps\n", err: "f:5: trusted"},
		{name: "bad enabled", in: "Types: deb\nEnabled: perhaps\n", err: "f:2: enabled"},
		{name: "no field", in: "Types: deb\nnonsense\n", err: "f:2: want"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseDeb822Sources(strings.NewReader(test.in), "f")
			check(t, show(got), test.want, err, test.err)
		})
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [arch=amd64 signed-by=/k] http://h b main # c\ndeb-src x y z")
	f.Add("Types: deb\nURIs: http://a\nSuites: s ./\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func() ([]Source, error){
			func() ([]Source, error) { return ParseSourcesList(strings.NewReader(text), "f") },
			func() ([]Source, error) { return ParseDeb822Sources(strings.NewReader(text), "f") },
		} {
			list, err := parse()
			if err != nil {
				continue
			}
			for _, s := range list {
				if s.URI == "" || s.Suite == "" || s.Line == 0 || s.flat() != (len(s.Components) == 0) {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// The order of files is apt's, and files that apt does not read are not read.
func TestReadSources(t *testing.T) {
	root := writeTree(t, map[string]string{
		"etc/apt/sources.list":                         "deb http://first s main\n",
		"etc/apt/sources.list.d/b.list":                "deb http://third s main\n",
		"etc/apt/sources.list.d/a.sources":             "Types: deb\nURIs: http://second\nSuites: s\nComponents: main\n",
		"etc/apt/sources.list.d/c.list.disabled":       "not apt's business",
		"etc/apt/sources.list.d/odd name.list":         "not apt's business",
		"etc/apt/sources.list.d/d.sources.dpkg-backup": "not apt's business",
	})
	list, err := readSources(root, &aptConf{})
	check(t, show(list), "1:http://first/ s main\n1:http://second/ s main\n1:http://third/ s main", err, "")
	if list[1].where() != "/etc/apt/sources.list.d/a.sources:1" {
		t.Error(list[1].where())
	}
}

func TestAptConf(t *testing.T) {
	root := writeTree(t, map[string]string{
		"etc/apt/apt.conf.d/10a": `Acquire::http::Proxy "http://old:1"; // c
APT { Get { Assume-Yes "true"; }; NeverAutoRemove { "^a$"; "^b$"; }; };
/* a
 comment */ Acquire { http { Proxy::direct.host "DIRECT"; }; };
# another
Dir::Etc::sourceparts "/elsewhere";
APT::Keep "1"; #clear APT::Keep;
Acquire::Languages:: "none";
`,
		"etc/apt/apt.conf.d/20b.conf":     `acquire::HTTP::proxy "http://new:2"; Acquire::Check-Valid-Until "false";`,
		"etc/apt/apt.conf.d/30c.disabled": `{{{`,
		"etc/apt/apt.conf":                `Acquire::https::Proxy "DIRECT";`,
	})
	c, err := readAptConf(root)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.path("Dir::Etc::sourceparts", "x"); got != "/elsewhere" {
		t.Errorf("sourceparts %q", got)
	}
	if got := c.path("Dir::Etc::sourcelist", "sources.list"); got != "/etc/apt/sources.list" {
		t.Errorf("sourcelist %q", got)
	}
	if !c.off("Acquire::Check-Valid-Until") || c.off("Acquire::Check-Date") || c.get("APT::Keep") != "" || len(c.lists["apt::neverautoremove"]) != 2 {
		t.Errorf("values %v %v", c.values, c.lists)
	}
	env := func(u *url.URL) (*url.URL, error) { return url.Parse("http://env:3") }
	for address, want := range map[string]string{"http://h/x": "http://new:2", "http://direct.host/": "", "https://h/": ""} {
		u, _ := url.Parse(address)
		p, err := c.proxy(env)(u)
		if err != nil || (p == nil) != (want == "") || p != nil && p.String() != want {
			t.Errorf("proxy for %s is %v, %v", address, p, err)
		}
	}
	if p, err := (&aptConf{}).proxy(env)(&url.URL{Scheme: "http", Host: "h"}); err != nil || p.Host != "env:3" {
		t.Errorf("%v %v", p, err)
	}
	for _, bad := range []string{`A { B "c";`, `A "b`, `};`, `/* x`, `A b c d;`, `{ };`, `A "b"`} {
		if err := (&aptConf{values: map[string]string{}, lists: map[string][]string{}}).parse(bad, "f"); err == nil || !strings.HasPrefix(err.Error(), "f:1:") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func FuzzAptConf(f *testing.F) {
	f.Add(`A { B "c"; "d"; }; A::B:: "e"; #clear A; // x`)
	f.Fuzz(func(t *testing.T, text string) {
		c := &aptConf{values: map[string]string{}, lists: map[string][]string{}}
		_ = c.parse(text, "f")
	})
}

func TestAuth(t *testing.T) {
	root := writeTree(t, map[string]string{
		"etc/apt/auth.conf":               "machine http://plain.host login a password b\n# machine x login y password z\nmachine secure.host/sub\n login c\n password d\n",
		"etc/apt/auth.conf.d/10.conf":     "machine port.host:8080 login e password f machine https://both.host login g password h",
		"etc/apt/auth.conf.d/20.disabled": "machine other.host login i password j",
	})
	all := readAuth(root, &aptConf{})
	for address, want := range map[string]string{
		"http://plain.host/x": "a:b", "https://plain.host/x": "", "https://secure.host/sub/x": "c:d", "https://secure.host/x": "", "http://secure.host/sub/x": "",
		"https://port.host:8080/": "e:f", "https://port.host/": "", "https://both.host/": "g:h", "https://other.host/": "",
	} {
		u, _ := url.Parse(address)
		user, pass, ok := all.lookup(u)
		if got := user + ":" + pass; ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
	if s := fmt.Sprint(all); s != "credentials" {
		t.Errorf("credentials print as %q", s)
	}
}
