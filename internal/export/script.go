package export

import (
	"fmt"
	"path"
	"strings"
)

// head is the part of a script that is the same for every recipe. A Debian package
// is an ar file (deb(5)): a header of 60 bytes for each member, with its name in the
// first 16 and its size in 10 from byte 48, and a padding to an even length. The
// usr-merge links are made after unpacking, because a tar program may replace a link
// by a directory.
const head = `set -eu
umask 022
export LC_ALL=C

die() { echo "$0: $*" >&2; exit 1; }

unpack_archive() { # DIR: the files of the archive, each compared with its name
	[ -f "$here/$archive" ] || die "$archive is not beside this script"
	mkdir -p "$1"
	tar -xf "$here/$archive" -C "$1"
	(cd "$1/blobs/sha256" && for f in *; do echo "$f  $f"; done | sha256sum -c --quiet) || die "$archive is damaged"
	for f in $hashes; do [ -f "$1/blobs/sha256/$f" ] || die "$archive is another archive: it has no $f"; done
	blobs=$1/blobs/sha256
}

deb() { # HASH: the files of a Debian package into the root directory
	at=8
	size=$(wc -c < "$blobs/$1")
	while [ "$at" -lt "$size" ]; do
		header=$(dd if="$blobs/$1" bs=1 skip="$at" count=60 2> /dev/null)
		member=$(echo "$header" | cut -c1-16 | tr -d ' /')
		length=$(echo "$header" | cut -c49-58 | tr -d ' ')
		case $member in
		data.tar.xz) cat=xz ;;
		data.tar.zst) cat=zstd ;;
		data.tar.gz) cat=gzip ;;
		data.tar) cat=cat ;;
		*) cat= ;;
		esac
		case $cat in
		'') ;;
		cat) part "$blobs/$1" $((at + 60)) "$length" | tar -xof - -C "$root" ;;
		*) part "$blobs/$1" $((at + 60)) "$length" | "$cat" -dc | tar -xof - -C "$root" ;;
		esac
		at=$((at + 60 + length + length % 2))
	done
}

merge() { # the directories that are links into usr
	for d in bin sbin lib lib32 lib64 libx32 libo32; do
		if [ -d "$root/$d" ] && [ ! -h "$root/$d" ]; then
			mkdir -p "$root/usr/$d"
			cp -RPp "$root/$d/." "$root/usr/$d/"
			rm -rf "${root:?}/$d"
		fi
	done
}

link() { # NAME TARGET
	if [ ! -e "$root/$1" ] && [ ! -h "$root/$1" ]; then mkdir -p "$(dirname "$root/$1")" && ln -s "$2" "$root/$1"; fi
}

crate() { # HASH DIRECTORY: a crate into cargo's directory source
	rm -rf "$root/tmp/crate"
	mkdir -p "$root/tmp/crate" "$root/cargo/registry/src/v"
	gzip -dc < "$blobs/$1" | tar -xof - -C "$root/tmp/crate"
	mv "$root/tmp/crate"/* "$root/cargo/registry/src/v/$2"
	printf '{"files":{},"package":"%s"}' "$1" > "$root/cargo/registry/src/v/$2/.cargo-checksum.json"
}

tree() { # HASH DIR
	mkdir -p "$root$2"
	tar -xof "$blobs/$1" -C "$root$2"
}

part() { tail -c +$(($2 + 1)) "$1" | head -c "$3"; } # FILE OFFSET SIZE
fill() { head -c "$2" /dev/zero | tr '\000' "$1"; } # BYTE SIZE

is() { # FILE HASH
	[ "$(sha256sum < "$1" | cut -c1-64)" = "$2" ] || die "$1 is not what the archive was made of: sha256 $(sha256sum < "$1" | cut -c1-64), not $2"
}
`

// Script is a shell script: "build.sh [DIR]" makes the ELF and the flash image in
// DIR. It needs the archive beside it, and tar, gzip, xz, sha256sum and util-linux.
func Script(r Recipe) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\n"+
		"# Makes %s.elf and %s.bin from %s, with the compiler and the crates in it,\n"+
		"# and compares them with what espalier has made of the same files.\n#\n"+
		"#   sh build.sh [DIR]               both files in DIR (default: out)\n"+
		"#   sh build.sh unpack ROOT         only the root directory of the build\n"+
		"#   sh build.sh image ELF [DIR]     only the image, from an ELF that was built elsewhere\n#\n"+
		"# It needs a Linux for x86-64 with tar, gzip, xz and zstd (as the packages use them), sha256sum,\n"+
		"# and unshare of util-linux 2.36. It uses no network.\n", r.Name, r.Name, r.Archive)
	b.WriteString(head)
	fmt.Fprintf(&b, "\nhere=$(cd \"$(dirname \"$0\")\" && pwd)\narchive=%s\nhashes='\n%s'\n\n", quote(r.Archive), strings.Join(r.hashes(), "\n"))
	r.contents(&b)
	r.build(&b)
	r.image(&b)
	b.WriteString(`case ${1-} in
unpack)
	[ $# -eq 2 ] || die "usage: unpack ROOT"
	[ ! -e "$2" ] || die "$2 exists"
	unpack "$2"
	;;
inside)
	inside "$2"
	;;
image)
	[ $# -ge 2 ] || die "usage: image ELF [DIR]"
	image "$2" "${3:-out}"
	;;
*)
	work=$(mktemp -d "${TMPDIR:-/tmp}/build.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	unpack "$work/root"
	build
	image "$root$elf" "${1:-out}"
	;;
esac
`)
	return b.String()
}

// contents is the function that fills the root directory.
func (r Recipe) contents(b *strings.Builder) {
	b.WriteString("unpack() { # ROOT\n\tmkdir -p \"$1\"\n\troot=$(cd \"$1\" && pwd)\n\tunpack_archive \"$root.archive\"\n")
	for _, p := range r.Packages {
		fmt.Fprintf(b, "\tdeb %s\n", p)
	}
	b.WriteString("\tmerge\n")
	for _, d := range r.Dirs {
		fmt.Fprintf(b, "\tmkdir -p \"$root\"%s\n", quote("/"+d))
	}
	for _, l := range r.Links {
		fmt.Fprintf(b, "\tlink %s %s\n", quote(l.Name), quote(l.Target))
	}
	for _, c := range r.Crates {
		fmt.Fprintf(b, "\tcrate %s %s\n", c.Hash, quote(c.Folder))
	}
	for _, t := range r.Trees {
		fmt.Fprintf(b, "\ttree %s %s\n", t.Hash, quote(t.Dir))
	}
	for _, f := range r.Files {
		fmt.Fprintf(b, "\tmkdir -p \"$root\"%s\n\tcat > \"$root\"%s << 'END OF FILE'\n%s\nEND OF FILE\n", quote("/"+path.Dir(f.Name)), quote("/"+f.Name), strings.TrimSuffix(f.Text, "\n"))
	}
	for _, p := range r.Parts {
		fmt.Fprintf(b, "\tmkdir -p \"$root\"/parts && cp \"$blobs\"/%s \"$root\"/parts/%s\n", p, p)
	}
	b.WriteString("\trm -rf \"$root.archive\"\n}\n\n")
}

// build is the function that compiles: the script runs itself in a user namespace
// with the caller as root, which may mount /dev and /proc and change the root
// directory, and in a network namespace without a network (unshare(1)).
func (r Recipe) build(b *strings.Builder) {
	fmt.Fprintf(b, "elf=%s\n\nbuild() {\n\tunshare --user --map-root-user --mount --net sh \"$here/$(basename \"$0\")\" inside \"$root\"\n}\n\n"+
		"inside() { # ROOT\n\tmount --rbind /dev \"$1/dev\"\n\tmount --rbind /proc \"$1/proc\"\n\tenter=$(command -v unshare)\n\texec env -i \\\n", quote(r.Out))
	for _, e := range r.environment() {
		fmt.Fprintf(b, "\t\t%s \\\n", quote(e))
	}
	fmt.Fprintf(b, "\t\t\"$enter\" --root=\"$1\" --wd=%s %s\n}\n\n", quote(r.Dir), words(r.Argv))
}

func words(argv []string) string {
	var out []string
	for _, a := range argv {
		out = append(out, quote(a))
	}
	return strings.Join(out, " ")
}

// image is the function that makes the flash image of the ELF: pieces of it and of
// the chip's files, with headers between them.
func (r Recipe) image(b *strings.Builder) {
	fmt.Fprintf(b, "image() { # ELF DIR\n\tis \"$1\" %s\n", r.ELF)
	if len(r.Parts) > 0 {
		b.WriteString("\tif [ -z \"${root-}\" ]; then\n\t\twork=$(mktemp -d \"${TMPDIR:-/tmp}/build.XXXXXX\")\n\t\ttrap 'rm -rf \"$work\"' EXIT\n\t\tunpack_archive \"$work\"\n")
		for i, p := range r.Parts {
			fmt.Fprintf(b, "\t\tpart%d=$blobs/%s\n", i+2, p)
		}
		b.WriteString("\telse\n")
		for i, p := range r.Parts {
			fmt.Fprintf(b, "\t\tpart%d=$root/parts/%s\n", i+2, p)
		}
		b.WriteString("\tfi\n")
	}
	b.WriteString("\tmkdir -p \"$2\"\n\t{\n")
	for _, p := range r.Pieces {
		switch {
		case p.Source == 1:
			fmt.Fprintf(b, "\t\tpart \"$1\" %d %d\n", p.Offset, p.Size)
		case p.Source > 1:
			fmt.Fprintf(b, "\t\tpart \"$part%d\" %d %d\n", p.Source, p.Offset, p.Size)
		case p.Literal != nil:
			fmt.Fprintf(b, "\t\tprintf '%s'\n", octal(p.Literal))
		default:
			fmt.Fprintf(b, "\t\tfill '\\%03o' %d\n", p.Fill, p.Size)
		}
	}
	elf, bin := quote(r.Name+".elf"), quote(r.Name+".bin")
	fmt.Fprintf(b, "\t} > \"$2\"/part\n\tis \"$2\"/part %[3]s\n\tcp \"$1\" \"$2\"/%[1]s\n\tmv \"$2\"/part \"$2\"/%[2]s\n\techo \"$2\"/%[1]s \"$2\"/%[2]s\n}\n\n", elf, bin, r.Image)
}

// octal is bytes as the escapes of printf(1).
func octal(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return b.String()
}
