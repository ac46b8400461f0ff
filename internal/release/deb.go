package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// debVersion returns a version in the form of deb-version(7): a pre-release
// sorts before its release by "~", and "-" would begin a Debian revision.
func debVersion(v string) string {
	main, pre, found := strings.Cut(v, "-")
	if !found {
		return main
	}
	return main + "~" + strings.ReplaceAll(pre, "-", ".")
}

// debPackage returns a Debian package (deb(5)) of the files of an archive.
func debPackage(arch string, files []file, r release) ([]byte, error) {
	var data []file
	var installed int
	for _, f := range files {
		name, b := installedName(f.name), f.data
		if name == "" {
			continue
		}
		if strings.HasPrefix(name, "usr/share/man/") {
			z, err := gzipped(b)
			if err != nil {
				return nil, err
			}
			name, b = name+".gz", z
		}
		data = append(data, file{name, f.mode, b})
		installed += len(b)
	}
	slices.SortFunc(data, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var md5sums bytes.Buffer
	for _, f := range data {
		fmt.Fprintf(&md5sums, "%x  %s\n", md5.Sum(f.data), f.name)
	}
	control := fmt.Sprintf(`Package: espalier
Version: %s
Architecture: %s
Maintainer: the espalier authors <espalier@espalier.dev>
Installed-Size: %d
Section: devel
Priority: optional
Homepage: https://espalier.dev
Description: embedded Rust for the ESP32-C3, from source to a running board
 espalier pins, fetches, builds, boots and flashes embedded Rust projects for
 the ESP32-C3, reproducibly and offline, with an emulated chip.
`, debVersion(r.version), arch, (installed+1023)/1024)
	controlTar, err := tarArchive(".", []file{{"control", 0o644, []byte(control)}, {"md5sums", 0o644, md5sums.Bytes()}}, r.date)
	if err != nil {
		return nil, err
	}
	dataTar, err := tarArchive(".", data, r.date)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	arMember(&out, "debian-binary", []byte("2.0\n"), r.date)
	arMember(&out, "control.tar.gz", controlTar, r.date)
	arMember(&out, "data.tar.gz", dataTar, r.date)
	return out.Bytes(), nil
}

// installedName is where a file of an archive goes on a Debian system, "" for
// nowhere.
func installedName(name string) string {
	switch dir, base := path.Split(name); {
	case name == "espalier":
		return "usr/bin/espalier"
	case dir == "man/":
		return "usr/share/man/man1/" + base
	case base == "espalier.bash":
		return "usr/share/bash-completion/completions/espalier"
	case base == "_espalier":
		return "usr/share/zsh/vendor-completions/_espalier"
	case base == "espalier.fish":
		return "usr/share/fish/vendor_completions.d/espalier.fish"
	case dir == "":
		return "usr/share/doc/espalier/" + base
	}
	return ""
}

// arMember appends a file to an ar(5) archive.
func arMember(out *bytes.Buffer, name string, b []byte, date time.Time) {
	fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, date.Unix(), 0, 0, "100644", len(b))
	out.Write(b)
	if len(b)%2 == 1 {
		out.WriteByte('\n')
	}
}

func gzipped(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
