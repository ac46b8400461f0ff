// Package debian is the supplier of compilers from a Debian archive. It reads
// the machine's own apt sources and keys, verifies the chain signature - index
// digest - package digest, resolves the closure of compiler, cargo, standard
// library source and linker, and unpacks the packages into one tree without
// running any of their programs.
//
// Input: a root directory with apt's configuration (or configured sources) and
// a request. Output: a lock.Toolchain and the digest of its tree. The package
// depends on the lock and the store; it never starts a process, and it contains
// no host name: every URL comes from the machine or the configuration.
package debian
