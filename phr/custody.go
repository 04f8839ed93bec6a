package phr

import (
	"context"
	"fmt"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
)

// NetworkKey is where one of the network's keys stands.
type NetworkKey struct {
	// Key is nil as long as the members make it for the first time.
	Key *custodyv1.Key
	// Holders of its shares in the epoch in force, by index; those of the epoch that is being made where there is no key yet.
	Holders []*custodyv1.Holder
	// Round is the newest that made or makes shares of it, nil where there was none.
	Round *custodyv1.Round
	// Missing is how many hospitals more would have to take part, or to hold a share still, before its shares can be renewed.
	Missing uint64
}

// missing is how many of the members a key lacks, which no round makes up for.
func missing(key *custodyv1.Key, holders []*custodyv1.Holder, members []*consortiumv1.Member) uint64 {
	status := map[uint64]consortiumv1.MemberStatus{}
	serving, holding := uint64(0), uint64(0)
	for _, m := range members {
		if status[m.GetNumber()] = m.GetStatus(); m.GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE {
			serving++
		}
	}
	for _, h := range holders {
		if h.GetConfirmed() && status[h.GetIndex()] != consortiumv1.MemberStatus_MEMBER_STATUS_LEFT {
			holding++
		}
	}
	least := key.GetThreshold()
	if first := key.GetFirstThreshold(); first != 0 {
		least = first
	}
	return max(max(least, serving)-serving, max(key.GetThreshold(), holding)-holding)
}

// IsWhole tells whether the key is there, every holder has proved that it has its share, and no round runs.
func (k NetworkKey) IsWhole() bool {
	if k.Key == nil || k.Round != nil && k.Round.GetPhase() != custodyv1.RoundPhase_ROUND_PHASE_DONE {
		return false
	}
	for _, h := range k.Holders {
		if !h.GetConfirmed() {
			return false
		}
	}
	return true
}

// NetworkKeys lists the network's keys, made or being made, by kind and generation.
func (c *Client) NetworkKeys(ctx context.Context) ([]NetworkKey, error) {
	q := custodyv1.NewQueryClient(c)
	made, err := q.Keys(ctx, &custodyv1.QueryKeysRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask for the network's keys: %w", err)
	}
	rounds, err := q.Rounds(ctx, &custodyv1.QueryRoundsRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask for the rounds: %w", err)
	}
	list := make([]NetworkKey, 0, len(made.GetKeys())+len(rounds.GetRounds()))
	for _, key := range made.GetKeys() {
		list = append(list, NetworkKey{Key: key})
	}
next:
	for _, r := range rounds.GetRounds() {
		for i, k := range list {
			if k.Key.GetKind() == r.GetKind() && k.Key.GetGeneration() == r.GetGeneration() {
				list[i].Round = r
				continue next
			}
		}
		list = append(list, NetworkKey{Round: r})
	}
	members, err := c.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the members: %w", err)
	}
	for i, k := range list {
		want := &custodyv1.QueryHoldersRequest{Kind: k.Key.GetKind(), Generation: k.Key.GetGeneration(), ShareEpoch: k.Key.GetShareEpoch()}
		if k.Key == nil {
			want = &custodyv1.QueryHoldersRequest{Kind: k.Round.GetKind(), Generation: k.Round.GetGeneration(), ShareEpoch: k.Round.GetShareEpoch()}
		}
		holders, err := q.Holders(ctx, want)
		if err != nil {
			return nil, fmt.Errorf("ask for the holders: %w", err)
		}
		if list[i].Holders = holders.GetHolders(); k.Key != nil {
			list[i].Missing = missing(k.Key, list[i].Holders, members)
		}
	}
	return list, nil
}

// KeyKinds are the words for what the network's keys are for, which programs and people give.
var KeyKinds = map[string]custodyv1.KeyKind{
	"records": custodyv1.KeyKind_KEY_KIND_RECORDS, "emergency": custodyv1.KeyKind_KEY_KIND_EMERGENCY, "guardians": custodyv1.KeyKind_KEY_KIND_GUARDIANS,
}

// ProposeReshare asks the members to renew the shares of a generation of a key.
func (c *Client) ProposeReshare(ctx context.Context, kind custodyv1.KeyKind, generation uint64) (uint64, error) {
	return c.ProposeToMembers(ctx, &custodyv1.MsgStartReshare{Authority: Authority(), Kind: kind, Generation: generation})
}

// ProposeGeneration asks the members to make a key of a kind, or a new one in place of that which they have, under which all is locked that
// is stored from then on.
func (c *Client) ProposeGeneration(ctx context.Context, kind custodyv1.KeyKind) (uint64, error) {
	return c.ProposeToMembers(ctx, &custodyv1.MsgStartGeneration{Authority: Authority(), Kind: kind})
}
