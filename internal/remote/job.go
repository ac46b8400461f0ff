package remote

import (
	"encoding/json"
	"errors"
	"fmt"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
)

// The input root of an executed action is that of the step with one more
// directory, JobDir: this program, which is the command, the messages of the
// step and a Job. The outputs are below ResultDir, because a step may have an
// output where it has an input: those of the step by their REAPI paths, and a
// Report.
const (
	JobDir    = "espalier"
	ResultDir = "result"

	JobProgram = "espalier" // in JobDir
	JobFile    = "job"
	JobAction  = "action"
	JobCommand = "command"
	ReportFile = "report" // in ResultDir
)

// ExecuteArg is the one argument of the program on a worker.
const ExecuteArg = "--execute-step"

// jobVersion is that of Job and Report.
const jobVersion = 1

// Job is what the program on a worker has to know besides the step.
type Job struct {
	Version   int
	Step      string            // the digest of its Action, HASH/SIZE
	Inputs    map[string]string // digests of the input trees by name
	Observe   bool              // action.RunOptions.Observe
	OnFailure bool              // action.RunOptions.OnFailure
}

// Report is what it answers. The outputs of the step and its streams are outputs
// of the executed action.
type Report struct {
	Version     int
	ExitCode    int
	Hermetic    bool
	Outputs     []string // those that were made, by their names in the step
	Observation *action.Observation
	Fault       *ReportedFault // the step could not be run
}

// ReportedFault is a fault of a worker.
type ReportedFault struct {
	Kind  fault.Kind
	Text  string
	Hints []string
}

// EncodeJob and EncodeReport make the content of JobFile and ReportFile.
func EncodeJob(j Job) ([]byte, error) {
	j.Version = jobVersion
	return json.Marshal(j)
}

// EncodeReport makes the content of ReportFile.
func EncodeReport(r Report) ([]byte, error) {
	r.Version = jobVersion
	return json.Marshal(r)
}

// DecodeJob reads a JobFile.
func DecodeJob(b []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(b, &j); err != nil {
		return Job{}, fmt.Errorf("job: %w", err)
	}
	if j.Version != jobVersion {
		return Job{}, fmt.Errorf("job: version %d, want %d", j.Version, jobVersion)
	}
	return j, nil
}

// DecodeReport reads a ReportFile, which a worker may have written wrongly.
func DecodeReport(b []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(b, &r); err != nil {
		return Report{}, fmt.Errorf("report: %w", err)
	}
	switch f := r.Fault; {
	case r.Version != jobVersion:
		return Report{}, fmt.Errorf("report: version %d, want %d", r.Version, jobVersion)
	case r.ExitCode < 0 || r.ExitCode > 255:
		return Report{}, fmt.Errorf("report: exit code %d", r.ExitCode)
	case f != nil && (f.Text == "" || f.Kind == fault.OK):
		return Report{}, errors.New("report: a fault without a text or a kind")
	}
	return r, nil
}
