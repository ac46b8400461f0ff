package build

import "io/fs"

// KeepInLayer is the filter of the dependency layer, for tests that run its
// step directly.
func (pl Plan) KeepInLayer() func(string, fs.FileInfo) bool { return pl.own.keep }
