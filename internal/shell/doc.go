// Package shell is the small command interpreter of espalier shell. It runs
// inside the sandbox, in espalier's own program executed again, so that every
// locked toolchain has a prompt and no lock needs a shell: simple commands,
// pipelines, && || ! ;, redirections, variables, quotes and patterns as POSIX
// has them (XCU 2.2 to 2.9.3), ls and cat. Compound commands, functions,
// substitutions and job control are refused by name. Variables are the
// environment.
package shell
