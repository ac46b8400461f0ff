package faults_test

import (
	"fmt"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
)

// A schedule as users write it, and what is active at an instant.
func ExampleParseAll() {
	s, err := faults.ParseAll([]string{"from 2s to 5s radio-loss 30%", "at 1s deauth"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	for _, at := range []time.Duration{time.Second, 3 * time.Second} {
		f, ok := s.Active(faults.RadioLoss, emu.At(at))
		fmt.Println(at, ok, f.PPM)
	}
	// Output:
	// at 1s deauth reason 7
	// from 2s to 5s radio-loss 30%
	// 1s false 0
	// 3s true 300000
}
