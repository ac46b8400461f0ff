package cli

import (
	"github.com/spf13/pflag"

	"espalier.dev/espalier/internal/workspace"
)

// workOptions are the flags that choose what of a project is meant, and how its
// steps run.
type workOptions struct {
	workspace.Selection
	Device string // a row of the devices file of [nvs]
}

func (o *workOptions) addDevice(f *pflag.FlagSet) {
	f.StringVar(&o.Device, "device", "", "write the settings of the device `NAME` in the file of [nvs] devices (default: by MAC address)")
}

// addFlags adds the flags that select a package, a target and a profile, and
// those that decide how it is built.
func (o *workOptions) addFlags(f *pflag.FlagSet) {
	o.addSelectionFlags(f)
	f.BoolVar(&o.Locked, "locked", false, "fail when espalier.lock is missing or stale (default when CI is set)")
	o.addSandboxFlag(f)
}

func (o *workOptions) addSelectionFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.Package, "package", "p", "", "build the workspace member `NAME`")
	f.StringVar(&o.Flags.Bin, "bin", "", "build the binary `NAME`")
	f.StringVar(&o.Flags.Example, "example", "", "build the example `NAME`")
	f.StringVar(&o.Flags.Profile, "profile", "", "build with the profile `NAME` (default release)")
	f.BoolVarP(&o.Release, "release", "r", false, "build with the profile release (the default)")
	f.StringVar(&o.Flags.Target, "target", "", "build for the target `TRIPLE`")
	f.StringSliceVarP(&o.Flags.Features, "features", "F", nil, "activate the `FEATURES`, separated by commas")
	f.BoolVar(&o.Flags.NoDefaultFeatures, "no-default-features", false, "do not activate the default features")
	f.BoolVar(&o.Flags.AllFeatures, "all-features", false, "activate all features")
}

func (o *workOptions) addSandboxFlag(f *pflag.FlagSet) {
	f.BoolVar(&o.NoSandbox, "no-sandbox", false, "run steps without the sandbox: the result is labelled and never shared")
}

// forRun says that a verb runs the project on a board: it may lock, and on the
// emulated board missing Wi-Fi credentials are those of the emulated network.
func (o *workOptions) forRun(emulated bool) { o.MayLock, o.Emulated = true, emulated }
