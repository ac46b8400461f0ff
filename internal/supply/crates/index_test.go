package crates

import (
	"bytes"
	"testing"
)

// cache is cargo's file of a crate with two versions.
var cache = []byte("\x03\x02\x00\x00\x00etag: \"x\"\x00" +
	"1.0.0\x00{\"name\":\"a\",\"vers\":\"1.0.0\",\"deps\":[{\"name\":\"n\",\"req\":\"^1.2\",\"kind\":\"normal\",\"optional\":true,\"package\":\"real\"}],\"cksum\":\"00\",\"features\":{},\"yanked\":true}\x00" +
	"1.1.0\x00{\"name\":\"a\",\"vers\":\"1.1.0\",\"deps\":[],\"cksum\":\"01\",\"features\":{},\"yanked\":false,\"rust_version\":\"1.85\"}\x00" +
	"1.2.0-rc.1\x00{\"name\":\"a\",\"vers\":\"1.2.0-rc.1\",\"deps\":[],\"cksum\":\"02\",\"features\":{},\"yanked\":false}\x00")

func TestIndexCache(t *testing.T) {
	list, err := parseIndexCache(bytes.NewReader(cache))
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	ix := Index{"a": list}
	ix.sort()
	if v, ok := ix.Version("a", "1.0.0"); !ok || !v.Yanked || v.Depends[0].Crate() != "real" || v.Depends[0].Req != "^1.2" {
		t.Errorf("%+v", v)
	}
	if v, ok := ix.Newest("a", false); !ok || v.Version != "1.1.0" || v.RustVersion != "1.85" {
		t.Errorf("newest release: %+v", v)
	}
	if v, ok := ix.Newest("a", true); !ok || v.Version != "1.2.0-rc.1" {
		t.Errorf("newest: %+v", v)
	}
	if _, ok := ix.Newest("b", true); ok {
		t.Error("a crate that is not there has a version")
	}
	for _, n := range []int{3, 8, len(cache) - 1, len(cache) - 30} {
		if _, err := parseIndexCache(bytes.NewReader(cache[:n])); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(cache))
		}
	}
}

func FuzzIndexCache(f *testing.F) {
	f.Add(cache)
	f.Add([]byte("\x03\x02\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseIndexCache(bytes.NewReader(b))
		if err == nil {
			ix := Index{"a": list}
			ix.sort()
			ix.Newest("a", true)
		}
	})
}
