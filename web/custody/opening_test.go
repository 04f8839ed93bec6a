package custody_test

import (
	"bytes"
	"slices"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

const purposes = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// proposal is a request without its proof; the points M are of the session.
func proposal(c *chance, s *lock.Session) lock.Proposal {
	p := lock.Proposal{
		Network: c.network(), Requester: [20]byte(c.octets(20)), Hospital: c.Uint64() >> c.below(64), PolicyVersion: c.Uint64() >> c.below(64), Expiry: c.count(62),
		RequestKeyCID: s.Key().Public().CID(), B: s.B(),
	}
	for range 1 + c.below(lock.MaxPurpose) {
		p.Purpose += string(purposes[c.below(len(purposes))])
	}
	for range 1 + c.below(5) {
		u := c.point()
		p.Versions = append(p.Versions, lock.ProposedVersion{Record: c.id(), Number: c.count(64), Context: [64]byte(c.octets(64)), U: u, M: s.Blind(u), C: c.octets(32)})
	}
	if c.below(2) == 0 { // two versions of one record
		again := p.Versions[0]
		again.Number++
		p.Versions = append(p.Versions, again)
	}
	slices.SortFunc(p.Versions, func(a, b lock.ProposedVersion) int {
		if order := bytes.Compare(a.Record[:], b.Record[:]); order != 0 || a.Number == b.Number {
			return order
		}
		if a.Number < b.Number {
			return -1
		}
		return 1
	})
	return p
}

func proposalFields(p lock.Proposal) fields {
	versions := []fields{}
	for _, v := range p.Versions {
		versions = append(versions, fields{"record_id": text(v.Record[:]), "version": whole(v.Number), "ctx": text(v.Context[:]), "u": text(v.U.Bytes()), "c": text(v.C)})
	}
	return fields{
		"net": text(p.Network[:]), "requester": text(p.Requester[:]), "hospital_no": whole(p.Hospital), "purpose": p.Purpose, "policy_version": whole(p.PolicyVersion),
		"expiry": whole(p.Expiry), "rk_cid": text(p.RequestKeyCID.Bytes()), "versions": versions,
	}
}

func givesProposal(c *chance) gift {
	s := must(lock.GenerateSession(c))
	p := proposal(c, s)
	in := proposalFields(p).with(fields{"b_pub": text(p.B.Bytes()), "m": blinded(p), "proof": text(must(s.Prove(p, c)))})
	return gift{kind: "request", in: in, bound: []string{"net", "requester", "rk_cid", "b_pub", "m", "proof"}}
}

func asksProposal(c *chance) wish {
	p := proposal(c, must(lock.GenerateSession(c)))
	b := c.scalar()
	in := proposalFields(p).with(fields{"b": text(b.Bytes()), "nonce": text(c.scalar().Bytes())})
	return wish{kind: "request", in: in, bound: []string{"b_pub", "m", "proof", "unlock_id"}, takes: func(out fields) error {
		m, err := points(out.list("m"))
		if err != nil {
			return err
		}
		p.Versions = slices.Clone(p.Versions)
		for i := range p.Versions {
			p.Versions[i].M = m[i]
		}
		if p.B, err = lock.ParseEncapsulation(out.octets("b_pub")); err != nil {
			return err
		}
		if id := p.ID(); !bytes.Equal(id[:], out.octets("unlock_id")) {
			return errOther
		}
		return p.Verify(out.octets("proof"))
	}}
}

func blinded(p lock.Proposal) []string {
	var m []lock.Point
	for _, v := range p.Versions {
		m = append(m, v.M)
	}
	return texts(m)
}

func release(c *chance, m []lock.Point) lock.Release {
	return lock.Release{Network: c.network(), Unlock: [32]byte(c.octets(32)), Generation: [64]byte(c.octets(64)), M: m}
}

func (c *chance) points() []lock.Point {
	var all []lock.Point
	for range 1 + c.below(4) {
		all = append(all, c.point())
	}
	return all
}

func releaseFields(r lock.Release) fields {
	return fields{"net": text(r.Network[:]), "unlock_id": text(r.Unlock[:]), "gen": text(r.Generation[:]), "m": texts(r.M)}
}

func shareFields(s lock.Share, holder lock.Point) fields {
	return fields{"share_epoch": whole(s.Epoch), "index": whole(s.Index), "x_i_pub": text(holder.Bytes()), "d": texts(s.D), "proof": text(s.Proof)}
}

func givesShare(c *chance) gift {
	r, x := release(c, c.points()), c.scalar()
	s := must(r.NewShare(c.count(64), c.count(32), x, c))
	in := releaseFields(r).with(shareFields(s, x.Public()))
	return gift{kind: "share", in: in, bound: []string{"net", "unlock_id", "gen", "m", "x_i_pub", "d", "proof"}}
}

func asksShare(c *chance) wish {
	r, x := release(c, c.points()), c.scalar()
	s := lock.Share{Epoch: c.count(64), Index: c.count(32)}
	in := releaseFields(r).with(fields{"share_epoch": whole(s.Epoch), "index": whole(s.Index), "x_i": text(x.Bytes()), "nonce": text(c.scalar().Bytes())})
	return wish{kind: "share", in: in, bound: []string{"x_i_pub", "d", "proof"}, takes: func(out fields) (err error) {
		if s.D, err = points(out.list("d")); err != nil {
			return err
		}
		holder, err := lock.ParsePoint(out.octets("x_i_pub"))
		if err != nil {
			return err
		}
		s.Proof = out.octets("proof")
		return r.Verify(s, holder)
	}}
}

func comparesCombined(c *chance) (wish, fields) {
	s := must(lock.GenerateSession(c))
	var m []lock.Point
	for _, u := range c.points() {
		m = append(m, s.Blind(u))
	}
	r := release(c, m)
	n := 2 + c.below(5)
	t := uint64(1 + c.below(n)) // #nosec G115 -- small and positive
	dealt := must(lock.Deal(t, c.members(n), c))
	committee := lock.Committee{Epoch: c.count(64), Threshold: t, Holders: dealt.Holders}
	shares, given := []lock.Share{}, []fields{}
	for i, secret := range dealt.Shares {
		share := must(r.NewShare(committee.Epoch, secret.Index, secret.Value, c))
		if uint64(n-i) > t && c.below(3) == 0 { // #nosec G115 -- one of those that are not needed is bad, and skipped
			share.Proof = unhex(c.flip(text(share.Proof)))
			n--
		}
		shares = append(shares, share)
		given = append(given, shareFields(share, dealt.Holders[i].X))
	}
	c.Shuffle(len(shares), func(i, j int) {
		shares[i], shares[j] = shares[j], shares[i]
		given[i], given[j] = given[j], given[i]
	})
	joined := must(s.Combine(r, []lock.Committee{committee}, shares))
	in := releaseFields(r).with(fields{"session_seed": text(s.Seed()), "threshold": t, "shares": given})
	indexes := []any{}
	for _, index := range joined.Indexes {
		indexes = append(indexes, whole(index))
	}
	return wish{kind: "combined", in: in}, fields{"share_epoch": whole(joined.Epoch), "indexes": indexes, "k": texts(joined.K)}
}

func asked(c *chance) (list []seal.Asked, halves []*seal.Half) {
	for i := range 1 + c.below(4) {
		record := c.id()
		record[0] = byte(i) // ascending
		v := seal.Asked{Record: record, Version: c.count(64), Lock: lock.LockBoth}
		half := must(seal.HalfFromBytes(c.octets(32)))
		list, halves = append(list, v), append(halves, &half)
		if i > 0 && c.below(3) == 0 {
			list[i].Lock, halves[i] = lock.LockNetwork, nil
		}
	}
	return list, halves
}

// capsuleFields are the versions of a proposal, and the halves of those that have one.
func capsuleFields(list []seal.Asked, halves []*seal.Half) (versions, sealed []fields, p []string) {
	for i, v := range list {
		named := fields{"record_id": text(v.Record[:]), "version": whole(v.Version)}
		versions = append(versions, named.with(fields{"lock": v.Lock}))
		if halves[i] != nil {
			p = append(p, text(halves[i].Bytes()))
			sealed = append(sealed, named.with(fields{"p": text(halves[i].Bytes())}))
		}
	}
	return versions, sealed, p
}

func givesCapsule(c *chance) gift {
	list, halves := asked(c)
	n, unlock, key := c.network(), [32]byte(c.octets(32)), c.key()
	capsule := must(seal.NewCapsule(key.Public(), n, unlock, list, halves))
	versions, _, p := capsuleFields(list, halves)
	in := fields{"net": text(n[:]), "unlock_id": text(unlock[:]), "rk_seed": text(key.Seed()), "versions": versions, "capsule": text(capsule)}
	return gift{kind: "capsule", in: in, opens: fields{"p": p}, bound: []string{"net", "unlock_id", "rk_seed", "capsule"}}
}

func asksCapsule(c *chance) wish {
	list, halves := asked(c)
	n, unlock, key := c.network(), [32]byte(c.octets(32)), c.key()
	_, sealed, _ := capsuleFields(list, halves)
	in := fields{"net": text(n[:]), "unlock_id": text(unlock[:]), "rk_pub": text(key.Public().Bytes()), "halves": sealed, "encap_randomness": c.text(64)}
	return wish{kind: "capsule", in: in, bound: []string{"capsule"}, takes: func(out fields) error {
		got, err := seal.OpenCapsule(key, n, unlock, list, out.octets("capsule"))
		if err != nil {
			return err
		}
		for i, half := range halves {
			if half != nil && !half.Equal(*got[i]) {
				return errOther
			}
		}
		return nil
	}}
}

func comparesSession(c *chance) (wish, fields) {
	s := must(lock.GenerateSession(c))
	want := fields{
		"rk_seed": text(s.Key().Seed()), "rk_pub": text(s.Key().Public().Bytes()), "rk_cid": text(s.Key().Public().CID().Bytes()),
		"b_pub": text(s.B().Bytes()),
	}
	return wish{kind: "seed", in: fields{"session_seed": text(s.Seed())}}, want
}
