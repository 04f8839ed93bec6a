package attacker

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/phrd/phrd/lock"
)

// guess notes a guess of the network's half, once.
func (a *attack) guess(path string, k lock.Point) {
	if k.IsIdentity() || a.seen[string(k.Bytes())] {
		return
	}
	a.seen[string(k.Bytes())] = true
	a.points = append(a.points, point{path, k})
}

// subsets calls each for every subset of n things but the empty one.
func subsets(n int, each func(members []int)) {
	for mask := 1; mask < 1<<n; mask++ {
		var members []int
		for i := range n {
			if mask>>i&1 == 1 {
				members = append(members, i)
			}
		}
		each(members)
	}
}

// shares joins every set of shares of one epoch, enough or not, in the right way and in
// wrong ones.
func (a *attack) shares() error {
	for _, committee := range a.Public.Committees {
		var held []lock.SecretShare
		for _, home := range a.Homes {
			for _, share := range home.Shares {
				if share.Epoch == committee.Epoch {
					held = append(held, share.Share)
				}
			}
		}
		subsets(len(held), func(members []int) {
			chosen := make([]lock.SecretShare, len(members))
			byPosition := make([]lock.SecretShare, len(members))
			var sum lock.Point
			for i, m := range members {
				chosen[i] = held[m]
				byPosition[i] = lock.SecretShare{Index: uint64(i) + 1, Value: held[m].Value}
				sum = sum.Add(a.env.U.Mul(held[m].Value))
			}
			a.join("shares of one epoch", chosen)
			a.join("shares by position", byPosition)
			a.guess("shares without weights", sum)
		})
	}
	return nil
}

// join guesses x of the shares as if they were enough.
func (a *attack) join(path string, shares []lock.SecretShare) {
	x, err := lock.Interpolate(shares)
	if err != nil {
		return
	}
	a.guess(path, a.env.U.Mul(x))
}

// mixedShares joins sets of shares of both epochs, as if they were of one. Two of one
// index cannot be joined, and stand for each other.
func (a *attack) mixedShares() error {
	var held []lock.SecretShare
	for _, home := range a.Homes {
		for _, share := range home.Shares {
			held = append(held, share.Share)
		}
	}
	subsets(len(held), func(members []int) {
		chosen := make([]lock.SecretShare, len(members))
		for i, m := range members {
			chosen[i] = held[m]
		}
		a.join("shares of two epochs", chosen)
	})
	return nil
}

// deals tries every key on the sealed sub-shares of the reshare.
func (a *attack) deals() error {
	for path, key := range a.vaultKeys() {
		for _, deal := range a.Public.Deals {
			for receiver, sealed := range deal.Sealed {
				a.tried["sub-share by "+path]++
				s, err := lock.OpenSubShare(key, a.Public.Round, deal.Dealing, receiver, sealed)
				if err == nil {
					a.guess("sub-share", a.env.U.Mul(s.Value))
				}
			}
		}
	}
	return nil
}

// releases takes what holders answered in other unlocks: as it is, joined without the
// session's scalar, and joined with the scalar of the attacker's own session.
func (a *attack) releases() error {
	for _, u := range a.Public.Unlocks {
		var chosen []lock.Share
		for _, s := range u.Shares {
			for _, d := range s.D {
				a.guess("a share of a release", d)
			}
			chosen = append(chosen, s)
		}
		for _, s := range a.Sessions {
			combined, err := s.Combine(u.Release, a.Public.Committees, chosen)
			if err != nil {
				return fmt.Errorf("combine a public release: %w", err)
			}
			for _, k := range combined.K {
				a.guess("a release by another session", k)
			}
		}
	}
	return nil
}

// guessPoints takes for the network's half whatever is a point.
func (a *attack) guessPoints() error {
	a.guess("guessed point", a.env.U)
	a.guess("guessed point", a.env.UBar)
	a.guess("guessed point", a.Public.Key.X)
	for _, committee := range a.Public.Committees {
		for _, holder := range committee.Holders {
			a.guess("guessed point", holder.X)
		}
	}
	for _, home := range a.Homes {
		for _, share := range home.Shares {
			a.guess("guessed point", a.Public.Key.X.Mul(share.Share.Value))
			a.guess("guessed point", a.env.UBar.Mul(share.Share.Value))
		}
	}
	return nil
}

// own is a version that the attacker stores for itself.
type own struct {
	statement lock.LockedVersion
	encap     *lock.Encapsulation
}

func (a *attack) own() (own, error) {
	encap, err := lock.NewEncapsulation(a.Public.Key, rand.Reader)
	if err != nil {
		return own{}, err
	}
	statement := a.Public.Statements[Network]
	statement.U, statement.UBar = encap.U, encap.UBar
	if _, err := rand.Read(statement.Context[:]); err != nil {
		return own{}, err
	}
	return own{statement, encap}, nil
}

// prove proves a statement with the attacker's own r, whatever its points are.
func (o own) prove(v lock.LockedVersion) ([]byte, error) {
	label, err := v.Label()
	if err != nil {
		return nil, err
	}
	return o.encap.Prove(label, rand.Reader)
}

// refused fails where honest holders took something that they must not take. What they
// release of it is a guess like any other.
func (a *attack) refused(path string, err error) error {
	a.tried[path]++
	if err == nil {
		return fmt.Errorf("%s: holders took it", path)
	}
	if !errors.Is(err, ErrRefused) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// refeed tries to have the target's U, or a point that depends on it, taken as a version
// of the attacker's own, which it could then have released.
func (a *attack) refeed() error {
	mine, err := a.own()
	if err != nil {
		return err
	}
	g := lock.Generation{Network: a.Public.Key.Network, Kind: lock.KeyRecords, Number: 1, X: mine.encap.U}
	gen, err := g.Hash()
	if err != nil {
		return err
	}
	blind := lock.SecondGenerator(gen) // any point of unknown logarithm
	u, uBar := a.env.U, a.env.UBar
	for path, points := range map[string][2]lock.Point{
		"U fed again":                {u, uBar},
		"U fed again with another Ū": {u, mine.encap.UBar},
		"lifted U":                   {u.Add(mine.encap.U), uBar.Add(mine.encap.UBar)},
		"doubled U":                  {u.Add(u), uBar.Add(uBar)},
		"U plus a chosen point":      {u.Add(blind), uBar},
		"Ū as U":                     {uBar, u},
	} {
		v := mine.statement
		v.U, v.UBar = points[0], points[1]
		proof, err := mine.prove(v)
		if err != nil {
			return err
		}
		for i, proof := range append([][]byte{proof, make([]byte, lock.ProofSize)}, a.Public.Proofs...) {
			if err := a.refused(path, a.Holders.StoreOwn(v, proof)); err != nil {
				return fmt.Errorf("proof %d: %w", i, err)
			}
		}
	}
	// The very message that stored the target, sent again.
	for i, v := range a.Public.Statements {
		if err := a.refused("message sent again", a.Holders.StoreOwn(v, a.Public.Proofs[i])); err != nil {
			return err
		}
	}
	return nil
}

// ask proposes an unlock of versions of the attacker's own with these M, and returns
// what the holders answer.
func (a *attack) ask(session *lock.Session, proof []byte, versions []lock.ProposedVersion) (lock.Release, []lock.Share, error) {
	p := a.proposal(session, versions)
	if proof == nil {
		var err error
		if proof, err = session.Prove(p, rand.Reader); err != nil {
			return lock.Release{}, nil, err
		}
	}
	return a.Holders.Answer(p, proof)
}

func (a *attack) proposal(session *lock.Session, versions []lock.ProposedVersion) lock.Proposal {
	return lock.Proposal{
		Network: a.Public.Key.Network, Purpose: "TREAT", Expiry: 1, RequestKeyCID: session.Key().Public().CID(), B: session.B(), Versions: versions,
	}
}

// additive stores a version of the attacker's own, has it released, and tries to have
// the target's U answered in its place: as M itself, and with a chosen point added.
func (a *attack) additive() error {
	mine, err := a.own()
	if err != nil {
		return err
	}
	proof, err := mine.prove(mine.statement)
	if err != nil {
		return err
	}
	if err := a.Holders.StoreOwn(mine.statement, proof); err != nil {
		return fmt.Errorf("an honest version is refused: %w", err)
	}
	session, err := lock.GenerateSession(rand.Reader)
	if err != nil {
		return err
	}
	version := lock.ProposedVersion{
		Record: lock.ID{1}, Number: 1, Context: mine.statement.Context, U: mine.encap.U, M: session.Blind(mine.encap.U), C: mine.statement.C[:],
	}
	honest := a.proposal(session, []lock.ProposedVersion{version})
	honestProof, err := session.Prove(honest, rand.Reader)
	if err != nil {
		return err
	}
	for path, m := range map[string]lock.Point{
		"U as M":               a.env.U,
		"blinded U as M":       session.Blind(a.env.U),
		"U plus own point":     a.env.U.Add(mine.encap.U),
		"blinded U plus own M": session.Blind(a.env.U).Add(version.M),
	} {
		bent := version
		bent.M = m
		for _, proof := range [][]byte{honestProof, make([]byte, lock.ProofSize)} {
			_, _, err := a.ask(session, proof, []lock.ProposedVersion{bent})
			if err := a.refused("additive form: "+path, err); err != nil {
				return err
			}
		}
	}
	// The target asked for by name, without an approval.
	ctx, err := a.header.Context.Hash()
	if err != nil {
		return err
	}
	target := lock.ProposedVersion{
		Record: a.header.Context.Record, Number: 1, Context: ctx, U: a.env.U, M: session.Blind(a.env.U), C: a.header.C[:],
	}
	_, _, err = a.ask(session, nil, []lock.ProposedVersion{target})
	if err := a.refused("unlock without approval", err); err != nil {
		return err
	}
	// An approved unlock of somebody else's, answered once more.
	for _, u := range a.Public.Unlocks {
		_, _, err = a.Holders.Answer(u.Proposal, honestProof)
		if err := a.refused("approved unlock sent again", err); err != nil {
			return err
		}
	}
	// What is the attacker's own is released, so that the refusals above mean something.
	release, shares, err := a.Holders.Answer(honest, honestProof)
	if err != nil {
		return fmt.Errorf("an honest unlock is refused: %w", err)
	}
	combined, err := session.Combine(release, a.Public.Committees, shares)
	if err != nil {
		return err
	}
	if !combined.K[0].Equal(mine.encap.K) {
		return errors.New("an honest unlock gives another K")
	}
	a.guess("release of the attacker's own version", combined.K[0])
	for _, s := range shares {
		a.guess("release of the attacker's own version", s.D[0])
		a.guess("release of the attacker's own version", s.D[0].Add(a.env.U))
	}
	return nil
}

// swap asks for two versions of its own in one batch and exchanges their M, then puts
// the target's U into the batch.
func (a *attack) swap() error {
	session, err := lock.GenerateSession(rand.Reader)
	if err != nil {
		return err
	}
	var versions []lock.ProposedVersion
	for i := range 2 {
		mine, err := a.own()
		if err != nil {
			return err
		}
		proof, err := mine.prove(mine.statement)
		if err != nil {
			return err
		}
		if err := a.Holders.StoreOwn(mine.statement, proof); err != nil {
			return err
		}
		versions = append(versions, lock.ProposedVersion{
			Record: lock.ID{byte(i)}, Number: 1, Context: mine.statement.Context, U: mine.encap.U, M: session.Blind(mine.encap.U), C: mine.statement.C[:],
		})
	}
	proof, err := session.Prove(a.proposal(session, versions), rand.Reader)
	if err != nil {
		return err
	}
	swapped := []lock.ProposedVersion{versions[0], versions[1]}
	swapped[0].M, swapped[1].M = versions[1].M, versions[0].M
	_, _, err = a.ask(session, proof, swapped)
	if err := a.refused("swapped batch", err); err != nil {
		return err
	}
	smuggled := []lock.ProposedVersion{versions[0], versions[1]}
	smuggled[1].U, smuggled[1].M = a.env.U, session.Blind(a.env.U)
	_, _, err = a.ask(session, nil, smuggled)
	return a.refused("the target in a batch of the attacker's own", err)
}
