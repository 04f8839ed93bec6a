package node

import (
	"context"
	"fmt"
	"slices"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
)

// version calls f for the object of one version if it is to be mirrored.
func (m *Mirror) version(ctx context.Context, record string, number uint64, f func(object, string) error) error {
	r, err := m.records.Record(ctx, &recordsv1.QueryRecordRequest{Id: record})
	if status.Code(err) == codes.NotFound || err == nil && !slices.Contains(m.config.Classes, r.GetRecord().GetClass()) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for record %s: %w", record, err)
	}
	v, err := m.records.Version(ctx, &recordsv1.QueryVersionRequest{Record: record, Version: number})
	if err != nil {
		return fmt.Errorf("ask for version %d of record %s: %w", number, record, err)
	}
	return m.consider(ctx, v.GetVersion(), f)
}

// each calls f for every object that is to be mirrored.
func (m *Mirror) each(ctx context.Context, f func(object, string) error) error {
	var members []uint64
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := m.members.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		for _, member := range got.GetMembers() {
			members = append(members, member.GetNumber()) // those that left too: their records stay
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return fmt.Errorf("list members: %w", err)
	}
	for _, member := range members {
		err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
			if err := m.pace.Wait(ctx); err != nil {
				return nil, err
			}
			got, err := m.records.Records(ctx, &recordsv1.QueryRecordsRequest{Custodian: member, Pagination: page})
			if err != nil {
				return nil, fmt.Errorf("list the records of member %d: %w", member, err)
			}
			for _, r := range got.GetRecords() {
				if slices.Contains(m.config.Classes, r.GetClass()) && r.GetErased() < r.GetVersions() {
					if err := m.eachVersion(ctx, r.GetId(), f); err != nil {
						return nil, err
					}
				}
			}
			return got.GetPagination(), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) eachVersion(ctx context.Context, record string, f func(object, string) error) error {
	return Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		if err := m.pace.Wait(ctx); err != nil {
			return nil, err
		}
		got, err := m.records.Versions(ctx, &recordsv1.QueryVersionsRequest{Record: record, Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("list the versions of record %s: %w", record, err)
		}
		for _, v := range got.GetVersions() {
			if err := m.consider(ctx, v, f); err != nil {
				return nil, err
			}
		}
		return got.GetPagination(), nil
	})
}

// consider calls f for the object of a version, unless it was erased or the chain has this node
// hold it.
func (m *Mirror) consider(ctx context.Context, v *recordsv1.Version, f func(object, string) error) error {
	if v.GetTombstone() != nil {
		return nil
	}
	o, err := m.wanted(ctx, v.GetObject())
	if err != nil || o == nil {
		return err
	}
	return f(*o, v.GetObject())
}

// wanted returns an object, nil where it was erased or the chain has this node hold it.
func (m *Mirror) wanted(ctx context.Context, cid string) (*object, error) {
	if err := m.pace.Wait(ctx); err != nil {
		return nil, err
	}
	node, err := m.self.number(ctx)
	if err != nil {
		return nil, err
	}
	got, err := m.objects.Object(ctx, &storagev1.QueryObjectRequest{Cid: cid})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask for object %s: %w", cid, err)
	}
	if slices.ContainsFunc(got.GetCopies(), func(c *storagev1.Copy) bool { return c.GetNode() == node }) {
		return nil, nil
	}
	o, err := parseObject(got.GetObject())
	return &o, err
}

// bytes is about how many bytes an object takes.
func (o object) bytes() uint64 {
	if o.root.IsDag() {
		return o.budget
	}
	return uint64(o.single)
}

// isHere tells whether the store holds all of an object. It asks with Has: what is mirrored
// is named for the collector by the chain and the settings, not by its use.
func (m *Mirror) isHere(ctx context.Context, o object) (bool, error) {
	blocks := append(slices.Clone(o.attached), o.root)
	if o.root.IsDag() {
		tree, err := blob.ReadTree(ctx, m.config.Store, o.root, o.budget)
		if isLost(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, l := range tree.Leaves {
			blocks = append(blocks, l.CID)
		}
	}
	for _, c := range blocks {
		has, err := m.config.Store.Has(ctx, c)
		if err != nil || !has {
			return false, err
		}
	}
	return true, nil
}

// Mirrors tells whether an object is one that the mirror keeps, so that the collector leaves
// it. Where more is held than the settings allow now, the rest is none.
func (m *Mirror) Mirrors(ctx context.Context, o *storagev1.Object) (bool, error) {
	got, err := m.records.VersionOf(ctx, &recordsv1.QueryVersionOfRequest{Object: o.GetCid()})
	if status.Code(err) == codes.NotFound || err == nil && got.GetVersion().GetTombstone() != nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask what object %s is: %w", o.GetCid(), err)
	}
	record := got.GetVersion().GetRecord()
	r, err := m.records.Record(ctx, &recordsv1.QueryRecordRequest{Id: record})
	if err != nil {
		return false, fmt.Errorf("ask for record %s: %w", record, err)
	}
	if !slices.Contains(m.config.Classes, r.GetRecord().GetClass()) {
		return false, nil
	}
	parsed, err := parseObject(o)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over > 0 {
		m.over -= min(m.over, parsed.bytes())
		return false, nil
	}
	return true, nil
}
