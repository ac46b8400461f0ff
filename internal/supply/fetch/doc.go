// Package fetch downloads files with known SHA-256 digests into the store:
// concurrently, from several locations per file, with resumption and retries; a
// file is accepted only when its digest is correct.
//
// Input: digests, paths and prefixes. Output: blobs, each reported when it is
// complete, so that unpacking overlaps downloading. The package uses the store,
// knows no supplier and contains no URL.
package fetch
