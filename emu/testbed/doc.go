// Package testbed assembles an emulated board with the things around it: a
// Wi-Fi access point, the network of that access point with its servers, a fault
// schedule, a capture, and a recording or its replay. Input is one Config, output
// a board that is ready to run:
//
//	bed, err := testbed.New(testbed.Config{
//		Board: emu.Config{ROM: rom, Flash: flash},
//		Hosts: map[string]http.Handler{"api.example.com": mux},
//	})
//	if err != nil { … }
//	defer bed.Close()
//	res := bed.Board.Run(ctx, emu.UntilText("200 OK"), emu.Limit(30*time.Second))
//
// The network is isolated unless the Config says otherwise, and the run is then
// reproducible: equal Configs give equal traces. The package opens no files and
// prints nothing; package emutest is built on it for tests.
package testbed
