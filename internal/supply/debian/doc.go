// Package debian is the supplier that takes a compiler out of a Debian
// archive: it reads the machine's own apt sources and keys, verifies the chain
// signature - index digest - package digest, resolves the closure of compiler,
// cargo, standard library source and linker, and unpacks the packages into one
// tree without running anything of theirs.
//
// In come a root directory with apt's configuration (or configured sources)
// and a request; out go a lock.Toolchain and the digest of its tree. The
// package knows the lock and the store; it never starts a process and it knows
// no host name: every address comes from the machine or the configuration.
package debian
