package reapi

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// pairs are our messages and the generated ones.
var pairs = map[string]struct {
	ours   func() Message
	theirs func() proto.Message
}{
	"Directory":    {func() Message { return &Directory{} }, func() proto.Message { return &repb.Directory{} }},
	"Tree":         {func() Message { return &Tree{} }, func() proto.Message { return &repb.Tree{} }},
	"Command":      {func() Message { return &Command{} }, func() proto.Message { return &repb.Command{} }},
	"Action":       {func() Message { return &Action{} }, func() proto.Message { return &repb.Action{} }},
	"ActionResult": {func() Message { return &ActionResult{} }, func() proto.Message { return &repb.ActionResult{} }},

	"GetCapabilitiesRequest":    {func() Message { return &GetCapabilitiesRequest{} }, func() proto.Message { return &repb.GetCapabilitiesRequest{} }},
	"ServerCapabilities":        {func() Message { return &ServerCapabilities{} }, func() proto.Message { return &repb.ServerCapabilities{} }},
	"GetActionResultRequest":    {func() Message { return &GetActionResultRequest{} }, func() proto.Message { return &repb.GetActionResultRequest{} }},
	"UpdateActionResultRequest": {func() Message { return &UpdateActionResultRequest{} }, func() proto.Message { return &repb.UpdateActionResultRequest{} }},
	"FindMissingBlobsRequest":   {func() Message { return &FindMissingBlobsRequest{} }, func() proto.Message { return &repb.FindMissingBlobsRequest{} }},
	"FindMissingBlobsResponse":  {func() Message { return &FindMissingBlobsResponse{} }, func() proto.Message { return &repb.FindMissingBlobsResponse{} }},
	"BatchReadBlobsRequest":     {func() Message { return &BatchReadBlobsRequest{} }, func() proto.Message { return &repb.BatchReadBlobsRequest{} }},
	"BatchReadBlobsResponse":    {func() Message { return &BatchReadBlobsResponse{} }, func() proto.Message { return &repb.BatchReadBlobsResponse{} }},
	"BatchUpdateBlobsRequest":   {func() Message { return &BatchUpdateBlobsRequest{} }, func() proto.Message { return &repb.BatchUpdateBlobsRequest{} }},
	"BatchUpdateBlobsResponse":  {func() Message { return &BatchUpdateBlobsResponse{} }, func() proto.Message { return &repb.BatchUpdateBlobsResponse{} }},
	"Status":                    {func() Message { return &Status{} }, func() proto.Message { return &status.Status{} }},

	"ExecuteRequest":           {func() Message { return &ExecuteRequest{} }, func() proto.Message { return &repb.ExecuteRequest{} }},
	"WaitExecutionRequest":     {func() Message { return &WaitExecutionRequest{} }, func() proto.Message { return &repb.WaitExecutionRequest{} }},
	"CancelOperationRequest":   {func() Message { return &WaitExecutionRequest{} }, func() proto.Message { return &longrunningpb.CancelOperationRequest{} }},
	"Any":                      {func() Message { return &Any{} }, func() proto.Message { return &anypb.Any{} }},
	"ExecuteOperationMetadata": {func() Message { return &ExecuteOperationMetadata{} }, func() proto.Message { return &repb.ExecuteOperationMetadata{} }},
	"ExecuteResponse":          {func() Message { return &ExecuteResponse{} }, func() proto.Message { return &repb.ExecuteResponse{} }},

	"ReadRequest":              {func() Message { return &ReadRequest{} }, func() proto.Message { return &bytestream.ReadRequest{} }},
	"ReadResponse":             {func() Message { return &ReadResponse{} }, func() proto.Message { return &bytestream.ReadResponse{} }},
	"WriteRequest":             {func() Message { return &WriteRequest{} }, func() proto.Message { return &bytestream.WriteRequest{} }},
	"WriteResponse":            {func() Message { return &WriteResponse{} }, func() proto.Message { return &bytestream.WriteResponse{} }},
	"QueryWriteStatusRequest":  {func() Message { return &QueryWriteStatusRequest{} }, func() proto.Message { return &bytestream.QueryWriteStatusRequest{} }},
	"QueryWriteStatusResponse": {func() Message { return &QueryWriteStatusResponse{} }, func() proto.Message { return &bytestream.QueryWriteStatusResponse{} }},
}

// fill sets the exported fields of a message to random values.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([][]byte{nil, {0}, {0xff, 0xfe}, []byte("text")}[r.IntN(4)])
			return
		}
		for range r.IntN(4) {
			e := reflect.New(v.Type().Elem()).Elem()
			if e.Kind() == reflect.Pointer {
				e.Set(reflect.New(e.Type().Elem()))
				fill(r, e.Elem())
			} else {
				fill(r, e)
			}
			v.Set(reflect.Append(v, e))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i))
			}
		}
	case reflect.String:
		v.SetString([]string{"", "a", "out/x", "naïve", "\x00", "é\u2028"}[r.IntN(6)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Int64:
		v.SetInt([]int64{0, 1, -1, 127, 128, 1 << 40}[r.IntN(6)])
	case reflect.Int32:
		v.SetInt([]int64{0, 1, -1, 255}[r.IntN(4)])
	default:
		panic(v.Kind())
	}
}

func TestAgainstGenerated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, p := range pairs {
		sizes := 0
		for range 500 {
			m := p.ours()
			fill(r, reflect.ValueOf(m).Elem())
			b, err := Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			sizes += len(b)
			theirs := p.theirs()
			if err := proto.Unmarshal(b, theirs); err != nil {
				t.Fatalf("%s: the generated message refuses %x: %v", name, b, err)
			}
			if len(theirs.ProtoReflect().GetUnknown()) > 0 {
				t.Fatalf("%s: the generated message does not know a field of %x", name, b)
			}
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(theirs)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%s: ours %x, theirs %x, %v", name, b, again, err)
			}
			back := p.ours()
			if err := Unmarshal(again, back); err != nil || !reflect.DeepEqual(back, m) {
				t.Fatalf("%s: %+v comes back as %+v, %v", name, m, back, err)
			}
		}
		if sizes < 500 {
			t.Errorf("%s: %d bytes in all: nothing was compared", name, sizes)
		}
	}
}

func TestNotUTF8(t *testing.T) {
	if _, err := Marshal(&Directory{Files: []*FileNode{{Name: "\xff"}}}); err == nil {
		t.Error("a name that is not UTF-8 is encoded")
	}
}

// FuzzUnmarshal: what one side accepts, the other accepts, and both encode it to
// the same bytes where no field is unknown to ours.
func FuzzUnmarshal(f *testing.F) {
	seeds := rand.New(rand.NewPCG(3, 4))
	for _, p := range pairs {
		for range 2 {
			m := p.ours()
			fill(seeds, reflect.ValueOf(m).Elem())
			b, err := Marshal(m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte{0x0a, 0x01, 0xff})
	f.Add([]byte{0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02})
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, p := range pairs {
			m, theirs := p.ours(), p.theirs()
			err := Unmarshal(b, m)
			theirErr := proto.Unmarshal(b, theirs)
			if err != nil && theirErr == nil {
				t.Fatalf("%s: %v, the generated message accepts it", name, err)
			}
			if err != nil || theirErr != nil {
				continue // a field that only theirs has may be bad
			}
			again, err := Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			same := p.theirs()
			if err := proto.Unmarshal(again, same); err != nil || !proto.Equal(theirs, same) {
				t.Fatalf("%s: %x decodes to something else after encoding: %x, %v", name, b, again, err)
			}
		}
	})
}
