// Package explain finds the cause of a failure in a log: a build, a link, a
// flash, a boot, a test, by any tool. The log may have any size and any
// content; the result is the rules that match it, best match first.
//
// A rule is data: facts that must be in the log close together, facts that must
// not be there, cause, cure and source. A fact is a piece of a line that does
// not depend on one tool's wording around it: an error code with its item, a
// linker's complaint, a line of the boot ROM. A wrong explanation is worse than
// none, so a fact is as long as it must be to mean one thing.
//
// The package opens no files and prints nothing.
package explain
