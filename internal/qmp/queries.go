package qmp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Devices lists what is plugged into the machine.
func Devices(ctx context.Context, mon *Monitor) ([]string, error) {
	return Objects(ctx, mon, "/machine/peripheral")
}

// Objects lists the objects directly below a path of QEMU's object model.
func Objects(ctx context.Context, mon *Monitor, path string) ([]string, error) {
	var list []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := mon.Run(ctx, "qom-list", map[string]any{"path": path}, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, o := range list {
		if strings.HasPrefix(o.Type, "child<") {
			names = append(names, o.Name)
		}
	}
	return names, nil
}

// HasDevice says whether a device is plugged in.
func HasDevice(ctx context.Context, mon *Monitor, device string) (bool, error) {
	list, err := Devices(ctx, mon)
	return slices.Contains(list, device), err
}

// BlockNode is what QEMU says of one of its block nodes.
type BlockNode struct {
	Name      string `json:"node-name"`
	Encrypted bool   `json:"encrypted"`
	Image     struct {
		Size int64 `json:"virtual-size"`
	} `json:"image"`
}

// BlockNodes lists all block nodes, without what lies below each.
func BlockNodes(ctx context.Context, mon *Monitor) ([]BlockNode, error) {
	var nodes []BlockNode
	err := mon.Run(ctx, "query-named-block-nodes", map[string]any{"flat": true}, &nodes)
	return nodes, err
}

// HasNode says whether a node of the name is among them.
func HasNode(nodes []BlockNode, name string) bool {
	return slices.ContainsFunc(nodes, func(n BlockNode) bool { return n.Name == name })
}

// Job is what QEMU does at length.
type Job struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Error  string `json:"error"`
}

// FindJob looks for a job that has not been dismissed.
func FindJob(ctx context.Context, mon *Monitor, id string) (Job, bool, error) {
	var jobs []Job
	if err := mon.Run(ctx, "query-jobs", nil, &jobs); err != nil {
		return Job{}, false, err
	}
	i := slices.IndexFunc(jobs, func(j Job) bool { return j.ID == id })
	if i < 0 {
		return Job{}, false, nil
	}
	return jobs[i], true, nil
}

// AwaitJob waits until a job has ended and clears it away.
func AwaitJob(ctx context.Context, mon *Monitor, id string) error {
	var ended Job
	err := mon.Await(ctx, func() (bool, error) {
		j, ok, err := FindJob(ctx, mon, id)
		if err == nil && !ok {
			err = errors.New("the job is gone")
		}
		ended = j
		return j.Status == "concluded", err
	})
	if err != nil {
		return err
	}
	if err := mon.Run(ctx, "job-dismiss", map[string]any{"id": id}, nil); err != nil {
		return err
	}
	if ended.Error != "" {
		return errors.New(ended.Error)
	}
	return nil
}

// AwaitMigration waits until memory is saved or restored.
func AwaitMigration(ctx context.Context, mon *Monitor) error {
	return mon.Await(ctx, func() (bool, error) {
		var s struct {
			Status string `json:"status"`
			Error  string `json:"error-desc"`
		}
		if err := mon.Run(ctx, "query-migrate", nil, &s); err != nil {
			return false, err
		}
		switch s.Status {
		case "completed":
			return true, nil
		case "failed", "cancelled":
			return false, fmt.Errorf("saving or restoring memory %s: %s", s.Status, s.Error)
		}
		return false, nil
	})
}
