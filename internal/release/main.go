// Command release builds the files of a release from a clean checkout: for each
// platform an archive with the program, licences, completions and manual pages,
// Debian packages and a container image for Linux, and SHA256SUMS. The same commit gives the same
// bytes, wherever the checkout is.
//
//	go run ./internal/release -out DIR
//
// scripts/release calls it. It starts go and git; it is not part of espalier.
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/cli"
)

// platform is a value of GOOS and GOARCH.
type platform struct{ os, arch string }

// platforms are those that have archives.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}, {"darwin", "amd64"}, {"windows", "amd64"},
}

func main() {
	out := flag.String("out", "dist", "directory for the files")
	modified := flag.Bool("allow-modified", false, "also with changes that are not committed, for trying")
	flag.Parse()
	if err := run(*out, *modified, platforms, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run makes the files of a release of the checkout in the current directory.
func run(out string, allowModified bool, platforms []platform, log io.Writer) error {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "espalier-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var made []string
	var commit string                // of the first program
	container := map[string][]byte{} // programs for Linux, by architecture
	var latest release
	var licences []file
	write := func(name string, b []byte) error {
		made = append(made, name)
		fmt.Fprintf(log, "%s  %d bytes\n", name, len(b))
		return atomicfile.Write(filepath.Join(out, name), b, 0o644)
	}
	for _, p := range platforms {
		program := filepath.Join(work, p.os+"-"+p.arch)
		if err := build(".", program, p); err != nil {
			return err
		}
		r, err := describe(program)
		if err != nil {
			return err
		}
		if r.modified && !allowModified {
			return fmt.Errorf("the checkout has changes that are not committed: a release is made of a commit")
		}
		if commit == "" {
			commit = r.commit
		}
		if r.commit != commit {
			return fmt.Errorf("the checkout moved from commit %s to %s while its programs were built", commit, r.commit)
		}
		files, err := contents(program, p, r)
		if err != nil {
			return err
		}
		if p.os == "linux" {
			licences = nil
			for _, f := range files {
				switch f.name {
				case "espalier":
					container[p.arch] = f.data
				case "LICENSE-MIT", "LICENSE-APACHE", "NOTICE":
					licences = append(licences, f)
				}
			}
			latest = r
		}
		name := fmt.Sprintf("espalier-%s-%s-%s", r.version, p.os, p.arch)
		if p.os == "windows" {
			b, err := zipArchive(name, files, r.date)
			if err == nil {
				err = write(name+".zip", b)
			}
			if err != nil {
				return err
			}
			continue
		}
		b, err := tarArchive(name, files, r.date)
		if err == nil {
			err = write(name+".tar.gz", b)
		}
		if err == nil && p.os == "linux" {
			if b, err = debPackage(p.arch, files, r); err == nil {
				err = write(fmt.Sprintf("espalier_%s_%s.deb", debVersion(r.version), p.arch), b)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(container) > 0 {
		b, err := containerImage(container, licences, latest)
		if err == nil {
			err = write(fmt.Sprintf("espalier-%s-container.oci.tar", latest.version), b)
		}
		if err != nil {
			return err
		}
	}
	return sums(out, made)
}

// build compiles espalier from the checkout at dir. Nothing of the machine is
// in the result: no path (-trimpath), no C library, no settings of the user.
func build(dir, to string, p platform) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", to, "./cmd/espalier")
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GOFLAGS", "GOEXPERIMENT", "GODEBUG", "GOAMD64", "GOARM64"}, name)
	}), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building for %s/%s: %w\n%s", p.os, p.arch, err, out)
	}
	return nil
}

// release is what a program's build information says about its commit.
type release struct {
	version  string // of the tag, or a pseudo-version, without the "v"
	commit   string
	date     time.Time // of the commit
	modified bool
}

// describe reads the build information of a program.
func describe(program string) (release, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return release{}, err
	}
	r := release{version: strings.TrimPrefix(info.Main.Version, "v")}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			r.commit = s.Value
		case "vcs.modified":
			r.modified = s.Value == "true"
		case "vcs.time":
			if r.date, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return r, err
			}
		}
	}
	if r.commit == "" || r.version == "" || r.version == "(devel)" {
		return r, fmt.Errorf("%s names no commit: is this a git checkout, and git installed?", program)
	}
	return r, nil
}

// sums writes SHA256SUMS in the form of sha256sum(1).
func sums(dir string, names []string) error {
	slices.Sort(names)
	var text bytes.Buffer
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), name)
	}
	return atomicfile.Write(filepath.Join(dir, "SHA256SUMS"), text.Bytes(), 0o644)
}

// contents are the files of one archive, sorted by name.
func contents(program string, p platform, r release) ([]file, error) {
	name := "espalier"
	if p.os == "windows" {
		name += ".exe"
	}
	b, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	files := []file{{name: name, mode: 0o755, data: b}}
	for _, doc := range []string{"LICENSE-APACHE", "LICENSE-MIT", "NOTICE", "README.md", "CHANGELOG.md"} {
		b, err := os.ReadFile(doc)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: doc, mode: 0o644, data: b})
	}
	pages, err := documents(cli.Command(), r)
	if err != nil {
		return nil, err
	}
	files = append(files, pages...)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}
