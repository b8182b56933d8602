package imports

import (
	"cmp"
	"context"
	"strconv"

	"slipway"
	"slipway/internal/describe"
	"slipway/internal/ec2wire"
	"slipway/internal/filters"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
)

var fields = filters.Fields[*slipway.ImportTask]{
	"task-state": func(t *slipway.ImportTask) []string { return shape.One(t.State) },
}

// kind is how tasks of one kind are described.
func kind[W any](ofImage bool, wire func(store.Reader, *slipway.ImportTask) W) describe.Kind[slipway.ImportTask, W] {
	return describe.Kind[slipway.ImportTask, W]{
		Table: state.ImportTasks, Fields: describe.Fixed(fields),
		Tags: func(t *slipway.ImportTask) slipway.Tags { return t.Tags }, Wire: wire,
		See: func(_ state.Scope, t *slipway.ImportTask, _ bool) bool { return t.ID.OfImage() == ofImage },
	}
}

// Images answers DescribeImportImageTasks.
func (s *Service) Images(
	ctx context.Context, in *ec2wire.DescribeImportImageTasksRequest,
) (*ec2wire.DescribeImportImageTasksResult, error) {
	page, next, err := kind(true, wireImage).List(ctx, s.db,
		describe.Query{IDs: in.ImportTaskIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeImportImageTasksResult{ImportImageTasks: page, NextToken: next}, err
}

// Snapshots answers DescribeImportSnapshotTasks.
func (s *Service) Snapshots(
	ctx context.Context, in *ec2wire.DescribeImportSnapshotTasksRequest,
) (*ec2wire.DescribeImportSnapshotTasksResult, error) {
	page, next, err := kind(false, wireSnapshot).List(ctx, s.db,
		describe.Query{IDs: in.ImportTaskIds, Filters: in.Filters, Max: in.MaxResults, Token: in.NextToken})
	return &ec2wire.DescribeImportSnapshotTasksResult{ImportSnapshotTasks: page, NextToken: next}, err
}

// Cancel answers CancelImportTask: the task's host stops, and removes what it has made.
func (s *Service) Cancel(ctx context.Context, in *ec2wire.CancelImportTaskRequest) (*ec2wire.CancelImportTaskResult, error) {
	id, err := shape.Need(in.ImportTaskId, "ImportTaskId")
	if err != nil {
		return nil, err
	}
	out := &ec2wire.CancelImportTaskResult{ImportTaskId: &id}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		return state.ImportTasks.Edit(tx, state.Of(ctx), id, func(t *slipway.ImportTask) error {
			out.PreviousState = shape.Text(t.State)
			switch t.State {
			case slipway.ImportStateCompleted:
				return slipway.Errorf(slipway.IncorrectState, "The import task '%s' is completed and cannot be cancelled.", id)
			case slipway.ImportStateActive:
				t.Message = cmp.Or(shape.Get(in.CancelReason), "The task was cancelled.")
				if err := t.Become(slipway.ImportStateDeleting); err != nil {
					return err
				}
			}
			out.State = shape.Text(t.State)
			return nil
		})
	})
	return out, err
}

// progress is shown while a task is active.
func progress(t *slipway.ImportTask, percent int32) *string {
	if t.State != slipway.ImportStateActive {
		return nil
	}
	return shape.Of(strconv.Itoa(int(percent)))
}

func bucketOf(d *slipway.ImportDisk) *ec2wire.UserBucketDetails {
	if d.Source.Bucket == "" {
		return nil
	}
	return &ec2wire.UserBucketDetails{S3Bucket: &d.Source.Bucket, S3Key: &d.Source.Key}
}

// made is the snapshot of a disk, which is there once its task is completed.
func made(t *slipway.ImportTask, d *slipway.ImportDisk) *string {
	if t.State != slipway.ImportStateCompleted {
		return nil
	}
	return shape.Text(d.Snapshot)
}

func wireImage(_ store.Reader, t *slipway.ImportTask) ec2wire.ImportImageTask {
	w := ec2wire.ImportImageTask{
		ImportTaskId: shape.Text(t.ID), Description: shape.Text(t.Description), Status: shape.Text(t.State),
		StatusMessage: shape.Text(t.Message), Progress: progress(t, t.Progress),
		Architecture: shape.Of("x86_64"), BootMode: &t.BootMode, Encrypted: &t.Encrypted,
		KmsKeyId: shape.Key(t.Encrypted, t.Key, t.Account, t.Region),
		Platform: shape.Text(t.Platform), Hypervisor: shape.Text(t.Hypervisor),
		LicenseType: shape.Text(t.LicenseType), UsageOperation: shape.Text(t.UsageOperation),
		SnapshotDetails: []ec2wire.SnapshotDetail{}, Tags: shape.Tags(t.Tags),
	}
	if t.State == slipway.ImportStateCompleted {
		w.ImageId = shape.Text(t.Image)
	}
	for i := range t.Disks {
		d := &t.Disks[i]
		status := t.State
		if d.Progress == 100 {
			status = slipway.ImportStateCompleted
		}
		w.SnapshotDetails = append(w.SnapshotDetails, ec2wire.SnapshotDetail{
			Description: shape.Text(d.Description), DeviceName: shape.Text(d.Device), DiskImageSize: &d.FileSize,
			Format: shape.Text(d.Format), Progress: progress(t, d.Progress),
			SnapshotId: made(t, d), Status: shape.Text(status), Url: shape.Text(d.Source.URL), UserBucket: bucketOf(d),
		})
	}
	return w
}

func wireSnapshot(_ store.Reader, t *slipway.ImportTask) ec2wire.ImportSnapshotTask {
	d := &t.Disks[0]
	return ec2wire.ImportSnapshotTask{
		ImportTaskId: shape.Text(t.ID), Description: shape.Text(t.Description), Tags: shape.Tags(t.Tags),
		SnapshotTaskDetail: &ec2wire.SnapshotTaskDetail{
			Description: shape.Text(d.Description), DiskImageSize: &d.FileSize, Encrypted: &t.Encrypted,
			Format: shape.Text(d.Format), KmsKeyId: shape.Key(t.Encrypted, t.Key, t.Account, t.Region),
			Progress: progress(t, t.Progress), SnapshotId: made(t, d), Status: shape.Text(t.State),
			StatusMessage: shape.Text(t.Message), Url: shape.Text(d.Source.URL), UserBucket: bucketOf(d),
		},
	}
}
