package workspace

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/credential"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// Secret gets the value of a secret: from the environment, a file, or a command
// that the project names and that runs outside the sandbox, once. Errors are faults
// of kind Usage and never have the value.
func (w *Workspace) Secret(ctx context.Context, s project.Secret) (string, error) {
	if v, ok := w.secrets[s.Name]; ok {
		return v, nil
	}
	fail := func(err error, hints ...string) error {
		where := "secret " + s.Name
		if !s.Origin.IsZero() {
			where = s.Origin.String() + ": " + where
		}
		return fault.Wrap(fault.Usage, err, where, hints...)
	}
	var value string
	var err error
	switch {
	case s.File != "":
		if value, err = credential.File(s.File); err != nil {
			return "", fail(config.Pathless(err), "write the value into the first line of "+s.File)
		}
	case len(s.Command) > 0:
		if value, err = credential.Command(ctx, s.Dir, s.Command); err != nil {
			return "", fail(err, strings.Join(s.Command, " ")+"   # must print the value")
		}
	default:
		var ok bool
		if value, ok = w.options.Lookup(s.Env); !ok {
			return "", fault.New(fault.Usage, s.Origin.String()+": the secret "+s.Name+" comes from the environment, which does not have "+s.Env, "export "+s.Env+"=…")
		}
	}
	if err := project.CheckSecret(s, value); err != nil {
		return "", err
	}
	if w.secrets == nil {
		w.secrets = map[string]string{}
	}
	w.secrets[s.Name] = value
	return value, nil
}

// ResolveSecrets gets the secrets that the firmware is compiled with. Whatever
// builds does so by itself; a caller that needs the emulated access point's
// passphrase before does it earlier.
func (w *Workspace) ResolveSecrets(ctx context.Context) error {
	return w.Project.ResolveSecrets(func(s project.Secret) (string, error) { return w.Secret(ctx, s) })
}

// secretDir is the directory, below that of ordinary results, of firmware that
// contains secrets.
const secretDir = "secret"

// marker is the file that says what is special about the directory.
const marker = "CONTAINS-SECRETS.txt"

// ResultDir makes a directory for compiled files, below dir when they contain
// secrets, and returns it with the mode of its files.
func (w *Workspace) ResultDir(dir string) (string, os.FileMode, error) {
	var names []string
	for _, v := range w.Project.Espalier.Build.Env {
		if v.Secret {
			names = append(names, v.Name)
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil || len(names) == 0 {
		return dir, 0o644, err
	}
	dir, err := privateDir(dir, names)
	return dir, 0o600, err
}

// privateDir makes the directory for results with secrets: only its owner can enter
// it, and a file says why.
func privateDir(dir string, names []string) (string, error) {
	dir = filepath.Join(dir, secretDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return "", err
	}
	text := "The firmware here was compiled with the secrets " + strings.Join(names, ", ") +
		".\nWhoever has a file of it, or the board, can read them.\n"
	return dir, atomicfile.WriteChanged(filepath.Join(dir, marker), []byte(text), 0o600)
}
