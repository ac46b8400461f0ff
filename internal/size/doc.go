// Package size attributes the space of a firmware: from an ELF and the static
// libraries that were linked into it, Analyze makes a Report in which every byte
// of every section has one owner, so that sums equal the sizes of the sections.
//
// Rules of attribution:
//
//   - Code belongs to the crate of the innermost function at its address:
//     inlined code to the crate it was written in, by the debug information.
//     An instance of a generic function belongs to the crate that defines the
//     function (in an impl: the crate with the impl), not to the one whose type
//     made the instance. Without debug information the symbol decides.
//   - Data belongs to the crate in its symbol's name.
//   - Constants without a name (string literals, merged strings, vtables, panic
//     locations, jump tables) belong to the crate whose code refers to them;
//     with several, to the one with the most references.
//   - Symbols that are not Rust's belong to the static library that defines
//     them; without the libraries, to "(libraries)".
//   - What the linker fills is "(padding)". What no rule covers is
//     "(unattributed)" and is shown as such.
//
// It opens no files and prints nothing.
package size
