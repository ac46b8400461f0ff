// Package command is what every command of a program with verbs needs, whatever
// the verbs do: checks of positional arguments, typed flag values, errors about
// flags and unknown verbs with the word that was probably meant, one form of
// help, the table of exit codes, and one run of a verb with its signals, its
// panics and its exit code. It is built on cobra and does not depend on what a
// verb is about.
package command
