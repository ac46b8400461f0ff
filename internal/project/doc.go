// Package project is what the user wrote, as one value: manifests, Cargo.lock,
// cargo configuration, toolchain file, espalier.toml and the files that make
// the input tree, each field with its origin.
//
// In comes a directory and the environment that the caller hands over; out
// comes a Project. The package only reads the working tree. It never edits,
// fetches or runs anything, never asks the process for its environment, and
// knows neither pins nor stores.
package project
