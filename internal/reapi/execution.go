package reapi

import "google.golang.org/protobuf/encoding/protowire"

// ExecuteRequest asks a server to execute an action. The answers are Operations.
type ExecuteRequest struct {
	InstanceName    string
	SkipCacheLookup bool
	ActionDigest    *Digest
	unknown
}

func (m *ExecuteRequest) encode(e *encoder) {
	e.text(1, m.InstanceName)
	e.boolean(3, m.SkipCacheLookup)
	e.digest(6, m.ActionDigest)
}

func (m *ExecuteRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	case 3:
		return v.boolean(&m.SkipCacheLookup)
	case 6:
		return one(v, &m.ActionDigest)
	}
	return false, nil
}

// WaitExecutionRequest asks for the further Operations of an execution, by the
// name of one. CancelOperationRequest has the same encoding.
type WaitExecutionRequest struct {
	Name string
	unknown
}

func (m *WaitExecutionRequest) encode(e *encoder) { e.text(1, m.Name) }

func (m *WaitExecutionRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	}
	return false, nil
}

// Operation is google.longrunning.Operation: a state of an execution. One that is
// done has Error or Response.
type Operation struct {
	Name     string
	Metadata *Any // ExecuteOperationMetadata
	Done     bool
	Error    *Status
	Response *Any // ExecuteResponse
	unknown
}

func (m *Operation) encode(e *encoder) {
	e.text(1, m.Name)
	if m.Metadata != nil {
		e.message(2, m.Metadata)
	}
	e.boolean(3, m.Done)
	if m.Error != nil {
		e.message(4, m.Error)
	}
	if m.Response != nil {
		e.message(5, m.Response)
	}
}

func (m *Operation) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.Name)
	case 2:
		return one(v, &m.Metadata)
	case 3:
		return v.boolean(&m.Done)
	case 4:
		return one(v, &m.Error)
	case 5:
		return one(v, &m.Response)
	}
	return false, nil
}

// Any is google.protobuf.Any: a message with the name of its type.
type Any struct {
	TypeURL string
	Value   []byte
	unknown
}

func (m *Any) encode(e *encoder) {
	e.text(1, m.TypeURL)
	e.data(2, m.Value)
}

func (m *Any) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.TypeURL)
	case 2:
		return v.data(&m.Value)
	}
	return false, nil
}

// Types of messages in an Any.
const (
	TypeExecuteResponse = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse"
	TypeExecuteMetadata = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteOperationMetadata"
)

// Values of ExecuteOperationMetadata.Stage.
const (
	StageCacheCheck = 1
	StageQueued     = 2
	StageExecuting  = 3
	StageCompleted  = 4
)

// ExecuteOperationMetadata says how far an execution is.
type ExecuteOperationMetadata struct {
	Stage int32
	unknown
}

func (m *ExecuteOperationMetadata) encode(e *encoder) { e.integer(1, int64(m.Stage)) }

func (m *ExecuteOperationMetadata) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.enum(&m.Stage)
	}
	return false, nil
}

// ExecuteResponse is the end of an execution: a Status other than OK when the
// server could not execute the action, whatever its exit code would be.
type ExecuteResponse struct {
	Result       *ActionResult
	CachedResult bool
	Status       *Status
	Message      string
	unknown
}

func (m *ExecuteResponse) encode(e *encoder) {
	if m.Result != nil {
		e.message(1, m.Result)
	}
	e.boolean(2, m.CachedResult)
	if m.Status != nil {
		e.message(3, m.Status)
	}
	e.text(5, m.Message)
}

func (m *ExecuteResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.Result)
	case 2:
		return v.boolean(&m.CachedResult)
	case 3:
		return one(v, &m.Status)
	case 5:
		return v.text(&m.Message)
	}
	return false, nil
}

// Empty is google.protobuf.Empty.
type Empty struct{ unknown }

func (m *Empty) encode(*encoder) {}

func (m *Empty) field(protowire.Number, value) (bool, error) { return false, nil }
