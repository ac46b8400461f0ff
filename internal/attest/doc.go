// Package attest makes and checks provenance: an in-toto statement (version 1)
// with a SLSA provenance predicate (version 1) that names what a firmware was made
// of, in a DSSE envelope that a key file has signed. Keys are ed25519, ECDSA or RSA
// in PEM, OpenSSH's, or OpenPGP's. The package opens no files and builds nothing.
package attest
