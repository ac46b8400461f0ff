// Package cargo is cargo's model of a project: manifests and workspaces,
// Cargo.lock, the configuration hierarchy, cfg expressions, crate roots, the
// rust-toolchain file, the environment variables that sources read when they
// are compiled, and versions. Each rule is cargo's (or rustup's) own; the tests
// compare them with the real programs.
//
// Files come in, values with origins come out. The package never writes,
// fetches or runs anything and does not read the environment.
package cargo
