package templates

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

var packageName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// CheckName refuses what cargo would refuse later, or what would clash
// with a crate that every program has.
func CheckName(name string) error {
	const hint = "espalier new DIR --name NAME calls the package differently"
	if !packageName.MatchString(name) {
		return fault.New(fault.Usage, fmt.Sprintf("new: %q is not a package name: letters, digits, - and _, a letter first", name), hint)
	}
	taken := strings.Fields(`abstract alignof as async await become box break const continue crate do dyn else enum extern
		false final fn for gen if impl in let loop macro match mod move mut offsetof override priv proc pub pure ref return
		self sizeof static struct super test trait true try type typeof unsafe unsized use virtual where while yield
		alloc core proc_macro std build deps examples incremental
		esp-hal esp-backtrace esp-println esp-bootloader-esp-idf`)
	if slices.Contains(taken, name) || slices.Contains(taken, strings.ReplaceAll(name, "_", "-")) {
		return fault.New(fault.Usage, fmt.Sprintf("new: a package cannot be called %s: Rust, cargo or a dependency uses the name", name), hint)
	}
	return nil
}
