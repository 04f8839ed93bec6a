package main

import (
	"google.golang.org/protobuf/proto"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
)

// wrong changes a message against the rules, and says whether it did.
type wrong func(proto.Message) bool

// wrongs are what a rogue does, by phase.
var wrongs = map[string]wrong{
	"deals":         spoilDeals,
	"complaints":    complain,
	"confirmations": spoilPossession,
	"shares":        spoilShares,
}

// spoilDeals seals a sub-share that does not open for the first receiver, and answers its complaint with another sub-share.
func spoilDeals(m proto.Message) bool {
	switch m := m.(type) {
	case *custodyv1.MsgSubmitDeal:
		if len(m.GetCommitments()) == 0 {
			return false // it goes on with a deal
		}
		flip(m.GetShares()[0].GetSealed())
	case *custodyv1.MsgSubmitJustification:
		for _, a := range m.GetAnswers() {
			a.GetSubShare()[0] ^= 1
		}
	default:
		return false
	}
	return true
}

// complain complains about the first hospital, which did nothing wrong.
func complain(m proto.Message) bool {
	c, ok := m.(*custodyv1.MsgSubmitComplaint)
	if ok {
		c.Dealers = []uint64{1}
	}
	return ok
}

// spoilPossession proves to have another share than its own.
func spoilPossession(m proto.Message) bool {
	c, ok := m.(*custodyv1.MsgConfirmShare)
	if ok {
		flip(c.GetPossession())
	}
	return ok
}

// spoilShares gives shares of which the proof does not hold.
func spoilShares(m proto.Message) bool {
	given, ok := m.(*custodyv1.MsgSubmitShares)
	for _, s := range given.GetShares() {
		flip(s.GetProof())
	}
	return ok
}

// flip changes the last byte.
func flip(b []byte) { b[len(b)-1] ^= 1 }
