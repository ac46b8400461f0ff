// Package reapi has the messages of the Remote Execution API, version 2, that
// steps, trees and results are made of, in the wire format of protocol buffers:
// bytes in, values out. It depends on nothing of this module.
//
// The generated Go package of the API links gRPC for its services, which is
// more code than the rest of espalier. The fields and their numbers are those of
// build/bazel/remote/execution/v2/remote_execution.proto; the tests compare every
// message with the generated one. Fields that are not listed here are kept as
// they are, so that encoding a decoded message loses nothing.
package reapi
