package node_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
)

// took lists the holders whose shares the chain took for an unlock, by index.
func (n *custodyNet) took(unlock string) []uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	indexes := []uint64{}
	for _, s := range n.shares[unlock] {
		indexes = append(indexes, s.GetIndex())
	}
	slices.Sort(indexes)
	return indexes
}

func requireEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// requireTook waits until the chain has the shares of these holders, and demands that it
// gets no others without time passing.
func (n *custodyNet) requireTook(what, unlock string, want ...uint64) {
	n.t.Helper()
	want = slices.Sorted(slices.Values(want)) // a copy
	eventually(n.t, what, func() bool { return len(n.took(unlock)) >= len(want) })
	n.settled()
	requireEqual(n.t, what, n.took(unlock), want)
}

// requireTookInTime is requireTook for what a holder does once some time has passed, as
// after a failure.
func (n *custodyNet) requireTookInTime(what, unlock string, want ...uint64) {
	n.t.Helper()
	eventually(n.t, what, func() bool {
		n.commit(1)
		return len(n.took(unlock)) >= len(want)
	})
	n.requireTook(what, unlock, want...)
}

// The first holders by rank answer within the next block, the last one does not, and what
// they gave opens.
func TestHoldersRelease(t *testing.T) {
	n := newCustodyNet(t)
	for member := range uint64(holders) {
		n.start(member + 1)
	}
	scan, k1 := n.record()
	letter, k2 := n.record()
	unlock := n.approved(scan, letter)
	n.commit(1)
	first := n.ranked(unlock)[:holdersNeeded]
	n.requireTook("the first", unlock, first...)

	// Long after, the last one still has nothing to do.
	n.commit(600)
	n.requireTook("the first alone", unlock, first...)

	n.mu.Lock()
	defer n.mu.Unlock()
	var shares []lock.Share
	for _, s := range n.shares[unlock] {
		share, err := lockShare(s)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, share)
	}
	committee := lock.Committee{Epoch: 3, Threshold: holdersNeeded, Holders: n.dealt.Holders}
	combined, err := n.sessions[unlock].Combine(n.request(n.releases[unlock]), []lock.Committee{committee}, shares)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range n.unlocks[unlock].GetUnlock().GetVersions() {
		want := k1
		if v.GetRecord() == letter.GetRecord() {
			want = k2
		}
		if !combined.K[i].Equal(want) {
			t.Fatalf("version %d does not open", i+1)
		}
	}
}

// Where one of the first is away, the one behind them answers after the delay.
func TestLaterHolderAnswersAfterTheDelay(t *testing.T) {
	n := newCustodyNet(t)
	scan, _ := n.record()
	unlock := n.approved(scan)
	order := n.ranked(unlock)
	for _, member := range order[1:] { // the first is away
		n.start(member)
	}
	n.requireTook("at once", unlock, order[1:holdersNeeded]...)
	n.commit(59)
	n.requireTook("before the delay", unlock, order[1:holdersNeeded]...)
	n.commit(1)
	n.requireTook("after the delay", unlock, order[1:]...)
}

// A holder that starts finds what waits for it without a block.
func TestHolderAnswersAtItsStart(t *testing.T) {
	n := newCustodyNet(t)
	scan, _ := n.record()
	unlock := n.approved(scan)
	h := n.start(n.ranked(unlock)[0])
	eventually(t, "share without a block", func() bool { return len(n.took(unlock)) == 1 })
	h.stop()

	// Another start gives nothing twice.
	second := n.approved(scan)
	h.start()
	n.settled()
	n.commit(60) // it may not be among the first this time
	n.requireTook("the second unlock", second, h.member)
	requireEqual(t, "messages", len(n.sent()), 2)
}

func TestHolderAnswersForTheOwnerAndForAHospital(t *testing.T) {
	n := newCustodyNet(t)
	scan, _ := n.record()
	wallet := n.account(consortiumv1.Role_ROLE_PATIENT, 0)
	own := n.approvedFor(wallet, 0, scan)
	internal, _ := n.record()
	n.set(func() {
		internal.Header.Patient, internal.Header.OwnerKind = "", 2
	})
	hospitals := n.approved(internal)
	n.start(1)
	n.settled()
	n.commit(60)
	n.requireTook("own reading", own, 1)
	n.requireTook("a hospital's own", hospitals, 1)
}

// Each line is one thing that is not as it must be: the holder stays silent, and answers
// when it is put right.
func TestHolderStaysSilent(t *testing.T) {
	// scene is what a line spoils before the holder starts.
	type scene struct {
		*custodyNet
		holder    *holding
		unlock    *accessv1.QueryUnlockResponse
		release   *custodyv1.Release
		requester *consortiumv1.Principal
		scan      *recordsv1.Header
	}
	other := func(s scene) []byte { return lock.HashToGroup(s.bytes(32)).Bytes() }
	for _, tc := range []struct {
		name  string
		spoil func(s scene)
	}{
		{"catching up, says the chain", func(s scene) { s.notReady = fmt.Errorf("catching up: %w", node.ErrNotReady) }},
		{"catching up", func(s scene) { s.head.CatchingUp = true }},
		{"head 30 seconds old", func(s scene) { s.headAge = 30 * time.Second }},
		{"head without signatures", func(s scene) { s.head.Signed = false }},

		{"nobody else answers", func(s scene) {
			s.told = func(uint64) (node.Told, error) { return node.Told{}, errors.New("no route to host") }
		}},
		{"the others are a block ahead", func(s scene) { s.told = s.tells(1) }},
		{"the others are behind", func(s scene) { s.told = s.tells(-3) }},
		{"the others are of another network", func(s scene) {
			s.told = func(uint64) (node.Told, error) { return node.Told{ChainID: "phrd-other", Height: 10}, nil }
		}},
		{"one of the others vouches", func(s scene) {
			s.told = func(member uint64) (node.Told, error) {
				if member == s.holder.member%holders+1 {
					return s.tells(0)(member)
				}
				return s.tells(1000)(member)
			}
		}},

		{"denied", func(s scene) {
			s.unlock.Unlock.DeniedBy, s.unlock.Status = "phrd1x", accessv1.UnlockStatus_UNLOCK_STATUS_DENIED
		}},
		{"withdrawn", func(s scene) {
			s.unlock.Unlock.WithdrawnBy, s.unlock.Status = "phrd1x", accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN
		}},
		{"withdrawn, whatever the status says", func(s scene) { s.unlock.Unlock.WithdrawnBy = "phrd1x" }},
		{"expired", func(s scene) { s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED }},
		{"expired by the head's time", func(s scene) { s.headAge = -24 * time.Hour }},
		{"endorsed and no more", func(s scene) { s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED }},
		{"released", func(s scene) { s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED }},
		{"no approval", func(s scene) { s.unlock.Unlock.Approval = nil }},
		{"an endorsement missing", func(s scene) { s.unlock.Unlock.EndorsementsNeeded = 2 }},
		{"no such unlock", func(s scene) { delete(s.unlocks, s.release.GetUnlock()) }},

		{"requester left", func(s scene) { s.requester.Active = false }},
		{"requester moved", func(s scene) { s.requester.Hospital = clinic }},
		{"requester is a clerk now", func(s scene) { s.requester.Role = consortiumv1.Role_ROLE_CLERK }},
		{"requester unknown", func(s scene) { delete(s.principals, s.requester.GetAddress()) }},

		{"wrong proof", func(s scene) { s.unlock.Unlock.Proof[0] ^= 1 }},
		{"another purpose", func(s scene) { s.unlock.Unlock.Purpose = "HRESCH" }},
		{"another expiry", func(s scene) { s.unlock.Unlock.ExpiresAt++ }},
		{"another request key", func(s scene) { s.unlock.Unlock.RequestKey = lock.RawCID([32]byte{1}).String() }},
		{"another B", func(s scene) { s.unlock.Unlock.B = other(s) }},
		{"another policy", func(s scene) { s.unlock.Unlock.PolicyVersion = 1 }},
		{"another requester", func(s scene) { s.unlock.Unlock.Requester = s.account(consortiumv1.Role_ROLE_CLINICIAN, er) }},
		{"another M in the unlock", func(s scene) { s.unlock.Unlock.Versions[0].M = other(s) }},
		{"another M in the release", func(s scene) { s.release.Blinded[0] = other(s) }},
		{"another M in both", func(s scene) {
			m := other(s)
			s.unlock.Unlock.Versions[0].M, s.release.Blinded[0] = m, m
		}},
		{"a point more", func(s scene) { s.release.Blinded = append(s.release.Blinded, other(s)) }},
		{"a point less", func(s scene) { s.release.Blinded = nil }},
		{"a version less", func(s scene) { s.unlock.Unlock.Versions = nil }},
		{"another version", func(s scene) { s.unlock.Unlock.Versions[0].Version = 2 }},

		{"erased", func(s scene) {
			for _, v := range s.versions {
				v.Tombstone = &recordsv1.Tombstone{Erasure: 1}
			}
		}},
		{"another U in the record", func(s scene) { s.scan.U = other(s) }},
		{"another C in the record", func(s scene) { s.scan.C[0] ^= 1 }},
		{"another owner", func(s scene) { s.scan.Patient = lock.ID{9}.String() }},
		{"another owner in both", func(s scene) { s.scan.Patient, s.unlock.Unlock.Patient = lock.ID{9}.String(), lock.ID{9}.String() }},
		{"another custodian", func(s scene) { s.scan.Custodian = er }},
		{"a lock by the network alone", func(s scene) { s.scan.Lock = recordsv1.Lock_LOCK_NETWORK }},
		{"another generation in the record", func(s scene) { s.scan.Generation = 2 }},
		{"a record that is gone", func(s scene) { clear(s.versions) }},

		{"another kind of key", func(s scene) { s.release.Kind = custodyv1.KeyKind_KEY_KIND_EMERGENCY }},
		{"another kind of key, with a share", func(s scene) {
			s.release.Kind, s.holder.shares.share.Kind = custodyv1.KeyKind_KEY_KIND_EMERGENCY, lock.KeyEmergency
		}},
		{"a generation that is not there", func(s scene) { s.release.Generation = 2 }},
		{"another key", func(s scene) { s.key.PublicKey = other(s) }},
		{"another public share", func(s scene) { s.committee[s.holder.member-1].PublicShare = other(s) }},
		{"not confirmed", func(s scene) { s.committee[s.holder.member-1].Confirmed = false }},
		{"not of the epoch", func(s scene) { s.key.ShareEpoch = 4 }},
		{"not a member's node", func(s scene) { s.principals[s.holder.account].Role = consortiumv1.Role_ROLE_STORAGE }},
		{"suspended", func(s scene) { s.principals[s.holder.account].Active = false }},

		{"no share at hand", func(s scene) { s.holder.shares.err = keys.ErrNotFound }},
		{"a foreign index", func(s scene) { s.holder.shares.share.Index = s.holder.member%holders + 1 }},
		{"another member's share", func(s scene) { s.holder.shares.share.Scalar = s.dealt.Shares[s.holder.member%holders].Value }},
		{"a share of another network", func(s scene) { s.holder.shares.share.Network[0]++ }},
		{"a share of another epoch", func(s scene) { s.holder.shares.share.Epoch = 2 }},
		{"a share of another generation", func(s scene) { s.holder.shares.share.Generation = 2 }},
		{"a share of another kind", func(s scene) { s.holder.shares.share.Kind = lock.KeyGuardians }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newCustodyNet(t)
			scan, _ := n.record()
			unlock := n.approved(scan)
			s := scene{
				custodyNet: n, holder: n.holding(n.ranked(unlock)[0]), unlock: n.unlocks[unlock], release: n.releases[unlock], scan: scan.GetHeader(),
			}
			s.requester = n.principals[s.unlock.GetUnlock().GetRequester()]
			restore := n.snapshot()
			tc.spoil(s)
			s.holder.start()
			n.settled()
			requireEqual(t, "messages", len(n.sent()), 0)

			n.set(func() {
				restore()
				n.headAge = 29 * time.Second
			})
			s.holder.shares.set(n.shareOf(s.holder.member))
			n.requireTookInTime("put right", unlock, s.holder.member)
		})
	}
}

// tells answers what members say whose newest block is so many ahead of the network's.
func (n *custodyNet) tells(ahead int64) func(uint64) (node.Told, error) {
	return func(uint64) (node.Told, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		return node.Told{ChainID: chainID, Height: n.head.Height + ahead}, nil
	}
}

// A holder gives its share where two of the four others vouch, whatever the rest says: one is more than can be faulty. Blocks go on
// meanwhile, and it asks once for all that is due.
func TestHolderIsVouchedFor(t *testing.T) {
	for _, tc := range []struct {
		name string
		told func(n *custodyNet, place int) (node.Told, error) // of the others, by place from 0
	}{
		{"two are silent", func(n *custodyNet, place int) (node.Told, error) {
			if place < 2 {
				return node.Told{}, errors.New("no route to host")
			}
			return n.tells(0)(0)
		}},
		{"two make heights up", func(n *custodyNet, place int) (node.Told, error) {
			return n.tells([]int64{1 << 50, -1 << 50, 0, 0}[place])(0)
		}},
		{"two are ahead, two are behind", func(n *custodyNet, place int) (node.Told, error) { return n.tells([]int64{1, -2, 1, -2}[place])(0) }},
		{"three blocks come before they answer", func(n *custodyNet, place int) (node.Told, error) {
			n.set(func() { n.head.Height += 3 })
			return n.tells(0)(0)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newCustodyNet(t)
			scan, _ := n.record()
			unlock, other := n.approved(scan), n.approved(scan)
			h := n.holding(n.ranked(unlock)[0])
			asked := map[uint64]int{}
			n.told = func(member uint64) (node.Told, error) {
				n.set(func() { asked[member]++ })
				return tc.told(n, int(member+holders-h.member-1)%holders)
			}
			h.start()
			n.requireTook("vouched for", unlock, h.member)
			n.commit(60)
			n.requireTook("the other one", other, h.member)
			n.set(func() {
				if len(asked) != holders-1 || asked[h.member] != 0 {
					t.Errorf("asked %v, itself is %d", asked, h.member)
				}
				for member, times := range asked {
					if times > 2 {
						t.Errorf("member %d was asked %d times", member, times)
					}
				}
			})
		})
	}
}

// snapshot answers what puts everything back as it is now.
func (n *custodyNet) snapshot() (restore func()) {
	principals, versions, unlocks, releases := copied(n.principals), copied(n.versions), copied(n.unlocks), copied(n.releases)
	head, headAge, key := n.head, n.headAge, clone(n.key)
	committee := make([]*custodyv1.Holder, len(n.committee))
	for i, h := range n.committee {
		committee[i] = clone(h)
	}
	return func() {
		n.principals, n.versions, n.unlocks, n.releases = principals, versions, unlocks, releases
		n.head, n.headAge, n.key, n.committee, n.notReady, n.told = head, headAge, key, committee, nil, nil
	}
}

func copied[M proto.Message](all map[string]M) map[string]M {
	copies := make(map[string]M, len(all))
	for name, m := range all {
		copies[name] = clone(m)
	}
	return copies
}

// given counts the shares that the chain took.
func (n *custodyNet) given() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, shares := range n.shares {
		count += len(shares)
	}
	return count
}

// Many unlocks go in few messages, none of which is too large for a transaction.
func TestHolderSendsBatches(t *testing.T) {
	n := newCustodyNet(t)
	const unlocks = 70
	scan, _ := n.record()
	for range unlocks {
		n.approved(scan)
	}
	n.start(1)
	n.settled()
	n.commit(60) // for those where it is not among the first
	eventually(t, "all shares", func() bool { return n.given() == unlocks })
	messages := n.settled()
	shares := 0
	for _, m := range messages {
		shares += len(m.GetShares())
		if len(m.GetShares()) > 32 {
			t.Errorf("a message has %d shares", len(m.GetShares()))
		}
	}
	requireEqual(t, "shares", shares, unlocks)
	if len(messages) > 8 {
		t.Errorf("%d messages for %d shares", len(messages), unlocks)
	}
}

func TestHolderKeepsMessagesBelowATransaction(t *testing.T) {
	n := newCustodyNet(t)
	const unlocks, versions = 24, 64
	var list []*recordsv1.Version
	for range versions {
		v, _ := n.record()
		list = append(list, v)
	}
	for range unlocks {
		n.approved(list...)
	}
	n.start(1)
	n.settled()
	n.commit(60)
	eventually(t, "all shares", func() bool { return n.given() == unlocks })
	shares, most := 0, 0
	for _, m := range n.settled() {
		shares += len(m.GetShares())
		most = max(most, proto.Size(m))
	}
	requireEqual(t, "shares", shares, unlocks)
	if most > 48<<10 || most < 10<<10 {
		t.Errorf("the largest message has %d bytes", most)
	}
}

// What the chain or the way to it refuses is tried again; what it has it does not get twice.
func TestHolderTriesAgain(t *testing.T) {
	refusedAll := func(reason string) func(m *custodyv1.MsgSubmitShares) (*custodyv1.MsgSubmitSharesResponse, error) {
		return func(m *custodyv1.MsgSubmitShares) (*custodyv1.MsgSubmitSharesResponse, error) {
			answer := &custodyv1.MsgSubmitSharesResponse{}
			for _, s := range m.GetShares() {
				answer.Results = append(answer.Results, &custodyv1.ShareResult{Unlock: s.GetUnlock(), Reason: reason})
			}
			return answer, nil
		}
	}
	for _, tc := range []struct {
		name   string
		submit func(m *custodyv1.MsgSubmitShares) (*custodyv1.MsgSubmitSharesResponse, error)
		again  bool
	}{
		{"no connection", func(*custodyv1.MsgSubmitShares) (*custodyv1.MsgSubmitSharesResponse, error) {
			return nil, errors.New("connection lost")
		}, true},
		{"an answer that is too short", func(*custodyv1.MsgSubmitShares) (*custodyv1.MsgSubmitSharesResponse, error) {
			return &custodyv1.MsgSubmitSharesResponse{}, nil
		}, true},
		{"too early", refusedAll("too_early"), true},
		{"suspended", refusedAll("inactive"), true},
		{"given before", refusedAll("repeated_share"), false},
		{"closed meanwhile", refusedAll("release_closed"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newCustodyNet(t)
			scan, _ := n.record()
			unlock := n.approved(scan)
			n.submit = tc.submit
			h := n.start(n.ranked(unlock)[0])
			eventually(t, "first message", func() bool { return len(n.sent()) == 1 })
			// Blocks alone are no reason to try again.
			requireEqual(t, "messages", len(n.settled()), 1)
			n.set(func() { n.submit = nil })
			if tc.again {
				n.requireTookInTime("second message", unlock, h.member)
				requireEqual(t, "messages", len(n.sent()), 2)
				return
			}
			n.commit(60)
			n.settled()
			n.commit(60)
			requireEqual(t, "messages", len(n.settled()), 1)
		})
	}
}

// A release that fails its checks does not keep the others from theirs.
func TestHolderGoesOnBehindABadRelease(t *testing.T) {
	n := newCustodyNet(t)
	scan, _ := n.record()
	var unlocks []string
	for range 8 {
		unlocks = append(unlocks, n.approved(scan))
	}
	slices.Sort(unlocks)
	n.set(func() { n.unlocks[unlocks[0]].Unlock.Proof[0] ^= 1 })
	n.start(2)
	n.settled()
	n.commit(60)
	for _, unlock := range unlocks[1:] {
		n.requireTook("the others", unlock, 2)
	}
	requireEqual(t, "the bad one", len(n.took(unlocks[0])), 0)
}

func TestNewHolderNeedsChainAndShares(t *testing.T) {
	if _, err := node.NewHolder(node.HolderConfig{}); err == nil {
		t.Error("a holder without chain and shares")
	}
}
