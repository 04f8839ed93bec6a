package access

import (
	"bytes"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// DefaultGenesis has no unlocks.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Validate answers ErrInvalidGenesis, or what is wrong with the parameters, where
// the state is not one that the module could have exported.
func (g *GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	unlocks := make(map[string]Unlock, len(g.Unlocks))
	points, requestKeys := map[string]bool{}, map[string]bool{}
	for _, u := range g.Unlocks {
		if err := u.validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("unlock %q: %v", u.Id, err)
		}
		if _, known := unlocks[u.Id]; known || points[string(u.B)] || requestKeys[u.RequestKey] {
			return ErrInvalidGenesis.Wrapf("unlock %q: id, point or request key is repeated", u.Id)
		}
		unlocks[u.Id], points[string(u.B)], requestKeys[u.RequestKey] = u, true, true
	}
	if err := g.validateConsents(); err != nil {
		return err
	}
	if err := g.validateEmergencies(unlocks); err != nil {
		return err
	}
	if err := g.validateGuardians(); err != nil {
		return err
	}
	if err := g.validateRecoveries(points, requestKeys); err != nil {
		return err
	}
	if err := g.validateHandOvers(); err != nil {
		return err
	}
	waiting := map[string]bool{}
	for _, id := range g.Approved {
		u, known := unlocks[id]
		if !known || waiting[id] || u.Approval == nil || u.HasEnded() || u.ReleasedAt != 0 {
			return ErrInvalidGenesis.Wrapf("approved unlock %q: unknown, repeated, or not waiting for its release", id)
		}
		waiting[id] = true
	}
	return nil
}

// validateConsents checks the consents, and the approvals for which they stand in.
func (g *GenesisState) validateConsents() error {
	for i := range g.Consents {
		c := &g.Consents[i]
		if c.Number != uint64(i)+1 {
			return ErrInvalidGenesis.Wrapf("consent %d: out of order", c.Number)
		}
		if err := c.validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("consent %d: %v", c.Number, err)
		}
		if _, err := lock.ParseCanonicalID(c.Patient); err != nil {
			return ErrInvalidGenesis.Wrapf("consent %d: patient: %v", c.Number, err)
		}
	}
	for _, u := range g.Unlocks {
		if u.Approval == nil || u.Approval.Consent == 0 {
			continue
		}
		if n := u.Approval.Consent; n > uint64(len(g.Consents)) || g.Consents[n-1].Patient != u.Patient || u.Approval.Capsule != "" {
			return ErrInvalidGenesis.Wrapf("unlock %q: approved by consent %d, which is not its owner's", u.Id, n)
		}
	}
	return nil
}

// validateEmergencies checks terms and emergencies, of which each consists of two unlocks.
func (g *GenesisState) validateEmergencies(unlocks map[string]Unlock) error {
	patients, known := map[string]bool{}, map[string]bool{}
	for i := range g.EmergencyTerms {
		t := &g.EmergencyTerms[i]
		if err := t.validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("terms of %q: %v", t.Patient, err)
		}
		if _, err := lock.ParseCanonicalID(t.Patient); err != nil || patients[t.Patient] {
			return ErrInvalidGenesis.Wrapf("terms of %q: no patient number, or repeated", t.Patient)
		}
		patients[t.Patient] = true
	}
	for i := range g.Emergencies {
		e := &g.Emergencies[i]
		if err := e.validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("emergency %q: %v", e.Id, err)
		}
		first, box := unlocks[e.Id], unlocks[e.BoxUnlock]
		if known[e.Id] || first.Emergency != e.Id || first.Box || box.Emergency != e.Id || !box.Box ||
			first.Patient != e.Patient || box.Patient != e.Patient || first.HasEnded() != (e.EndedAt != 0) || box.HasEnded() != first.HasEnded() {
			return ErrInvalidGenesis.Wrapf("emergency %q: repeated, or its unlocks are not its own", e.Id)
		}
		known[e.Id] = true
	}
	for _, u := range g.Unlocks {
		if u.Emergency != "" && !known[u.Emergency] {
			return ErrInvalidGenesis.Wrapf("unlock %q: no emergency %q", u.Id, u.Emergency)
		}
	}
	return nil
}

// validateGuardians checks the guardians of patients, sorted.
func (g *GenesisState) validateGuardians() error {
	last := ""
	for i := range g.Guardians {
		named := &g.Guardians[i]
		if err := named.validateWhole(); err != nil {
			return ErrInvalidGenesis.Wrapf("guardians of %q: %v", named.Patient, err)
		}
		number, err := lock.ParseCanonicalID(named.Patient)
		if err != nil {
			return ErrInvalidGenesis.Wrapf("guardians of %q: %v", named.Patient, err)
		}
		if string(number[:]) <= last {
			return ErrInvalidGenesis.Wrapf("guardians of %q: repeated or not sorted", named.Patient)
		}
		last = string(number[:])
	}
	return nil
}

// validateRecoveries checks the recoveries, whose points and request keys no unlock has.
func (g *GenesisState) validateRecoveries(points, requestKeys map[string]bool) error {
	accounts, open := map[string]bool{}, map[string]bool{}
	for i := range g.Recoveries {
		r := &g.Recoveries[i]
		if r.Number != uint64(i)+1 {
			return ErrInvalidGenesis.Wrapf("recovery %d: out of order", r.Number)
		}
		if err := r.validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("recovery %d: %v", r.Number, err)
		}
		if accounts[r.Account] || !r.HasEnded() && open[r.Patient] {
			return ErrInvalidGenesis.Wrapf("recovery %d: a second one of its account, or an open one of its patient", r.Number)
		}
		accounts[r.Account] = true
		if !r.HasEnded() {
			open[r.Patient] = true
		}
		if r.Way != RECOVERY_WAY_GUARDIANS {
			continue
		}
		if points[string(r.B)] || requestKeys[r.RequestKey] {
			return ErrInvalidGenesis.Wrapf("recovery %d: point or request key is repeated", r.Number)
		}
		points[string(r.B)], requestKeys[r.RequestKey] = true, true
	}
	return nil
}

// validateHandOvers checks the hand-overs, sorted.
func (g *GenesisState) validateHandOvers() error {
	last := ""
	for i := range g.HandOvers {
		h := &g.HandOvers[i]
		if err := h.validate(); err != nil {
			return ErrInvalidGenesis.Wrapf("hand-over of %q: %v", h.Patient, err)
		}
		number, err := lock.ParseCanonicalID(h.Patient)
		if err != nil {
			return ErrInvalidGenesis.Wrapf("hand-over of %q: %v", h.Patient, err)
		}
		if string(number[:]) <= last {
			return ErrInvalidGenesis.Wrapf("hand-over of %q: repeated or not sorted", h.Patient)
		}
		last = string(number[:])
	}
	return nil
}

// validate says what is wrong with the form of an unlock. Its id cannot be
// recomputed here: it binds the network and the versions' locks.
func (u Unlock) validate() error {
	if _, err := ParseUnlockID(u.Id); err != nil {
		return err
	}
	if _, err := sdk.AccAddressFromBech32(u.Requester); err != nil {
		return err
	}
	if err := CheckPurpose(u.Purpose); err != nil {
		return err
	}
	if _, err := lock.ParseRawCID(u.RequestKey); err != nil {
		return err
	}
	if _, err := lock.ParseEncapsulation(u.B); err != nil {
		return err
	}
	if u.Patient != "" {
		if _, err := lock.ParseCanonicalID(u.Patient); err != nil {
			return err
		}
	}
	if u.Custodian == 0 || u.ExpiresAt <= u.ProposedAt {
		return ErrInvalidGenesis.Wrap("no custodian, or no lifetime")
	}
	if n := len(u.Versions); n < 1 || n > MaxVersions {
		return ErrInvalidVersions.Wrapf("got %d versions, want 1 to %d", n, MaxVersions)
	}
	ids := make([]lock.ID, len(u.Versions))
	for i, v := range u.Versions {
		id, err := lock.ParseCanonicalID(v.Record)
		if err != nil {
			return err
		}
		if _, err := lock.ParsePoint(v.M); err != nil {
			return err
		}
		if len(v.U) > 0 { // networks before kept none
			if _, err := lock.ParseEncapsulation(v.U); err != nil {
				return err
			}
		}
		ids[i] = id
		if i > 0 && !before(ids[i-1], u.Versions[i-1].Version, id, v.Version) {
			return ErrInvalidVersions.Wrap("versions are not sorted and distinct")
		}
	}
	if u.Approval != nil && u.Approval.Height < 0 {
		return ErrInvalidGenesis.Wrap("approval below height 0")
	}
	return nil
}

// before orders versions by record id, then by number.
func before(record lock.ID, version uint64, otherRecord lock.ID, otherVersion uint64) bool {
	order := bytes.Compare(record[:], otherRecord[:])
	return order < 0 || order == 0 && version < otherVersion
}
