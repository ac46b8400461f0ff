package project

// ToolchainRequest is what rust-toolchain(.toml) asks for. The zero request
// with channel "stable" stands for no file.
type ToolchainRequest struct {
	Channel    Value[string] // as written: "stable", "1.97.1", "nightly-2025-01-01"; "stable" by default
	Components []string
	Targets    []string
	Profile    string // "minimal", "default", "complete"; empty when not asked
	Path       string // toolchain directory, `path = …`; excludes Channel
	File       string // the file that decided; empty when there is none
}
