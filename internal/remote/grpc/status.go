package grpc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Code is a gRPC status code.
type Code int

// The codes that espalier distinguishes.
const (
	OK                 Code = 0
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	Unauthenticated    Code = 16
)

var names = map[Code]string{
	Canceled: "canceled", Unknown: "unknown", InvalidArgument: "invalid argument", DeadlineExceeded: "deadline exceeded",
	NotFound: "not found", AlreadyExists: "already exists", PermissionDenied: "permission denied",
	ResourceExhausted: "resource exhausted", FailedPrecondition: "failed precondition", Aborted: "aborted",
	Unimplemented: "unimplemented", Internal: "internal", Unavailable: "unavailable", Unauthenticated: "unauthenticated",
}

// Error is a status other than OK.
type Error struct {
	Code    Code
	Message string // of the server
}

func (e *Error) Error() string {
	name, ok := names[e.Code]
	if !ok {
		name = fmt.Sprintf("gRPC status %d", e.Code)
	}
	if e.Message == "" {
		return name
	}
	return name + ": " + e.Message
}

// CodeOf returns the code of an error: OK for nil, Unknown for one that has no
// status.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	}
	return Unknown
}

// maxText bounds the server's text in an error, which is one line.
const maxText = 300

// statusOf reads the status in headers or trailers. A stream without one was
// cut off.
func statusOf(h http.Header) error {
	text := h.Get("Grpc-Status")
	if text == "" {
		return &Error{Code: Unavailable, Message: "the answer ends without a status"}
	}
	code, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return &Error{Code: Unknown, Message: fmt.Sprintf("status %q", text)}
	}
	if code == 0 {
		return nil
	}
	message := h.Get("Grpc-Message")
	if plain, err := url.PathUnescape(message); err == nil {
		message = plain
	}
	return &Error{Code: Code(code), Message: oneLine(message)}
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + " …"
	}
	return s
}

// ofHTTP is the code of an HTTP status, by gRPC's "http-grpc-status-mapping.md".
func ofHTTP(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return Internal
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return PermissionDenied
	case http.StatusNotFound:
		return Unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unavailable
	}
	return Unknown
}
