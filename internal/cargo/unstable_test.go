package cargo

import (
	"fmt"
	"strings"
	"testing"
)

func TestUnstableFeatures(t *testing.T) {
	for src, want := range map[string]string{
		"":                                      "",
		"#![no_std]\n#![feature(c_variadic)]\n": "c_variadic:2",
		"//! Docs.\n/* #![feature(no)] */\n#![feature(\n  a,\n  b,\n)]\n": "a:4 b:5",
		"#!/usr/bin/env run\n#![feature(a)]":                              "a:2",
		"#![cfg_attr(feature = \"on\", feature(a))]":                      "a:1",
		"#![cfg_attr(feature = \"off\", feature(a))]":                     "",
		"#![cfg_attr(not(feature = \"off\"), no_std, feature(a, b))]":     "a:1 b:1",
		"#![cfg_attr(all(feature = \"on\", probed), feature(a))]":         "",
		"#![cfg_attr(any(feature = \"on\", probed), feature(a))]":         "a:1",
		"#![cfg_attr(all(feature = \"on\", not(docsrs)), feature(a))]":    "a:1",
		"#![cfg_attr(docsrs, feature(doc_cfg))]":                          "",
		"#![cfg_attr(not(probed), feature(a))]":                           "",
		"#![cfg_attr(target_arch = \"riscv32\", feature(a))]":             "",
		"#![cfg_attr(feature = \"on\", cfg_attr(true, feature(a)))]":      "a:1",
		"#![doc = \"#![feature(no)]\"]\nmod m {}\n#![feature(late)]":      "",
		"#[inline]\nfn f() {}\n":                                          "",
		"#![feature(":                                                     "",
		"#![cfg_attr(":                                                    "",
		"#![cfg_attr(not(), feature(a))]":                                 "",
	} {
		var got []string
		for _, u := range UnstableFeatures([]byte(src), []string{"on"}) {
			got = append(got, fmt.Sprintf("%s:%d", u.Name, u.Line))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
}

func FuzzUnstableFeatures(f *testing.F) {
	f.Add("#![cfg_attr(all(feature = \"on\", not(docsrs)), feature(a))]")
	f.Add("#![feature(a, b)]")
	f.Fuzz(func(_ *testing.T, src string) { UnstableFeatures([]byte(src), []string{"on"}) })
}
