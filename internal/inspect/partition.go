package inspect

import (
	"fmt"

	"espalier.dev/espalier/esp/partition"
	"espalier.dev/espalier/internal/ui"
)

// Partition is a partition in the events "flash" and "partition-table".
type Partition struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Subtype string `json:"subtype"`
	Offset  uint32 `json:"offset"`
	Size    uint32 `json:"size"`
	Flags   string `json:"flags,omitempty"`
}

func partitionsOf(t partition.Table) []Partition {
	out := []Partition{}
	for _, p := range t.Entries {
		out = append(out, Partition{p.Name, p.Type.String(), partition.SubtypeName(p.Type, p.Subtype), p.Offset, p.Size, p.Flags.String()})
	}
	return out
}

// tableOf makes the table of partitions; content may say what is in them.
func tableOf(t partition.Table, content map[string]string) ui.Table {
	out := ui.Table{Head: []string{"name", "type", "subtype", "offset", "size", "", "flags"}, Right: []int{5}}
	if content != nil {
		out.Head = append(out.Head, "content")
	}
	for _, p := range partitionsOf(t) {
		row := []string{p.Name, p.Type, p.Subtype, fmt.Sprintf("0x%06x", p.Offset), fmt.Sprintf("0x%06x", p.Size), ui.Size(int64(p.Size)), p.Flags}
		out.Rows = append(out.Rows, append(row, content[p.Name])[:len(out.Head)])
	}
	return out
}

// PartitionTable is the event "partition-table".
type PartitionTable struct {
	File       string      `json:"file"`
	Partitions []Partition `json:"partitions"`
	Warnings   []string    `json:"warnings,omitempty"`
}

// EventName implements Event.
func (PartitionTable) EventName() string { return "partition-table" }

func ofTable(name string, t partition.Table) View {
	return View{
		Event: PartitionTable{name, partitionsOf(t), t.Warnings()},
		Parts: []Part{{Table: tableOf(t, nil)}},
		Notes: t.Warnings(),
	}
}
