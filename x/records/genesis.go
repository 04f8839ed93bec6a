package records

import (
	"math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// DefaultGenesis has no patients and no records.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Validate answers ErrInvalidGenesis, or what is wrong with the parameters, where
// the state is not one that the module could have exported.
func (g *GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	v := genesisCheck{
		patients: map[string]bool{}, addresses: map[string]bool{}, vaults: map[string]bool{},
		records: map[string]Record{}, counts: map[string]uint64{},
		cids: map[string]bool{}, points: map[string]bool{}, erased: map[string]bool{}, buried: map[string]uint64{}, erasures: map[uint64]bool{},
	}
	for _, p := range g.Patients {
		if err := v.patient(p); err != nil {
			return ErrInvalidGenesis.Wrapf("patient %q: %v", p.Id, err)
		}
	}
	for _, r := range g.Records {
		if err := v.record(r); err != nil {
			return ErrInvalidGenesis.Wrapf("record %q: %v", r.Id, err)
		}
	}
	for _, version := range g.Versions {
		if err := v.version(version); err != nil {
			return ErrInvalidGenesis.Wrapf("record %q version %d: %v", version.Record, version.Version, err)
		}
	}
	for _, r := range g.Records {
		if v.counts[r.Id] != r.Versions || v.buried[r.Id] != r.Erased {
			return ErrInvalidGenesis.Wrapf("record %q: has %d versions, %d of them erased, says %d and %d", r.Id, v.counts[r.Id], v.buried[r.Id], r.Versions, r.Erased)
		}
	}
	if err := v.requests(g.ErasureRequests, g.ErasureSequence); err != nil {
		return err
	}
	members := map[uint64]bool{}
	for _, r := range g.Reported {
		if r.Member == 0 || r.Number == 0 || members[r.Member] {
			return ErrInvalidGenesis.Wrapf("reports of member %d: zero or repeated", r.Member)
		}
		members[r.Member] = true
	}
	return nil
}

// genesisCheck is what was met so far.
type genesisCheck struct {
	patients, addresses, vaults, cids, points, erased map[string]bool
	records                                           map[string]Record
	counts, buried                                    map[string]uint64
	erasures                                          map[uint64]bool
}

func (g genesisCheck) patient(p Patient) error {
	if _, err := lock.ParseCanonicalID(p.Id); err != nil {
		return err
	}
	if _, err := sdk.AccAddressFromBech32(p.Address); err != nil {
		return err
	}
	if err := p.Vault.Validate(); err != nil {
		return err
	}
	if g.patients[p.Id] || g.addresses[p.Address] || g.vaults[p.Vault.Id] || g.cids[p.Vault.Blob] {
		return ErrInvalidGenesis.Wrap("number, account, vault or blob is repeated")
	}
	g.patients[p.Id], g.addresses[p.Address], g.vaults[p.Vault.Id], g.cids[p.Vault.Blob] = true, true, true, true
	return nil
}

func (g genesisCheck) record(r Record) error {
	if _, err := lock.ParseCanonicalID(r.Id); err != nil {
		return err
	}
	if _, known := g.records[r.Id]; known {
		return ErrInvalidGenesis.Wrap("repeated")
	}
	if r.Class.Text() == "" || r.Custodian == 0 || r.Versions == 0 || r.Versions > math.MaxInt64 {
		return ErrInvalidGenesis.Wrap("class, custodian or number of versions")
	}
	switch r.OwnerKind {
	case OWNER_KIND_PATIENT:
		if !g.patients[r.Patient] {
			return ErrUnknownPatient.Wrapf("owner %q", r.Patient)
		}
	case OWNER_KIND_HOSPITAL:
		if r.Patient != "" {
			return ErrInvalidGenesis.Wrap("a hospital's own record names a patient")
		}
	default:
		return ErrInvalidGenesis.Wrapf("owner kind %d", r.OwnerKind)
	}
	g.records[r.Id] = r
	return nil
}

// version takes the versions of a record in their order.
func (g genesisCheck) version(v Version) error {
	r, known := g.records[v.Record]
	if !known {
		return ErrUnknownRecord
	}
	if v.Version != g.counts[v.Record]+1 {
		return ErrInvalidGenesis.Wrapf("out of order: want version %d", g.counts[v.Record]+1)
	}
	if v.SharesWith >= v.Version {
		return ErrInvalidGenesis.Wrapf("shares leaves with version %d", v.SharesWith)
	}
	if err := v.Header.Validate(); err != nil {
		return err
	}
	if !v.Header.IsOf(r) {
		return ErrInvalidGenesis.Wrap("owner or custodian is not the record's")
	}
	if _, err := lock.ParseRawCID(v.Envelope); err != nil {
		return err
	}
	if _, err := lock.ParseDagCID(v.Object); err != nil {
		return err
	}
	if _, err := sdk.AccAddressFromBech32(v.StoredBy); err != nil {
		return err
	}
	if !IsPaddedSize(v.Size_) {
		return ErrInvalidSize.Wrapf("%d", v.Size_)
	}
	if g.cids[v.Envelope] || g.cids[v.Object] || g.points[string(v.Header.U)] {
		return ErrInvalidGenesis.Wrap("object, envelope or point is repeated")
	}
	if err := g.tombstone(v); err != nil {
		return err
	}
	g.counts[v.Record]++
	g.cids[v.Envelope], g.cids[v.Object], g.points[string(v.Header.U)] = true, true, true
	return nil
}
