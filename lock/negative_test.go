package lock_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// refuse has, for each name of refused cases, what reads or checks one, and with which error it has to refuse.
var refuse = map[string]struct {
	check func(*testing.T, vector) error
	want  error
}{
	"point":         {refusePoint, lock.ErrPoint},
	"u":             {refuseEncapsulation, lock.ErrPoint},
	"scalar":        {refuseScalar, lock.ErrScalar},
	"secret_scalar": {refuseSecretScalar, lock.ErrScalar},
	"string":        {refuseString, lock.ErrField},
	"cid":           {refuseCID, lock.ErrCID},
	"raw_cid":       {refuseRawCID, lock.ErrCID},
	"object_cid":    {refuseObjectCID, lock.ErrCID},
	"cid_text":      {refuseCIDText, lock.ErrCID},
	"gen":           {refuseGeneration, lock.ErrField},
	"ctx":           {refuseContext, lock.ErrField},
	"xwing_key":     {refuseKey, lock.ErrKey},
	"encap":         {refuseEncap, lock.ErrProof},
	"request":       {refuseRequest, lock.ErrProof},
	"share":         {refuseShare, lock.ErrProof},
	"combine":       {refuseCombine, lock.ErrShares},
	"guardians":     {refuseGuardians, lock.ErrProof},
	"subshare":      {refuseSubShare, lock.ErrShare},
	"pok":           {refusePoK, lock.ErrProof},
	"pop":           {refusePoP, lock.ErrProof},
	"deal_open":     {refuseDeal, lock.ErrOpen},
	"reshare":       {refuseReshare, lock.ErrShare},
	"round":         {refuseRound, lock.ErrField},
}

// exceptions are the cases that another error than their name's refuses.
var exceptions = map[string]error{
	"gen/4": lock.ErrPoint, "ctx/10": lock.ErrID, "ctx/11": errWidth,
	"encap/13": lock.ErrPoint, "encap/14": lock.ErrPoint, "encap/15": lock.ErrPoint, "encap/24": lock.ErrCID, "encap/25": errWidth,
	"request/2": lock.ErrField, "request/3": lock.ErrField, "request/7": lock.ErrPoint, "request/8": lock.ErrPoint,
	"request/9": lock.ErrPoint, "request/10": lock.ErrPoint, "request/11": lock.ErrField, "request/12": lock.ErrField,
	"request/15": lock.ErrField, "request/16": lock.ErrField, "request/20": lock.ErrCID, "request/22": errWidth,
	"share/5": lock.ErrField, "share/6": lock.ErrField, "share/11": lock.ErrPoint, "share/12": lock.ErrField,
	"combine/2": lock.ErrField, "combine/6": lock.ErrPoint, "combine/7": lock.ErrScalar, "guardians/6": lock.ErrPoint,
	"subshare/2": lock.ErrField, "subshare/3": lock.ErrField, "subshare/4": lock.ErrPoint, "subshare/5": lock.ErrScalar,
	"subshare/6": lock.ErrField, "subshare/7": lock.ErrPoint, "subshare/8": lock.ErrScalar,
	"pok/6": lock.ErrField, "pop/2": lock.ErrPoint, "pop/4": lock.ErrField,
	"reshare/2": lock.ErrRound, "reshare/4": lock.ErrRound, "reshare/6": lock.ErrField, "round/7": lock.ErrKey, "round/8": lock.ErrKey,
}

func TestNegative(t *testing.T) {
	cases(t, "negative.json", func(t *testing.T, v vector) {
		t.Helper()
		require.Equal(t, "refuse", v.Must)
		r, known := refuse[v.kind()]
		require.True(t, known, "claimed and not checked")
		want, other := exceptions[v.Name]
		if !other {
			want = r.want
		}
		require.ErrorIs(t, r.check(t, v), want, v.What)
	})
}

type encoded struct {
	Point, U, Scalar octets
	Hex              octets
	CID              octets
	Text             string
	Key              octets `json:"recipient_key"`
}

func refusePoint(t *testing.T, v vector) error {
	t.Helper()
	_, err := lock.ParsePoint(decode[encoded](t, v.In, true).Point)
	return err
}

func refuseEncapsulation(t *testing.T, v vector) error {
	t.Helper()
	_, err := lock.ParseEncapsulation(decode[encoded](t, v.In, true).U)
	return err
}

func refuseScalar(t *testing.T, v vector) error {
	t.Helper()
	_, err := lock.ParseScalar(decode[encoded](t, v.In, true).Scalar)
	return err
}

func refuseSecretScalar(t *testing.T, v vector) error {
	t.Helper()
	b := decode[encoded](t, v.In, true).Scalar
	_, err := lock.ParseScalar(b)
	require.NoError(t, err, "it is a scalar, only no secret one")
	_, err = lock.ParseSecretScalar(b)
	return err
}

func refuseString(t *testing.T, v vector) error {
	t.Helper()
	return lock.CheckASCII(string(decode[encoded](t, v.In, true).Hex))
}

func refuseCID(t *testing.T, v vector) error {
	t.Helper()
	_, err := lock.CIDFromBytes(decode[encoded](t, v.In, true).CID)
	return err
}

func refuseRawCID(t *testing.T, v vector) error {
	t.Helper()
	c, err := lock.CIDFromBytes(decode[encoded](t, v.In, true).CID)
	require.NoError(t, err, "it is a CID, only not raw")
	_, err = lock.ParseRawCID(c.String())
	return err
}

func refuseObjectCID(t *testing.T, v vector) error {
	t.Helper()
	c, err := lock.CIDFromBytes(decode[encoded](t, v.In, true).CID)
	require.NoError(t, err, "it is a CID, only not dag-pb")
	_, err = lock.ParseDagCID(c.String())
	return err
}

func refuseCIDText(t *testing.T, v vector) error {
	t.Helper()
	_, err := lock.ParseCID(decode[encoded](t, v.In, true).Text)
	return err
}

func refuseGeneration(t *testing.T, v vector) error {
	t.Helper()
	g, err := decode[generationCase](t, v.In, true).generation()
	if err != nil {
		return err
	}
	_, err = g.Hash()
	return err
}

func refuseContext(t *testing.T, v vector) error {
	t.Helper()
	c, err := decode[contextCase](t, v.In, true).context()
	if err != nil {
		return err
	}
	_, err = c.Hash()
	return err
}

func refuseKey(t *testing.T, v vector) error {
	t.Helper()
	_, err := lock.ParsePublicKey(decode[encoded](t, v.In, true).Key)
	return err
}

func refuseEncap(t *testing.T, v vector) error {
	t.Helper()
	c := decode[encapCase](t, v.In, true)
	locked, err := c.version()
	if err != nil {
		return err
	}
	return locked.Verify(c.Proof)
}

func refuseRequest(t *testing.T, v vector) error {
	t.Helper()
	c := decode[requestCase](t, v.In, true)
	p, err := c.proposal()
	if err != nil {
		return err
	}
	return p.Verify(c.Proof)
}

func refuseShare(t *testing.T, v vector) error {
	t.Helper()
	c := decode[shareCase](t, v.In, true)
	r, err := c.release()
	if err != nil {
		return err
	}
	s, err := c.share()
	if err != nil {
		return err
	}
	holder, err := lock.ParsePoint(c.Holder)
	if err != nil {
		return err
	}
	return r.Verify(s, holder)
}

func refuseCombine(t *testing.T, v vector) error {
	t.Helper()
	_, err := decode[combineCase](t, v.In, true).combine()
	return err
}

func refuseGuardians(t *testing.T, v vector) error {
	t.Helper()
	c := decode[guardianCase](t, v.In, true)
	slot, err := c.slot()
	if err != nil {
		return err
	}
	return slot.Verify(c.Proof)
}

func refuseSubShare(t *testing.T, v vector) error {
	t.Helper()
	c := decode[dealCase](t, v.In, true)
	commitments, err := lock.ParseCommitments(uint64(c.Threshold), raws(c.Commitments))
	if err != nil {
		return err
	}
	value, err := lock.ParseSecretScalar(c.SubShare)
	if err != nil {
		return err
	}
	return commitments.Check(uint64(c.Threshold), lock.SecretShare{Index: uint64(c.Receiver), Value: value})
}

func refusePoK(t *testing.T, v vector) error {
	t.Helper()
	return decode[pokCase](t, v.In, true).verify()
}

func refusePoP(t *testing.T, v vector) error {
	t.Helper()
	return decode[popCase](t, v.In, true).verify()
}

func refuseDeal(t *testing.T, v vector) error {
	t.Helper()
	_, err := decode[dealCase](t, v.In, true).open()
	return err
}

// refuseReshare follows one receiver: it checks the deals, sums them, and joins its sub-shares to its new share.
func refuseReshare(t *testing.T, v vector) error {
	t.Helper()
	c := decode[struct {
		TOld  number `json:"t_old"`
		TNew  number `json:"t_new"`
		Index number
		X     octets `json:"x_pub"`
		Old   []struct {
			Index number
			X     octets `json:"x_i_pub"`
		} `json:"old_x_i_pub"`
		Deals []struct {
			Dealer      number
			Commitments []octets
			SubShare    octets `json:"sub_share"`
		}
	}](t, v.In, true)
	x, err := lock.ParsePoint(c.X)
	if err != nil {
		return err
	}
	var dealers []number
	var old []lock.Holder
	for _, holder := range c.Old {
		dealers = append(dealers, holder.Index)
		old = append(old, lock.Holder{Index: uint64(holder.Index), X: must(lock.ParsePoint(holder.X))})
	}
	receivers := []number{1, 2, 3, 4, 5, 6, 7}
	r := reshareRound(t, uint64(c.TOld), uint64(c.TNew), dealers, receivers)
	var dealings []lock.Dealing
	var got []lock.SubShare
	for _, deal := range c.Deals {
		commitments, err := lock.ParseCommitments(r.Threshold, raws(deal.Commitments))
		if err != nil {
			return err
		}
		value, err := lock.ParseSecretScalar(deal.SubShare)
		if err != nil {
			return err
		}
		if err := commitments.Check(r.Threshold, lock.SecretShare{Index: uint64(c.Index), Value: value}); err != nil {
			return err
		}
		dealings = append(dealings, lock.Dealing{Dealer: uint64(deal.Dealer), Commitments: commitments})
		got = append(got, lock.SubShare{Dealer: uint64(deal.Dealer), Value: value})
	}
	result, err := r.SumReshare(x, old, dealings)
	if err != nil {
		return err
	}
	_, err = result.Share(uint64(c.Index), got)
	return err
}

func refuseRound(t *testing.T, v vector) error {
	t.Helper()
	r, err := decode[roundCase](t, v.In, true).round()
	if err != nil {
		return err
	}
	return r.Validate()
}
