package main

import (
	"bytes"
	"path"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// documents returns the completions and manual pages of a command tree.
func documents(root *cobra.Command, r release) ([]file, error) {
	root.DisableAutoGenTag = true // it has the day of the build
	var files []file
	for name, generate := range map[string]func(*bytes.Buffer) error{
		"espalier.bash": func(w *bytes.Buffer) error { return root.GenBashCompletionV2(w, true) },
		"_espalier":     func(w *bytes.Buffer) error { return root.GenZshCompletion(w) },
		"espalier.fish": func(w *bytes.Buffer) error { return root.GenFishCompletion(w, true) },
		"espalier.ps1":  func(w *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(w) },
	} {
		var b bytes.Buffer
		if err := generate(&b); err != nil {
			return nil, err
		}
		files = append(files, file{name: path.Join("completions", name), mode: 0o644, data: b.Bytes()})
	}
	var page func(*cobra.Command) error
	page = func(cmd *cobra.Command) error {
		var b bytes.Buffer
		date := r.date
		header := &doc.GenManHeader{Section: "1", Date: &date, Source: "espalier " + r.version, Manual: "espalier"}
		if err := doc.GenMan(cmd, header, &b); err != nil {
			return err
		}
		name := cmd.CommandPath()
		name = string(bytes.ReplaceAll([]byte(name), []byte(" "), []byte("-")))
		files = append(files, file{name: path.Join("man", name+".1"), mode: 0o644, data: b.Bytes()})
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				if err := page(sub); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return files, page(root)
}
