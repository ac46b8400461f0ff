package build

import (
	"io"
	"io/fs"
)

// KeepInLayer is the filter of the dependency layer, for tests that run its
// step directly.
func (pl Plan) KeepInLayer() func(string, fs.FileInfo) bool { return pl.own.keep }

// Rewrites is the action.RunOptions.Rewrite of the layer, for the same tests.
func (pl Plan) Rewrites() map[string]func(string, io.ReaderAt, int64) (io.Reader, bool) {
	return pl.rewrites()
}
