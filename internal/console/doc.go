// Package console shows the lines and crash reports that package monitor makes
// of a board's bytes: as text on a terminal, unaltered on a pipe, as JSON events
// with --json. It decides nothing about a run and prints through package ui
// only.
package console
