package phr

import (
	"context"
	"fmt"
	"iter"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// Roles of those who have a vault.
const (
	rolePatient = "patient"
	roleOfficer = "officer"
)

// Sealing says under which keys a version is.
type Sealing struct {
	Ref
	// Custodian is the hospital that keeps it.
	Custodian uint64
	// Epoch of the owner's vault key that its envelope is sealed to.
	Epoch uint64
	// Generation of the network's key that locks it.
	Generation uint64
	// Relocking says that another lock waits for its confirmation.
	Relocking bool
}

// Sealings lists the versions that the account owns and that are not erased, by record: a patient's own, or for an officer those that
// the hospital owns. The error is ErrForbidden for other accounts.
func (c *Client) Sealings(ctx context.Context) iter.Seq2[Sealing, error] {
	return func(yield func(Sealing, error) bool) {
		list, err := c.ownRecords(ctx)
		if err != nil {
			yield(Sealing{}, err)
			return
		}
		for r, err := range list {
			if err != nil {
				yield(Sealing{}, err)
				return
			}
			if r.GetErased() == r.GetVersions() {
				continue
			}
			id, err := lock.ParseCanonicalID(r.GetId())
			if err != nil {
				yield(Sealing{}, err)
				return
			}
			for v, err := range c.History(ctx, id) {
				if err == nil && v.GetTombstone() != nil {
					continue
				}
				s := Sealing{
					Ref: Ref{id, v.GetVersion()}, Custodian: r.GetCustodian(), Epoch: v.GetSealedEpoch(), Generation: v.GetHeader().GetGeneration(),
					Relocking: v.GetRelock() != nil,
				}
				if !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// SealingsOf are the Sealings that a vault opens. One that was begun anew opens nothing that was sealed before.
func (c *Client) SealingsOf(ctx context.Context, vault *Vault) iter.Seq2[Sealing, error] {
	return func(yield func(Sealing, error) bool) {
		for s, err := range c.Sealings(ctx) {
			opens := false
			if err == nil {
				opens, err = vault.Has(s.Epoch)
			}
			if err == nil && !opens {
				continue
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// ownRecords are the records that the account's vault opens.
func (c *Client) ownRecords(ctx context.Context) (iter.Seq2[*recordsv1.Record, error], error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return nil, err
	}
	if who.Role == rolePatient {
		p, err := c.self(ctx)
		if err != nil {
			return nil, err
		}
		return c.Records(ctx, p.GetId()), nil
	}
	if who.Role != roleOfficer {
		return nil, fmt.Errorf("a %s has no vault: %w", who.Role, ErrForbidden)
	}
	return func(yield func(*recordsv1.Record, error) bool) {
		for r, err := range c.RecordsOf(ctx, who.Hospital) {
			if err == nil && r.GetOwnerKind() != recordsv1.OwnerKind_OWNER_KIND_HOSPITAL {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}, nil
}

// LockCounts counts the versions of the network that are not erased, by the generation of its key that locks them.
func (c *Client) LockCounts(ctx context.Context) (map[uint64]uint64, error) {
	counts := map[uint64]uint64{}
	for l, err := range pages(ctx, c.lockPage) {
		if err != nil {
			return nil, err
		}
		counts[l.GetGeneration()] += l.GetVersions()
	}
	return counts, nil
}

func (c *Client) lockPage(ctx context.Context, page *queryv1.PageRequest) ([]*recordsv1.LockCount, *queryv1.PageResponse, error) {
	answer, err := c.records().Locks(ctx, &recordsv1.QueryLocksRequest{Pagination: page})
	return answer.GetLocks(), answer.GetPagination(), err
}

// groups brings versions into their order and puts those together that one message may name: of one custodian, and with the same key of
// the network, at most [MaxOwned].
func groups(versions []*lockedVersion) [][]*lockedVersion {
	var list [][]*lockedVersion
	open := map[[2]uint64]int{}
	for _, v := range versions {
		key := [2]uint64{v.header.Context.Custodian, v.stored.GetHeader().GetGeneration()}
		at, ok := open[key]
		if !ok || len(list[at]) == MaxOwned {
			at = len(list)
			open[key] = at
			list = append(list, nil)
		}
		list[at] = append(list[at], v)
	}
	return list
}

// openEnvelope reads the envelope of a version that the account owns, and opens the owner's half in it.
func (c *Client) openEnvelope(ctx context.Context, vault *Vault, v *lockedVersion) (*seal.Envelope, *seal.Half, error) {
	block, err := c.ownEnvelope(ctx, v.ref, v.header.Envelope)
	if err != nil {
		return nil, nil, fmt.Errorf("envelope of %s: %w", v.ref, err)
	}
	e, err := v.header.OpenEnvelope(block)
	if err != nil {
		return nil, nil, fmt.Errorf("envelope of %s: %w", v.ref, err)
	}
	half, err := vault.openOwn(v.header, e)
	if err != nil {
		return nil, nil, fmt.Errorf("version %s: %w", v.ref, err)
	}
	return e, half, nil
}
