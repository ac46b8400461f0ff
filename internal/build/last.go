package build

import (
	"encoding/json"
	"os"
	"path/filepath"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/store"
)

// LastBuild records the steps of the most recent build of a project, for Why.
type LastBuild struct {
	Steps []LastStep `json:"steps"`
}

// LastStep is a step of a LastBuild.
type LastStep struct {
	Name   string       `json:"name"`
	Action store.Digest `json:"action"`
}

// lastBuildFile is the name of the record in the directory of a project's
// builds.
const lastBuildFile = "last-build.json"

// WriteLastBuild records the steps of a build in dir. The record is only used
// for explanations, so a caller may ignore the error.
func WriteLastBuild(dir string, out Output) error {
	var l LastBuild
	for _, s := range out.Steps {
		l.Steps = append(l.Steps, LastStep{s.Step.Name, s.Result.Digest})
	}
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return atomicfile.WriteChanged(filepath.Join(dir, lastBuildFile), append(b, '\n'), 0o644)
}

// ReadLastBuild reads the record in dir.
func ReadLastBuild(dir string) (LastBuild, error) {
	var l LastBuild
	b, err := os.ReadFile(filepath.Join(dir, lastBuildFile))
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return LastBuild{}, err
	}
	return l, nil
}

// action returns the digest of the step with a name; zero when there is none.
func (l LastBuild) action(name string) store.Digest {
	for _, s := range l.Steps {
		if s.Name == name {
			return s.Action
		}
	}
	return store.Digest{}
}
