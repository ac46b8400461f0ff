// Package recording writes a run of a board to a file and repeats it, bit for
// bit, without the access point, the network and the user that took part in it.
//
// A Recorder is a chip.Radio in front of another: it writes every frame that
// the chip sends and receives. The board itself knows its other inputs, which
// Recorder.Finish adds. A Recording is what Read returns for such a file; its
// Replay is a chip.Radio that delivers the recorded frames and reports the
// first difference between the run and the recording.
//
// The package opens no files. docs/network.md describes the format.
package recording
