package reapi

import "google.golang.org/protobuf/encoding/protowire"

// DigestSHA256 and Zstd are values of DigestFunction.Value and Compressor.Value.
const (
	DigestSHA256 = 1
	Zstd         = 1
)

// GetCapabilitiesRequest asks what a server can do.
type GetCapabilitiesRequest struct {
	InstanceName string
	unknown
}

func (m *GetCapabilitiesRequest) encode(e *encoder) { e.text(1, m.InstanceName) }

func (m *GetCapabilitiesRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	}
	return false, nil
}

// ServerCapabilities is the answer. Either half may be missing.
type ServerCapabilities struct {
	CacheCapabilities     *CacheCapabilities
	ExecutionCapabilities *ExecutionCapabilities
	unknown
}

func (m *ServerCapabilities) encode(e *encoder) {
	if m.CacheCapabilities != nil {
		e.message(1, m.CacheCapabilities)
	}
	if m.ExecutionCapabilities != nil {
		e.message(2, m.ExecutionCapabilities)
	}
}

func (m *ServerCapabilities) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.CacheCapabilities)
	case 2:
		return one(v, &m.ExecutionCapabilities)
	}
	return false, nil
}

// CacheCapabilities has what a cache supports and its limits; 0 is no limit.
type CacheCapabilities struct {
	DigestFunctions               []int32
	ActionCacheUpdateCapabilities *ActionCacheUpdateCapabilities
	MaxBatchTotalSizeBytes        int64
	SupportedCompressors          []int32 // of ByteStream
	MaxCasBlobSizeBytes           int64
	unknown
}

func (m *CacheCapabilities) encode(e *encoder) {
	e.enums(1, m.DigestFunctions)
	if m.ActionCacheUpdateCapabilities != nil {
		e.message(2, m.ActionCacheUpdateCapabilities)
	}
	e.integer(4, m.MaxBatchTotalSizeBytes)
	e.enums(6, m.SupportedCompressors)
	e.integer(8, m.MaxCasBlobSizeBytes)
}

func (m *CacheCapabilities) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.enums(&m.DigestFunctions)
	case 2:
		return one(v, &m.ActionCacheUpdateCapabilities)
	case 4:
		return v.integer(&m.MaxBatchTotalSizeBytes)
	case 6:
		return v.enums(&m.SupportedCompressors)
	case 8:
		return v.integer(&m.MaxCasBlobSizeBytes)
	}
	return false, nil
}

// ActionCacheUpdateCapabilities says whether clients may write results.
type ActionCacheUpdateCapabilities struct {
	UpdateEnabled bool
	unknown
}

func (m *ActionCacheUpdateCapabilities) encode(e *encoder) { e.boolean(1, m.UpdateEnabled) }

func (m *ActionCacheUpdateCapabilities) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.boolean(&m.UpdateEnabled)
	}
	return false, nil
}

// ExecutionCapabilities says whether a server executes actions.
type ExecutionCapabilities struct {
	ExecEnabled bool
	unknown
}

func (m *ExecutionCapabilities) encode(e *encoder) { e.boolean(2, m.ExecEnabled) }

func (m *ExecutionCapabilities) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 2:
		return v.boolean(&m.ExecEnabled)
	}
	return false, nil
}

// GetActionResultRequest asks for the result of an action.
type GetActionResultRequest struct {
	InstanceName string
	ActionDigest *Digest
	unknown
}

func (m *GetActionResultRequest) encode(e *encoder) {
	e.text(1, m.InstanceName)
	e.digest(2, m.ActionDigest)
}

func (m *GetActionResultRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	case 2:
		return one(v, &m.ActionDigest)
	}
	return false, nil
}

// UpdateActionResultRequest stores the result of an action; the answer is the
// stored ActionResult.
type UpdateActionResultRequest struct {
	InstanceName string
	ActionDigest *Digest
	ActionResult *ActionResult
	unknown
}

func (m *UpdateActionResultRequest) encode(e *encoder) {
	e.text(1, m.InstanceName)
	e.digest(2, m.ActionDigest)
	if m.ActionResult != nil {
		e.message(3, m.ActionResult)
	}
}

func (m *UpdateActionResultRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	case 2:
		return one(v, &m.ActionDigest)
	case 3:
		return one(v, &m.ActionResult)
	}
	return false, nil
}

// FindMissingBlobsRequest asks which of some blobs a server does not have.
type FindMissingBlobsRequest struct {
	InstanceName string
	BlobDigests  []*Digest
	unknown
}

func (m *FindMissingBlobsRequest) encode(e *encoder) {
	e.text(1, m.InstanceName)
	list(e, 2, m.BlobDigests)
}

func (m *FindMissingBlobsRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	case 2:
		return many(v, &m.BlobDigests)
	}
	return false, nil
}

// FindMissingBlobsResponse is the answer.
type FindMissingBlobsResponse struct {
	MissingBlobDigests []*Digest
	unknown
}

func (m *FindMissingBlobsResponse) encode(e *encoder) { list(e, 2, m.MissingBlobDigests) }

func (m *FindMissingBlobsResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 2:
		return many(v, &m.MissingBlobDigests)
	}
	return false, nil
}

// BatchReadBlobsRequest asks for several blobs in one message.
type BatchReadBlobsRequest struct {
	InstanceName string
	Digests      []*Digest
	unknown
}

func (m *BatchReadBlobsRequest) encode(e *encoder) {
	e.text(1, m.InstanceName)
	list(e, 2, m.Digests)
}

func (m *BatchReadBlobsRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	case 2:
		return many(v, &m.Digests)
	}
	return false, nil
}

// BatchReadBlobsResponse has one entry for each blob.
type BatchReadBlobsResponse struct {
	Responses []*BatchBlob
	unknown
}

func (m *BatchReadBlobsResponse) encode(e *encoder) { list(e, 1, m.Responses) }

func (m *BatchReadBlobsResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return many(v, &m.Responses)
	}
	return false, nil
}

// BatchBlob is BatchReadBlobsResponse.Response: a blob, or why it was not read.
type BatchBlob struct {
	Digest     *Digest
	Data       []byte
	Status     *Status
	Compressor int32
	unknown
}

func (m *BatchBlob) encode(e *encoder) {
	e.digest(1, m.Digest)
	e.data(2, m.Data)
	if m.Status != nil {
		e.message(3, m.Status)
	}
	e.integer(4, int64(m.Compressor))
}

func (m *BatchBlob) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.Digest)
	case 2:
		return v.data(&m.Data)
	case 3:
		return one(v, &m.Status)
	case 4:
		return v.enum(&m.Compressor)
	}
	return false, nil
}

// BatchUpdateBlobsRequest stores several blobs.
type BatchUpdateBlobsRequest struct {
	InstanceName string
	Requests     []*BatchUpdate
	unknown
}

func (m *BatchUpdateBlobsRequest) encode(e *encoder) {
	e.text(1, m.InstanceName)
	list(e, 2, m.Requests)
}

func (m *BatchUpdateBlobsRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.InstanceName)
	case 2:
		return many(v, &m.Requests)
	}
	return false, nil
}

// BatchUpdate is BatchUpdateBlobsRequest.Request: a blob that is not compressed.
type BatchUpdate struct {
	Digest *Digest
	Data   []byte
	unknown
}

func (m *BatchUpdate) encode(e *encoder) {
	e.digest(1, m.Digest)
	e.data(2, m.Data)
}

func (m *BatchUpdate) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.Digest)
	case 2:
		return v.data(&m.Data)
	}
	return false, nil
}

// BatchUpdateBlobsResponse has one entry for each blob.
type BatchUpdateBlobsResponse struct {
	Responses []*BatchUpdated
	unknown
}

func (m *BatchUpdateBlobsResponse) encode(e *encoder) { list(e, 1, m.Responses) }

func (m *BatchUpdateBlobsResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return many(v, &m.Responses)
	}
	return false, nil
}

// BatchUpdated is BatchUpdateBlobsResponse.Response.
type BatchUpdated struct {
	Digest *Digest
	Status *Status
	unknown
}

func (m *BatchUpdated) encode(e *encoder) {
	e.digest(1, m.Digest)
	if m.Status != nil {
		e.message(2, m.Status)
	}
}

func (m *BatchUpdated) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return one(v, &m.Digest)
	case 2:
		return one(v, &m.Status)
	}
	return false, nil
}

// Status is google.rpc.Status; Code is one of gRPC's.
type Status struct {
	Code    int32
	Message string
	unknown
}

func (m *Status) encode(e *encoder) {
	e.integer(1, int64(m.Code))
	e.text(2, m.Message)
}

func (m *Status) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.enum(&m.Code)
	case 2:
		return v.text(&m.Message)
	}
	return false, nil
}
