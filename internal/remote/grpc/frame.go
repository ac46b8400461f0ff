package grpc

import (
	"encoding/binary"
	"fmt"
	"io"

	"espalier.dev/espalier/internal/reapi"
)

// encode returns a message with its prefix: a byte that is 1 when the message
// is compressed, and its length.
func encode(m reapi.Message) ([]byte, error) {
	b, err := reapi.Marshal(m)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, 5, 5+len(b))
	binary.BigEndian.PutUint32(frame[1:], uint32(len(b)))
	return append(frame, b...), nil
}

// readFrame reads one message; the result may be buf. The error is io.EOF
// before the first byte only.
func readFrame(r io.Reader, head *[5]byte, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("the stream ends within a message: %w", err)
		}
		return nil, err
	}
	if head[0] != 0 {
		return nil, &Error{Code: Unimplemented, Message: "the server compresses messages without being asked"}
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > MaxMessage {
		return nil, &Error{Code: ResourceExhausted, Message: fmt.Sprintf("a message of %d bytes; the limit is %d", n, MaxMessage)}
	}
	// Grows with what arrives: a length alone reserves no memory.
	buf = buf[:0]
	for have := 0; have < int(n); {
		want := min(int(n)-have, 1<<20)
		if cap(buf) < have+want {
			buf = append(buf[:have], make([]byte, want)...)
		}
		buf = buf[:have+want]
		k, err := io.ReadFull(r, buf[have:])
		have += k
		if err != nil {
			return nil, fmt.Errorf("the stream ends within a message: %w", io.ErrUnexpectedEOF)
		}
	}
	return buf, nil
}
