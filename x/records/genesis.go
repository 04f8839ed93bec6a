package records

import (
	"bytes"
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
		boxes: map[string]bool{}, live: map[string]Block{},
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
	if err := v.former(g.FormerPoints, g.Blocks); err != nil {
		return err
	}
	for i, text := range g.FormerWallets {
		if _, err := sdk.AccAddressFromBech32(text); err != nil || v.addresses[text] || i > 0 && g.FormerWallets[i-1] >= text {
			return ErrInvalidGenesis.Wrapf("former wallet %q is none, a patient's of today, or not sorted", text)
		}
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
	boxes                                             map[string]bool  // points U of emergency boxes, which stand among the former points
	live                                              map[string]Block // vault blobs and envelopes of today, by CID
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
	g.live[p.Vault.Blob] = Block{Patient: p.Id}
	if p.Vault.Shares == "" {
		return nil
	}
	if g.cids[p.Vault.Shares] {
		return ErrInvalidGenesis.Wrap("block of guardians' shares is repeated")
	}
	g.cids[p.Vault.Shares] = true
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
	g.live[v.Envelope] = Block{Record: v.Record, Version: v.Version}
	if err := g.box(v.Box); err != nil {
		return err
	}
	if v.SealedEpoch < 1 || v.RelockedAt < 0 {
		return ErrInvalidGenesis.Wrapf("sealed to epoch %d, locked anew at %d", v.SealedEpoch, v.RelockedAt)
	}
	return g.relock(v, r)
}

// box takes what locks the emergency box of an envelope.
func (g genesisCheck) box(b *BoxLock) error {
	if b == nil {
		return nil
	}
	if g.boxes[string(b.U)] {
		return ErrInvalidGenesis.Wrap("point of a box is repeated")
	}
	g.boxes[string(b.U)] = true
	return b.Validate()
}

// relock takes the lock of a version that waits for its confirmation.
func (g genesisCheck) relock(v Version, of Record) error {
	l := v.Relock
	if l == nil {
		return nil
	}
	if err := l.Header.Validate(); err != nil {
		return err
	}
	if !l.Header.IsOf(of) || !bytes.Equal(l.Header.Dc, v.Header.Dc) {
		return ErrInvalidGenesis.Wrap("lock that waits is of another record or key")
	}
	if _, err := lock.ParseRawCID(l.Envelope); err != nil {
		return err
	}
	if g.cids[l.Envelope] || g.points[string(l.Header.U)] {
		return ErrInvalidGenesis.Wrap("envelope or point of the lock that waits is repeated")
	}
	if v.Tombstone != nil || l.SealedEpoch < 1 || l.Until < 0 {
		return ErrInvalidGenesis.Wrapf("lock that waits: sealed to epoch %d, until %d, erased %v", l.SealedEpoch, l.Until, v.Tombstone != nil)
	}
	g.cids[l.Envelope], g.points[string(l.Header.U)] = true, true
	g.live[l.Envelope] = Block{Record: v.Record, Version: v.Version}
	return g.box(l.Box)
}

// former takes what was replaced, after all versions: points and blocks that must never be named
// again, and envelopes that are kept by themselves.
func (g genesisCheck) former(points [][]byte, blocks []Block) error {
	for i, u := range points {
		if _, err := lock.ParseEncapsulation(u); err != nil {
			return ErrInvalidGenesis.Wrapf("former point %d: %v", i+1, err)
		}
		if g.points[string(u)] || i > 0 && bytes.Compare(points[i-1], u) >= 0 {
			return ErrInvalidGenesis.Wrapf("former point %d is of a lock of today, or not sorted", i+1)
		}
		delete(g.boxes, string(u))
	}
	if len(g.boxes) > 0 {
		return ErrInvalidGenesis.Wrapf("%d points of boxes are not among the former points", len(g.boxes))
	}
	replaced := map[string]bool{}
	last := ""
	for _, b := range blocks {
		cid, err := lock.ParseRawCID(b.Cid)
		if err != nil {
			return ErrInvalidGenesis.Wrapf("block %q: %v", b.Cid, err)
		}
		if string(cid.Bytes()) <= last {
			return ErrInvalidGenesis.Wrapf("block %q is not sorted", b.Cid)
		}
		last = string(cid.Bytes())
		about := Block{Patient: b.Patient, Record: b.Record, Version: b.Version}
		isVault, isEnvelope := g.patients[b.Patient] && b.Record == "" && b.Version == 0, b.Patient == "" && b.Version > 0 && b.Version <= g.counts[b.Record]
		live, isLive := g.live[b.Cid]
		if !isVault && !isEnvelope || isLive && live != about || g.cids[b.Cid] && !isLive {
			return ErrInvalidGenesis.Wrapf("block %q is of nobody, or of another one", b.Cid)
		}
		if b.Successor == "" {
			continue
		}
		if successor, known := g.live[b.Successor]; !known || successor != about || isLive || replaced[b.Successor] {
			return ErrInvalidGenesis.Wrapf("block %q waits for %q, which is not what follows it", b.Cid, b.Successor)
		}
		replaced[b.Successor] = true
	}
	return nil
}
