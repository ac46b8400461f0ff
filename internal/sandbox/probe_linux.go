package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"espalier.dev/espalier/internal/action"
)

// probe sets up sandboxes on an empty rootfs, with the code of a real run.
func probe(ctx context.Context) Report {
	s, err := newScratch(Local{}.scratchBase(nil))
	if err != nil {
		return Report{Err: err}
	}
	defer s.remove()
	trees := map[string]string{}
	for _, name := range []string{"rootfs", "target"} {
		dir, err := s.sub("probe-" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "file"), []byte(name), 0o644)
		}
		if err != nil {
			return Report{Err: err}
		}
		trees[name] = dir
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return Report{Err: explain(&stageError{stageDevices, os.DevNull, err}, hostFacts())}
	}
	defer null.Close()
	j := &job{step: action.Step{Name: "probe", Argv: []string{"/file"}}, trees: trees, scratch: s, stdio: [3]*os.File{null, null, null}}

	try := func(m mode, attempt int) ([]Check, error) {
		sp, _, err := j.prepare(m, attempt)
		if err != nil {
			return nil, err
		}
		sp.ProbeOnly = true
		var checks []Check
		l := j.launched(sp)
		l.onStage = func(stage string) {
			if len(checks) == 0 {
				checks = append(checks, Check{Name: cloneName(m), OK: true})
			}
			checks = append(checks, Check{Name: stage, OK: true})
		}
		_, err = launch(ctx, sp, m.userNS, sp.SetGroups && m.userNS, sp.UID, l)
		var se *stageError
		if errors.As(err, &se) {
			if len(checks) == 0 && se.stage != stageClone && se.stage != stageExec {
				checks = append(checks, Check{Name: cloneName(m), OK: true})
			}
			name := se.stage
			if name == stageClone {
				name = cloneName(m)
			}
			note := se.err.Error()
			if se.what != "" {
				note = se.what + ": " + note
			}
			checks = append(checks, Check{Name: name, Note: note})
		}
		return checks, err
	}

	var r Report
	var first error
	m := mode{userNS: true, overlay: true}
	for attempt := 0; ; attempt++ {
		r.Checks, err = try(m, attempt)
		var se *stageError
		if !errors.As(err, &se) {
			break
		}
		if first == nil {
			first = err
		}
		switch {
		case se.stage == stageOverlay && m.overlay:
			m.overlay = false
			r.Notes = append(r.Notes, "no overlay mounts ("+se.err.Error()+"): writable inputs are copied for each step, which costs time; Linux 5.11 or newer supports them for all users")
			continue
		case m.userNS && os.Geteuid() == 0 && mayWorkAsRoot(se) && !mapped(j.uid()):
			err = explain(&stageError{se.stage, se.what, &oneUserError{se.err}}, hostFacts())
		case m.userNS && os.Geteuid() == 0 && mayWorkAsRoot(se):
			m = mode{overlay: true}
			r.Notes = append(r.Notes, "no user namespace ("+se.err.Error()+"): as root espalier works without, and copies writable inputs")
			continue
		case se.stage == stageClone:
			err = explain(first, hostFacts())
		default:
			err = explain(err, hostFacts())
		}
		break
	}
	if err != nil && r.Notes == nil && len(r.Checks) == 0 {
		r.Checks = []Check{{Name: stageExec, Note: err.Error()}}
	}
	r.OK, r.Err = err == nil, err
	if auditArch == 0 {
		r.Notes = append(r.Notes, "no system call filter on this processor")
	}
	if r.OK && os.Geteuid() == 0 && m.userNS {
		r.Notes = append(r.Notes, "running as root is not needed")
	}
	return r
}

// cloneName is the name of the first stage in a report.
func cloneName(m mode) string {
	if m.userNS {
		return stageClone
	}
	return "namespaces as root"
}
