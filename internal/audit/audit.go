// Package audit keeps one line of JSON for each call, in the shape of CloudTrail's records: who, what, on which ids,
// from where, with what result. It decides nothing, and what it cannot write stops nobody.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits bound a trail.
type Limits struct {
	Bytes int64 // of a file, after which the next is begun
	Files int   // that are full and kept; the oldest go
}

// DefaultLimits are about 700 MiB in all.
var DefaultLimits = Limits{Bytes: 64 << 20, Files: 10}

// Trail is a file that grows, and those that are full, in one directory.
type Trail struct {
	dir, name string
	limits    Limits
	log       *slog.Logger
	now       func() time.Time

	mu    sync.Mutex
	file  *os.File
	size  int64
	lost  int // records since the last one that was written
	spoke time.Time
}

// Open begins or goes on with the trail called name in dir.
func Open(dir, name string, limits Limits, log *slog.Logger, now func() time.Time) (*Trail, error) {
	t := &Trail{dir: dir, name: name, limits: limits, log: log, now: now}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return t, t.open()
}

func (t *Trail) path() string { return filepath.Join(t.dir, t.name+".jsonl") }

func (t *Trail) open() error {
	f, err := os.OpenFile(t.path(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	t.file, t.size = f, fi.Size()
	return nil
}

// Write appends a record. What cannot be written is counted, said in the log once a minute, and lost.
func (t *Trail) Write(r Record) {
	line, err := json.Marshal(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		err = t.append(append(line, '\n'))
	}
	if err == nil {
		if t.lost > 0 {
			t.log.Warn("audit: records are written again", "lost", t.lost)
		}
		t.lost = 0
		return
	}
	t.lost++
	if now := t.now(); now.Sub(t.spoke) > time.Minute {
		t.spoke = now
		t.log.Error("audit: a record could not be written; calls go on without", "error", err, "lost", t.lost)
	}
}

func (t *Trail) append(line []byte) error {
	if t.file != nil && t.size > 0 && t.size+int64(len(line)) > t.limits.Bytes {
		if err := t.turn(); err != nil {
			return err
		}
	}
	if t.file == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	n, err := t.file.Write(line)
	t.size += int64(n)
	if err != nil && n > 0 { // half a line would spoil the next
		if t.file.Truncate(t.size-int64(n)) == nil {
			t.size -= int64(n)
		}
	}
	return err
}

// asideForm is the time in the name of a file that is full: names sort as times do.
const asideForm = "20060102T150405.000000000Z"

// turn puts the full file aside under its time, and removes the oldest. A file's time comes after those of the files
// before it, also where the clock says otherwise.
func (t *Trail) turn() error {
	err := t.file.Close()
	t.file = nil
	prefix := filepath.Join(t.dir, t.name+"-")
	full, globbing := filepath.Glob(prefix + "*.jsonl")
	if err := errors.Join(err, globbing); err != nil {
		return err
	}
	slices.Sort(full)
	at := t.now().UTC()
	if n := len(full); n > 0 {
		last, err := time.Parse(asideForm, strings.TrimSuffix(strings.TrimPrefix(full[n-1], prefix), ".jsonl"))
		if err == nil && !at.After(last) {
			at = last.Add(1)
		}
	}
	aside := prefix + at.Format(asideForm) + ".jsonl"
	if err := os.Rename(t.path(), aside); err != nil {
		return err
	}
	full = append(full, aside)
	for _, old := range full[:max(len(full)-t.limits.Files, 0)] {
		if err := os.Remove(old); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the trail.
func (t *Trail) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// Record is a call, in CloudTrail's names.
type Record struct {
	EventVersion       string            `json:"eventVersion"`
	UserIdentity       Identity          `json:"userIdentity"`
	EventTime          string            `json:"eventTime"`
	EventSource        string            `json:"eventSource"`
	EventName          string            `json:"eventName"`
	Region             string            `json:"awsRegion"`
	SourceIP           string            `json:"sourceIPAddress"`
	UserAgent          string            `json:"userAgent"`
	ErrorCode          string            `json:"errorCode,omitempty"`
	ErrorMessage       string            `json:"errorMessage,omitempty"`
	RequestParameters  map[string]string `json:"requestParameters"`
	ResponseElements   map[string]string `json:"responseElements"`
	RequestID          string            `json:"requestID"`
	EventID            string            `json:"eventID"`
	ReadOnly           bool              `json:"readOnly"`
	Resources          []Resource        `json:"resources,omitempty"`
	EventType          string            `json:"eventType"`
	ManagementEvent    bool              `json:"managementEvent"`
	RecipientAccountID string            `json:"recipientAccountId,omitempty"`
	EventCategory      string            `json:"eventCategory"`

	AdditionalEventData map[string]int `json:"additionalEventData,omitempty"`
}

// Identity is who called.
type Identity struct {
	Type        string   `json:"type"` // Root, IAMUser, AssumedRole; Unknown where no signature was good
	PrincipalID string   `json:"principalId,omitempty"`
	ARN         string   `json:"arn,omitempty"`
	AccountID   string   `json:"accountId,omitempty"`
	AccessKeyID string   `json:"accessKeyId,omitempty"`
	UserName    string   `json:"userName,omitempty"`
	Session     *Session `json:"sessionContext,omitempty"`
}

// Session is whose role was taken.
type Session struct {
	Issuer     Issuer            `json:"sessionIssuer"`
	Attributes map[string]string `json:"attributes"`
}

// Issuer is a role.
type Issuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

// Resource is what a call named.
type Resource struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
}

// IdentityOf is the identity behind a caller's ARN, unique id and key.
func IdentityOf(account, arn, userID, key string) Identity {
	if account == "" {
		return Identity{Type: "Unknown", AccessKeyID: key}
	}
	id := Identity{Type: "Root", PrincipalID: userID, ARN: arn, AccountID: account, AccessKeyID: key}
	_, resource, _ := strings.Cut(arn, "::"+account+":")
	switch kind, rest, _ := strings.Cut(resource, "/"); kind {
	case "user":
		id.Type, id.UserName = "IAMUser", rest[strings.LastIndexByte(rest, '/')+1:]
	case "assumed-role":
		role, _, _ := strings.Cut(rest, "/")
		unique, _, _ := strings.Cut(userID, ":")
		id.Type = "AssumedRole"
		id.Session = &Session{
			Issuer{"Role", unique, "arn:aws:iam::" + account + ":role/" + role, account, role},
			map[string]string{"mfaAuthenticated": "false"},
		}
	}
	return id
}
