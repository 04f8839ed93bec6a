package custody_test

import (
	"slices"

	"github.com/phrd/phrd/lock"
)

func givesDeal(c *chance) gift {
	rho, dealer, receiver := [64]byte(c.octets(64)), c.count(32), c.count(32)
	p := must(lock.NewPolynomial(1+uint64(c.below(5)), c)) // #nosec G115 -- small and positive
	d := lock.Dealing{Dealer: dealer, Commitments: p.Commitments()}
	key := c.key()
	share := lock.SecretShare{Index: receiver, Value: must(p.Share(receiver))}
	sealed := must(lock.SealSubShare(key.Public(), rho, d, share))
	witness := must(lock.ProveKnowledge(rho, dealer, p, c))
	in := fields{
		"rho": text(rho[:]), "dealer": whole(dealer), "receiver": whole(receiver), "threshold": len(d.Commitments), "commitments": texts(d.Commitments),
		"round_key_seed": text(key.Seed()), "deal_ct": text(sealed), "a_0_q": text(witness[:lock.PointSize]), "proof": text(witness[lock.PointSize:]),
	}
	bound := []string{"rho", "commitments", "round_key_seed", "deal_ct", "a_0_q", "proof"}
	return gift{kind: "deal", in: in, opens: fields{"sub_share": text(share.Value.Bytes())}, bound: bound}
}

func asksDeal(c *chance) wish {
	rho, dealer, receiver, key := [64]byte(c.octets(64)), c.count(32), c.count(32), c.key()
	var polynomial []lock.Scalar
	for range 1 + c.below(5) {
		polynomial = append(polynomial, c.scalar())
	}
	in := fields{
		"rho": text(rho[:]), "dealer": whole(dealer), "receiver": whole(receiver), "polynomial": texts(polynomial),
		"round_key": text(key.Public().Bytes()), "nonce": text(c.scalar().Bytes()), "encap_randomness": c.text(64),
	}
	return wish{kind: "deal", in: in, bound: []string{"commitments", "deal_ct", "a_0_q", "proof"}, takes: func(out fields) error {
		commitments, err := lock.ParseCommitments(uint64(len(polynomial)), out.list("commitments"))
		if err != nil {
			return err
		}
		d := lock.Dealing{Dealer: dealer, Commitments: commitments}
		if err := lock.VerifyKnowledge(rho, d, slices.Concat(out.octets("a_0_q"), out.octets("proof"))); err != nil {
			return err
		}
		_, err = lock.OpenSubShare(key, rho, d, receiver, out.octets("deal_ct"))
		return err
	}}
}

func givesPossession(c *chance) gift {
	rho, share := [64]byte(c.octets(64)), lock.SecretShare{Index: c.count(32), Value: c.scalar()}
	witness := must(lock.ProvePossession(rho, share, c))
	in := fields{
		"rho": text(rho[:]), "index": whole(share.Index), "x_i_pub": text(share.Value.Public().Bytes()),
		"x_i_q": text(witness[:lock.PointSize]), "proof": text(witness[lock.PointSize:]),
	}
	return gift{kind: "pop", in: in, bound: []string{"rho", "x_i_pub", "x_i_q", "proof"}}
}

func asksPossession(c *chance) wish {
	rho, index, x := [64]byte(c.octets(64)), c.count(32), c.scalar()
	in := fields{"rho": text(rho[:]), "index": whole(index), "x_i": text(x.Bytes()), "nonce": text(c.scalar().Bytes())}
	return wish{kind: "pop", in: in, bound: []string{"x_i_pub", "x_i_q", "proof"}, takes: func(out fields) error {
		public, err := lock.ParsePoint(out.octets("x_i_pub"))
		if err != nil {
			return err
		}
		return lock.VerifyPossession(rho, lock.Holder{Index: index, X: public}, slices.Concat(out.octets("x_i_q"), out.octets("proof")))
	}}
}

// round is the first of a generation or a reshare, with a dealing of each dealer and the old shares' public side.
func round(c *chance) (r lock.Round, x lock.Point, old []lock.Holder, dealings []lock.Dealing) {
	n := 2 + c.below(4)
	receivers := c.members(n)
	r = lock.Round{
		Network: c.network(), Kind: lock.KeyKind(1 + c.below(3)), Generation: c.count(64), Epoch: c.count(64), Attempt: c.count(64), // #nosec G115 -- small and positive
		Threshold: 1 + uint64(c.below(n)), Dealers: receivers, // #nosec G115 -- small and positive
	}
	for _, receiver := range receivers {
		r.Receivers = append(r.Receivers, lock.Receiver{Number: receiver, Key: c.key().Public()})
	}
	if c.below(2) == 0 {
		for _, dealer := range r.Dealers {
			p := must(lock.NewPolynomial(r.Threshold, c))
			dealings = append(dealings, lock.Dealing{Dealer: dealer, Commitments: p.Commitments()})
		}
		return r, x, nil, dealings
	}
	m := 2 + c.below(4)
	r.Dealers, r.OldThreshold = c.members(m), 1+uint64(c.below(m)) // #nosec G115 -- small and positive
	dealt := must(lock.Deal(r.OldThreshold, r.Dealers, c))
	for _, share := range dealt.Shares {
		p := must(lock.NewPolynomialOf(share.Value, r.Threshold, c))
		dealings = append(dealings, lock.Dealing{Dealer: share.Index, Commitments: p.Commitments()})
	}
	return r, dealt.X, dealt.Holders, dealings
}

func comparesRound(c *chance) (wish, fields) {
	r, x, old, dealings := round(c)
	var result lock.Result
	in := roundFields(r).with(fields{"deals": dealingFields(dealings), "old_x_i_pub": []fields{}})
	if r.IsFirst() {
		result = must(r.Sum(dealings))
	} else {
		result = must(r.SumReshare(x, old, dealings))
		holders := []fields{}
		for _, h := range old {
			holders = append(holders, fields{"index": h.Index, "x_i_pub": text(h.X.Bytes())})
		}
		in = in.with(fields{"x_pub": text(x.Bytes()), "old_x_i_pub": holders})
	}
	shares := []string{}
	for _, h := range result.Holders {
		shares = append(shares, text(h.X.Bytes()))
	}
	rho := must(r.Hash())
	return wish{kind: "sums", in: in}, fields{"rho": text(rho[:]), "x_pub": text(result.X.Bytes()), "x_i_pub": shares, "dealers_used": result.Dealers}
}

func roundFields(r lock.Round) fields {
	receivers := []fields{}
	for _, to := range r.Receivers {
		receivers = append(receivers, fields{"no": to.Number, "round_key": text(to.Key.Bytes())})
	}
	return fields{
		"net": text(r.Network[:]), "key_kind": r.Kind, "generation": whole(r.Generation), "share_epoch": whole(r.Epoch), "attempt": whole(r.Attempt),
		"t_old": r.OldThreshold, "t_new": r.Threshold, "dealers": r.Dealers, "receivers": receivers,
	}
}

func dealingFields(dealings []lock.Dealing) []fields {
	var all []fields
	for _, d := range dealings {
		all = append(all, fields{"dealer": d.Dealer, "commitments": texts(d.Commitments)})
	}
	return all
}
