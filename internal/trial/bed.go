package trial

import (
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/session"
)

// bedOf is the surroundings of each test.
func bedOf(env *session.Environment) func() (testbed.Config, error) {
	bed := env.Testbed(nil)
	return func() (testbed.Config, error) { return bed, nil }
}
