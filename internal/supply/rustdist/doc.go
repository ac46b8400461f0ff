// Package rustdist is the supplier of the official Rust distribution: it reads
// channel manifests as rustup does, chooses the components that a project
// needs, and unpacks component archives in Go, without running any of their
// programs.
//
// Input: a toolchain request (channel, profile, components, targets) and the
// locations of distribution servers. Output: pinned packages with their
// evidence, and the files of a component below usr/. The host's C library,
// compiler driver and linker are not part of the distribution: the caller adds
// them from another supplier, which this package does not depend on. It starts
// no process and contains no URL: servers come from the configuration of the
// machine.
//
// Formats: the channel manifest, version 2, and the archives of rust-installer,
// version 3 (rustup's documentation, "The rustup dist server" and
// "Components").
package rustdist
