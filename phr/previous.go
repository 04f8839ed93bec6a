package phr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// checkedAtOnce is how many leaves the gateway is asked about with one request.
const checkedAtOnce = 64

// previous is the manifest of the version that a file's leaves may be taken from; nil without one. Only a version that was opened in
// this network, of the same record, owner, custodian and lock, and not erased is taken: the keys of its leaves go
// into the new manifest, and must not come under another lock or to another owner.
func (c *Client) previous(ctx context.Context, v NewVersion, t seal.Terms) (*seal.Manifest, error) {
	f := v.Previous
	switch {
	case f == nil:
		return nil, nil
	case f.network != c.network:
		return nil, fmt.Errorf("version %s is of another network: %w", f.Ref, ErrPrevious)
	case v.Record == (lock.ID{}) || f.Ref.Record != v.Record || f.Ref.Version >= t.Version:
		return nil, fmt.Errorf("version %s is none before %s: %w", f.Ref, Ref{t.Record, t.Version}, ErrPrevious)
	}
	stored, err := c.Version(ctx, f.Ref)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", f.Ref, err)
	}
	owner, err := ownerOf(stored.GetHeader())
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", f.Ref, err)
	}
	switch h := stored.GetHeader(); {
	case stored.GetTombstone() != nil:
		return nil, fmt.Errorf("version %s was erased: %w", f.Ref, ErrPrevious)
	case stored.GetObject() != f.root.String():
		return nil, fmt.Errorf("version %s is not what was opened: %w", f.Ref, ErrPrevious)
	case h.GetLock() != recordsv1.Lock(t.Lock):
		return nil, fmt.Errorf("version %s has another lock: %w", f.Ref, ErrPrevious)
	case !bytes.Equal(owner.Bytes(), t.Owner.Bytes()) || owner.Kind() != t.Owner.Kind() || h.GetCustodian() != t.Custodian:
		return nil, fmt.Errorf("version %s is of another owner or custodian: %w", f.Ref, ErrPrevious)
	}
	return f.object.Manifest(), nil
}

// reuse has the new version name leaves of an earlier one. Where the hospital does not hold that one any more, all is sent.
func (p *packed) reuse(ctx context.Context, up *upload, previous *seal.Manifest) error {
	if previous == nil {
		return nil
	}
	known, err := up.giveLeaves(ctx, p.v.Previous.Ref)
	if err != nil || !known {
		return err
	}
	check := newLeafCheck(up, previous)
	p.draft.Previous, p.draft.Holds = previous, check.isWhole
	return nil
}

// giveLeaves gives the upload the leaves of a version that the hospital holds. It is false where it does not hold the version.
func (u *upload) giveLeaves(ctx context.Context, ref Ref) (bool, error) {
	body, err := json.Marshal(map[string]string{"record": ref.Record.String(), "version": strconv.FormatUint(ref.Version, 10)})
	if err != nil {
		return false, fmt.Errorf("encode request: %w", err)
	}
	ctx, stop := context.WithTimeout(ctx, stallTime)
	defer stop()
	header := http.Header{"Content-Type": {"application/json"}}
	resp, err := u.door.request(ctx, http.MethodPut, u.path+"/previous", header, func() io.Reader { return bytes.NewReader(body) })
	var p *Problem
	if errors.As(err, &p) && (p.Status == http.StatusConflict || p.Status == http.StatusRequestEntityTooLarge) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("leaves of %s: %w", ref, err)
	}
	return true, resp.Body.Close()
}

// leafCheck tells which leaves of an earlier version the hospital has whole on its disk. It asks about a group of neighbours when
// it is asked about the first of them.
type leafCheck struct {
	up     *upload
	place  map[lock.CID]int
	groups []leafGroup
}

type leafGroup struct {
	leaves []lock.CID
	once   sync.Once
	whole  map[lock.CID]bool
}

func newLeafCheck(up *upload, m *seal.Manifest) *leafCheck {
	l := &leafCheck{
		up: up, place: make(map[lock.CID]int, len(m.Entries)),
		groups: make([]leafGroup, (len(m.Entries)+checkedAtOnce-1)/checkedAtOnce),
	}
	for i := range m.Entries {
		c, g := m.Entries[i].CID, &l.groups[i/checkedAtOnce]
		l.place[c], g.leaves = i/checkedAtOnce, append(g.leaves, c)
	}
	return l
}

// isWhole is [seal.Draft].Holds. What the gateway does not vouch for, and what it can't be asked, is sent.
func (l *leafCheck) isWhole(ctx context.Context, c lock.CID) bool {
	place, known := l.place[c]
	if !known {
		return false
	}
	g := &l.groups[place]
	g.once.Do(func() { g.whole = l.up.check(ctx, g.leaves) })
	return g.whole[c]
}

// check asks which blocks the hospital's disk has whole.
func (u *upload) check(ctx context.Context, leaves []lock.CID) map[lock.CID]bool {
	ctx, stop := context.WithTimeout(ctx, stallTime)
	defer stop()
	resp, err := u.pick(ctx, "/check", leaves)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(len(leaves)*len(lock.CID{}))))
	if err != nil {
		return nil
	}
	whole := make(map[lock.CID]bool, len(leaves))
	for len(answer) >= len(lock.CID{}) {
		whole[lock.CID(answer)] = true
		answer = answer[len(lock.CID{}):]
	}
	return whole
}

// pick asks something about blocks of the upload.
func (u *upload) pick(ctx context.Context, what string, blocks []lock.CID) (*http.Response, error) {
	var list []byte
	for _, c := range blocks {
		list = append(list, c[:]...)
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	return u.door.request(ctx, http.MethodPost, u.path+what, header, func() io.Reader { return bytes.NewReader(list) })
}
