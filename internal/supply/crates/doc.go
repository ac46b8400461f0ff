// Package crates downloads and unpacks registry crates. The pinned cargo
// downloads them in a step with network access, so that every registry, mirror,
// credential and proxy that cargo supports works; a downloaded archive is
// accepted only when its SHA-256 is in a Cargo.lock. Unpacked crates become one
// directory source in the store, for the project and the standard library
// together.
//
// Input: the crates of locks. Output: blobs and the vendor tree. The package
// does not depend on the project's configuration, and it never requests a crate
// that is in the store. The trees of its steps are marked as passing: nothing
// but the blobs is kept.
package crates
