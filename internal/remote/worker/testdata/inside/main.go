// Command inside is the command of the steps that a test runs on a cluster.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	switch os.Args[1] {
	case "look":
		look()
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "sleep":
		seconds, _ := strconv.Atoi(os.Args[2])
		time.Sleep(time.Duration(seconds) * time.Second)
		look()
	}
}

// look writes what the step has to both outputs.
func look() {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	text := fmt.Sprintln(host, dir, os.Getuid(), os.Getpid(), os.Environ(), os.Args[1:])
	for _, name := range []string{"/", "/src", "/target", "/etc", "/tmp", "/empty"} {
		entries, err := os.ReadDir(name)
		text += fmt.Sprintln(name, err)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && name != "/" {
				text += fmt.Sprintln(" ", e.Name(), info.Mode(), info.ModTime().Unix())
			} else {
				text += fmt.Sprintln(" ", e.Name())
			}
		}
	}
	fmt.Print(text)
	for _, name := range []string{"/out/seen", "/target/new"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
