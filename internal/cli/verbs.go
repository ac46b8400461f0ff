package cli

import "github.com/spf13/cobra"

// Groups of verbs, in the order of the help.
const (
	groupStart       = "start"
	groupPin         = "pin"
	groupMake        = "make"
	groupRun         = "run"
	groupBoard       = "board"
	groupLook        = "look"
	groupProve       = "prove"
	groupMaintenance = "maintenance"
)

func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupStart, Title: "Start:"},
		{ID: groupPin, Title: "Pin:"},
		{ID: groupMake, Title: "Make:"},
		{ID: groupRun, Title: "Run:"},
		{ID: groupBoard, Title: "Board:"},
		{ID: groupLook, Title: "Look:"},
		{ID: groupProve, Title: "Prove:"},
		{ID: groupMaintenance, Title: "Maintenance:"},
	}
}

// verbs is the table of all verbs, in the order of the help.
func verbs() []verb {
	return []verb{
		{groupStart, newDemo},
		{groupStart, newNew},
		{groupPin, newLock},
		{groupPin, newFetch},
		{groupPin, newUpdate},
		{groupPin, newOutdated},
		{groupMake, newBuild},
		{groupMake, newCheck},
		{groupMake, newClippy},
		{groupMake, newShell},
		{groupMake, newWhy},
		{groupMake, newMacroServer},
		{groupRun, newRun},
		{groupRun, newTest},
		{groupRun, newEmulate},
		{groupBoard, newFlash},
		{groupBoard, newMonitor},
		{groupBoard, newPorts},
		{groupBoard, newReadFlash},
		{groupBoard, newErase},
		{groupBoard, newNVS},
		{groupBoard, newServePort},
		{groupLook, newInspect},
		{groupLook, newSymbolize},
		{groupLook, newSize},
		{groupLook, newDiff},
		{groupLook, newExplain},
		{groupProve, newVerify},
		{groupProve, newSBOM},
		{groupProve, newAttest},
		{groupProve, newAudit},
		{groupProve, newArchive},
		{groupProve, newRestore},
		{groupProve, newExport},
		{groupMaintenance, newDoctor},
		{groupMaintenance, newGC},
		{groupMaintenance, newCompletion},
		{groupMaintenance, newVersion},
	}
}

// verb is one line of the table.
type verb struct {
	group string
	make  func(*app) *cobra.Command
}
