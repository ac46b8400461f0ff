package export

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Containerfile is a recipe for podman or docker, for a directory in which
// "sh build.sh unpack root" has made the root directory: the image of the build is
// that directory and nothing else. Its last stage has the ELF only.
func Containerfile(r Recipe) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Builds %[1]s in a container that has the locked files only:\n#\n"+
		"#   sh build.sh unpack root\n"+
		"#   podman build --network none --output type=local,dest=elf .      (docker build has the same options)\n"+
		"#       where a container cannot have control groups: --isolation chroot --network host\n"+
		"#   sh build.sh image elf/%[2]s\n#\n"+
		"FROM scratch AS build\nCOPY root/ /\nENV", r.Name, r.Out[strings.LastIndexByte(r.Out, '/')+1:])
	for _, e := range r.environment() {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, " \\\n    %s=%s", name, containerValue(value))
	}
	argv, err := json.Marshal(r.Argv)
	if err != nil {
		panic(err) // strings
	}
	fmt.Fprintf(&b, "\nWORKDIR %s\nRUN %s\n\nFROM scratch\nCOPY --from=build %s /\n", r.Dir, argv, r.Out)
	return b.String()
}

// containerValue is a value of ENV: in quotes, without the substitution of $.
func containerValue(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
}

// Nix is a derivation that runs the script in Nix's build environment. The tools
// are those of a nixpkgs, or of a set with the same function and names; the compiler
// and the crates are those of the archive.
func Nix(r Recipe) string {
	return fmt.Sprintf(`# Builds %[1]s from %[2]s: nix-build, and the files are in ./result.
# Nix has to allow user namespaces inside of a build, as it does unless the kernel or
# a setting forbids them.
{ pkgs ? import <nixpkgs> { } }:

pkgs.runCommand %[3]s
  {
    nativeBuildInputs = [ pkgs.gnutar pkgs.gzip pkgs.xz pkgs.zstd pkgs.util-linux ];
    archive = ./. + %[4]s;
    script = ./build.sh;
  }
  ''
    mkdir -p recipe
    cp "$script" recipe/build.sh
    ln -s "$archive" recipe/%[2]s
    sh recipe/build.sh "$out"
  ''
`, r.Name, r.Archive, nixString(r.Name), nixString("/"+r.Archive))
}

// nixString is a string of the Nix language.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `${`, `\${`).Replace(s) + `"`
}
