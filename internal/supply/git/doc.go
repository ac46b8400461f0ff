// Package git brings the commits that git dependencies are locked to. A commit
// is unpacked as a whole and given to cargo as a directory source: the tree,
// and a directory of links to the members that the lock uses. So no manifest is
// normalised, workspace inheritance and files above a member work, and cargo's
// own git support is never called. No git program is needed.
//
// For URLs and commits it makes trees in the store and cargo's tables of source
// replacement.
package git
