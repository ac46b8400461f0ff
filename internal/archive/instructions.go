package archive

// instructions is README.md in the file, and a blob of it too, because copies in
// a registry have blobs only. It must be enough in ten years, without espalier.
const instructions = `# An espalier archive

This file has everything that is needed to build one firmware again, bit for bit:
the project's files, the compiler, the crates, the chip's files, the program
espalier, and the firmware itself. It is an OCI image layout in a tar file.

## With espalier

    espalier restore FILE DIR        the project into DIR, the rest into the store
    cd DIR
    espalier build --offline         the same bytes as firmware/ below
    espalier restore --check FILE    hash everything, write nothing

The program is in the archive, under the title program/<system>-<processor>/espalier.

## With sh, tar and sha256sum only

Unpack, and check that every file has the SHA-256 that is its name:

    mkdir archive && tar -xf FILE -C archive && cd archive/blobs/sha256
    for f in *; do echo "$f  $f"; done | sha256sum -c --quiet && echo complete

index.json names the manifest, and the manifest all others with a title. Give the
files their titles:

    m=$(sed 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/' ../../index.json)
    sed 's/},{/},\n{/g' $m | sed -n 's/.*"digest":"sha256:\([0-9a-f]*\)".*image.title":"\([^"]*\)".*/\1 \2/p' |
    while read -r f title; do mkdir -p "../../files/$(dirname "$title")" && ln "$f" "../../files/$title"; done

| title | content |
|---|---|
| source.tar | the project's files, tar |
| espalier.lock | what was pinned: names, versions and digests of everything here, TOML |
| firmware/ | ELF and flash image that the rest makes |
| program/ | espalier |
| chip/ | bootloader and mask ROM of the chip |
| evidence/ | signed package indexes that named the packages on the day of locking |
| packages/ | the compiler, linker and C library as Debian packages (ar, tar) or components of the Rust distribution (tar) |
| crates/ | Rust crates (tar, gzip) |
| git/ | trees of git commits, tar |

The firmware was built in a directory /src from source.tar, with the packages
unpacked as the root directory and the crates as cargo's directory source; the
sections of docs/step.md in espalier's source describe each step.
`
