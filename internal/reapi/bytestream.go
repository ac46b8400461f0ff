package reapi

import "google.golang.org/protobuf/encoding/protowire"

// ReadRequest is google.bytestream.ReadRequest.
type ReadRequest struct {
	ResourceName string
	ReadOffset   int64
	unknown
}

func (m *ReadRequest) encode(e *encoder) {
	e.text(1, m.ResourceName)
	e.integer(2, m.ReadOffset)
}

func (m *ReadRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.ResourceName)
	case 2:
		return v.integer(&m.ReadOffset)
	}
	return false, nil
}

// ReadResponse is one piece of a blob.
type ReadResponse struct {
	Data []byte
	unknown
}

func (m *ReadResponse) encode(e *encoder) { e.data(10, m.Data) }

func (m *ReadResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 10:
		return v.data(&m.Data)
	}
	return false, nil
}

// WriteRequest is one piece of a blob. The first one has the name, the last one
// FinishWrite.
type WriteRequest struct {
	ResourceName string
	WriteOffset  int64
	FinishWrite  bool
	Data         []byte
	unknown
}

func (m *WriteRequest) encode(e *encoder) {
	e.text(1, m.ResourceName)
	e.integer(2, m.WriteOffset)
	e.boolean(3, m.FinishWrite)
	e.data(10, m.Data)
}

func (m *WriteRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.ResourceName)
	case 2:
		return v.integer(&m.WriteOffset)
	case 3:
		return v.boolean(&m.FinishWrite)
	case 10:
		return v.data(&m.Data)
	}
	return false, nil
}

// WriteResponse has the number of bytes that the server has.
type WriteResponse struct {
	CommittedSize int64
	unknown
}

func (m *WriteResponse) encode(e *encoder) { e.integer(1, m.CommittedSize) }

func (m *WriteResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.integer(&m.CommittedSize)
	}
	return false, nil
}

// QueryWriteStatusRequest asks how much of an interrupted write a server has.
type QueryWriteStatusRequest struct {
	ResourceName string
	unknown
}

func (m *QueryWriteStatusRequest) encode(e *encoder) { e.text(1, m.ResourceName) }

func (m *QueryWriteStatusRequest) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.text(&m.ResourceName)
	}
	return false, nil
}

// QueryWriteStatusResponse is the answer.
type QueryWriteStatusResponse struct {
	CommittedSize int64
	Complete      bool
	unknown
}

func (m *QueryWriteStatusResponse) encode(e *encoder) {
	e.integer(1, m.CommittedSize)
	e.boolean(2, m.Complete)
}

func (m *QueryWriteStatusResponse) field(n protowire.Number, v value) (bool, error) {
	switch n {
	case 1:
		return v.integer(&m.CommittedSize)
	case 2:
		return v.boolean(&m.Complete)
	}
	return false, nil
}
