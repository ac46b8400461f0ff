//go:build !linux

package cli

// stubborn is only used by the tests of Linux.
func stubborn() int { return 1 }
