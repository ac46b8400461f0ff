// Package crates brings registry crates. The pinned cargo downloads them in a
// step that sees the network, so that every registry, mirror, credential and
// proxy that cargo understands works; what it brings is believed only when its
// SHA-256 is the one in a Cargo.lock. Unpacked crates become one directory
// source in the store, for the project and the standard library together.
//
// Locks come in; blobs and the vendor tree go out. It knows nothing of
// projects, and it never asks for a crate that is already in the store.
package crates
