package phr

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// grantees are the vaults to which a patient's record is sealed beside the patient's own, because live consents cover it; record is
// empty for a new one. The chain refuses a version that is sealed to any other.
func (c *Client) grantees(ctx context.Context, patient string, class recordsv1.Class, record string) ([]seal.VaultKey, error) {
	if patient == "" {
		return nil, nil
	}
	answer, err := accessv1.NewQueryClient(c).Grantees(ctx, &accessv1.QueryGranteesRequest{Patient: patient, Class: class, Record: record})
	if err != nil {
		return nil, fmt.Errorf("consents of patient %s: %w", patient, err)
	}
	keys := make([]seal.VaultKey, len(answer.GetGrantees()))
	for i, g := range answer.GetGrantees() {
		if keys[i], err = vaultKeyOf(g); err != nil {
			return nil, fmt.Errorf("consents of patient %s: %w", patient, err)
		}
	}
	return keys, nil
}

func vaultKeyOf(g *accessv1.Grantee) (seal.VaultKey, error) {
	key, err := lock.ParsePublicKey(g.GetKey())
	if err != nil {
		return seal.VaultKey{}, err
	}
	k := seal.VaultKey{Epoch: g.GetEpoch(), Key: key}
	if g.GetStaff() == "" {
		k.Recipient, err = seal.HospitalRecipient(g.GetHospital())
		return k, err
	}
	address, err := wallet.ParseAddress(g.GetStaff())
	if err != nil {
		return k, err
	}
	k.Recipient = seal.StaffRecipient([wallet.AddressSize]byte(address))
	return k, nil
}

// grants are what an owner's live consents say about versions that are sealed anew, asked for once. It serves one piece of work: consents
// change.
type grants struct {
	client *Client
	vault  *Vault
	live   []Consent
	asked  bool
	known  map[lock.ID][]seal.VaultKey // by record
}

func (c *Client) newGrants(vault *Vault) *grants {
	return &grants{client: c, vault: vault, known: map[lock.ID][]seal.VaultKey{}}
}

// recipients are the keys to which versions of one owner are sealed anew together: the vault's newest, and those of the grantees whom
// live consents let open every one of them.
func (g *grants) recipients(ctx context.Context, versions ...*lockedVersion) ([]seal.VaultKey, error) {
	var common []seal.VaultKey
	for i, v := range versions {
		granted, err := g.of(ctx, v)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			common = slices.Clone(granted)
			continue
		}
		common = slices.DeleteFunc(common, func(k seal.VaultKey) bool { return !slices.Contains(granted, k) })
	}
	return append([]seal.VaultKey{g.vault.newest}, common...), nil
}

// of are the grantees of a version's record. An owner without consents is asked for nothing more.
func (g *grants) of(ctx context.Context, v *lockedVersion) ([]seal.VaultKey, error) {
	patient := v.stored.GetHeader().GetPatient()
	if patient == "" {
		return nil, nil
	}
	if !g.asked {
		live, err := collect(g.client.Consents(ctx, ConsentFilter{Patient: patient, Status: accessv1.ConsentStatus_CONSENT_STATUS_LIVE}))
		if err != nil {
			return nil, err
		}
		g.live, g.asked = live, true
	}
	granted, known := g.known[v.ref.Record]
	if known || len(g.live) == 0 {
		return granted, nil
	}
	record, err := g.client.Record(ctx, v.ref.Record)
	if err != nil {
		return nil, err
	}
	if granted, err = g.client.grantees(ctx, patient, record.GetClass(), record.GetId()); err != nil {
		return nil, err
	}
	g.known[v.ref.Record] = granted
	return granted, nil
}

// alike puts versions together that are sealed to the same keys.
func (g *grants) alike(ctx context.Context, versions []*lockedVersion) ([][]*lockedVersion, error) {
	places := map[string]int{}
	var list [][]*lockedVersion
	for _, v := range versions {
		keys, err := g.recipients(ctx, v)
		if err != nil {
			return nil, err
		}
		set := string(bytes.Join(keyHashes(keys), nil))
		at, known := places[set]
		if !known {
			at = len(list)
			places[set], list = at, append(list, nil)
		}
		list[at] = append(list[at], v)
	}
	return list, nil
}

// SealConsented has versions that are there already sealed for those to whom the patient consented since, and returns how many it sealed
// anew: what is sealed to each of them already is left as it is, so that it can be called again at any time. It is due after a grant,
// and after versions were locked anew together of which a consent covers some. tell is told how many are done, and may be nil.
// Errors are those of [Client.Reseal].
func (c *Client) SealConsented(ctx context.Context, vault *Vault, tell func(done int)) (int, error) {
	who, err := c.principalNow(ctx)
	if err != nil {
		return 0, err
	}
	live, err := collect(c.Consents(ctx, ConsentFilter{Patient: who.GetPatient(), Status: accessv1.ConsentStatus_CONSENT_STATUS_LIVE}))
	if err != nil || len(live) == 0 {
		return 0, err
	}
	var due []Ref
	for s, err := range c.SealingsOf(ctx, vault) {
		if err != nil {
			return 0, err
		}
		missing, err := c.isMissing(ctx, s.Ref, live)
		if err != nil {
			return 0, err
		}
		if missing {
			due = append(due, s.Ref)
		}
	}
	return len(due), c.Reseal(ctx, vault, due, tell)
}

// isMissing tells whether a version that consents cover is not sealed to one of their vaults.
func (c *Client) isMissing(ctx context.Context, ref Ref, live []Consent) (bool, error) {
	record, err := c.Record(ctx, ref.Record)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(live, func(consent Consent) bool { return consent.Covers(record) }) {
		return false, nil
	}
	granted, err := c.grantees(ctx, record.GetPatient(), record.GetClass(), record.GetId())
	if err != nil || len(granted) == 0 {
		return false, err
	}
	e, err := c.envelopeNow(ctx, ref)
	if err != nil {
		return false, err
	}
	sealed := e.OwnKeys()
	return slices.ContainsFunc(granted, func(k seal.VaultKey) bool { return !slices.Contains(sealed, k.Key.Hash()) }), nil
}

// RelocksDue lists the versions of the patient's that are sealed to somebody besides whom no live consent lets open them: who was to open
// them under a consent that was withdrawn or has ended, or has left, holds half of their keys until they are locked anew with
// [Client.Relock].
func (c *Client) RelocksDue(ctx context.Context, vault *Vault) ([]Ref, error) {
	who, err := c.principalNow(ctx)
	if err != nil || who.GetPatient() == "" {
		return nil, err
	}
	ever, err := collect(c.Consents(ctx, ConsentFilter{Patient: who.GetPatient()}))
	if err != nil || len(ever) == 0 {
		return nil, err
	}
	var due []Ref
	for s, err := range c.SealingsOf(ctx, vault) {
		if err != nil {
			return nil, err
		}
		stale, err := c.isSealedToOthers(ctx, vault, s.Ref, ever)
		if err != nil {
			return nil, err
		}
		if stale {
			due = append(due, s.Ref)
		}
	}
	return due, nil
}

// isSealedToOthers tells whether a version that one of the consents ever covered is sealed to somebody who may open it no more.
func (c *Client) isSealedToOthers(ctx context.Context, vault *Vault, ref Ref, ever []Consent) (bool, error) {
	record, err := c.Record(ctx, ref.Record)
	if err != nil || !slices.ContainsFunc(ever, func(consent Consent) bool { return consent.Covers(record) }) {
		return false, err
	}
	granted, err := c.grantees(ctx, record.GetPatient(), record.GetClass(), record.GetId())
	if err != nil {
		return false, err
	}
	e, err := c.envelopeNow(ctx, ref)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(e.Own, func(o seal.Own) bool { return o.Recipient != vault.recipient && !isGrantee(granted, o.Recipient) }), nil
}

// envelopeNow reads the envelope of a version of one's own.
func (c *Client) envelopeNow(ctx context.Context, ref Ref) (*seal.Envelope, error) {
	locked, err := c.locksOf(ctx, []Ref{ref})
	if err != nil {
		return nil, err
	}
	block, err := c.ownEnvelope(ctx, ref, locked[0].header.Envelope)
	if err != nil {
		return nil, fmt.Errorf("envelope of %s: %w", ref, err)
	}
	e, err := locked[0].header.OpenEnvelope(block)
	if err != nil {
		return nil, fmt.Errorf("envelope of %s: %w", ref, err)
	}
	return e, nil
}

// isGrantee tells whether a vault, in whatever epoch, is one of those.
func isGrantee(granted []seal.VaultKey, recipient seal.Recipient) bool {
	return slices.ContainsFunc(granted, func(k seal.VaultKey) bool { return k.Recipient == recipient })
}
