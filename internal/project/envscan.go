package project

// EnvUse is one env!("X") or option_env!("X") in own sources.
type EnvUse struct {
	Name     string
	Optional bool   // option_env!
	Origin   Origin // of the macro's name
	Package  string
	Declared string // who declares it: "cargo", "espalier.toml", ".cargo/config.toml", "build script"; empty: nobody
}

// ScanEnv finds the variables that own sources read when they are compiled.
func (p *Project) ScanEnv() ([]EnvUse, error) { return scanEnv(p) }

// CheckEnv is a fault of kind Usage when own sources need a variable that
// nothing declares; its hints are the lines to add. A missing option_env! is
// no fault.
func (p *Project) CheckEnv() error { return checkEnv(p) }
