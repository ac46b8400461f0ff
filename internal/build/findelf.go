package build

import (
	"fmt"
	"path/filepath"

	"espalier.dev/espalier/internal/fault"
)

// FindELF finds the ELF that a build has left in the project around dir. Several
// are a fault.Usage, and so is none.
func FindELF(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "finding the project")
	}
	for at := dir; ; at = filepath.Dir(at) {
		found, _ := filepath.Glob(filepath.Join(at, "target", "espalier", "*.elf"))
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return "", fault.New(fault.Usage, fmt.Sprintf("which firmware? %d ELFs are in %s", len(found), filepath.Dir(found[0])), "--elf "+found[0])
		}
		if filepath.Dir(at) == at {
			return "", fault.New(fault.Usage, "which firmware? there is no ELF in target/espalier here or above", "--elf FILE", "espalier build")
		}
	}
}
