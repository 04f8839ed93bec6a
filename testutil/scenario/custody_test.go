package scenario_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
)

// atFirst is an entry of the first attempt of a round.
func atFirst(e *auditv1.Entry) *auditv1.Entry {
	e.Count = 1
	return e
}

func isWhole(k phr.NetworkKey) bool { return k.IsWhole() }

// The founders make the records key together. One of them is late: until its time is over nothing can be stored, and who tries is told
// why; then the others have a key, store and open, and the late one gets its share when it comes.
func TestHospitalsMakeTheKeyWithoutOneThatIsLate(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Absent("south"), scenario.RoundWindow(10*time.Second))
	clinic, er, south := net.Hospital("clinic"), net.Hospital("er"), net.Hospital("south")
	clinic.RecordsKey(func(k phr.NetworkKey) bool { return k.Key == nil && k.Round.GetReceived() == 3 })
	alice := net.Patient("alice")
	err := clinic.CannotStore(alice, "too-early.dcm")
	if !strings.Contains(err.Error(), "network key is being made (round 1, 3 of 4 deals)") && !strings.Contains(err.Error(), "checks of the deals") {
		t.Fatalf("stored before there is a key: %v", err)
	}
	made := clinic.RecordsKey(func(k phr.NetworkKey) bool {
		return k.Key != nil && k.Round.GetPhase() == custodyv1.RoundPhase_ROUND_PHASE_DONE
	})
	if made.Key.GetOrigin() != custodyv1.Origin_ORIGIN_DKG || made.Key.GetThreshold() != 3 || len(made.Holders) != 4 {
		t.Fatalf("the key is %v, held by %v", made.Key, made.Holders)
	}
	er.RecordsKey(func(k phr.NetworkKey) bool { return k.Key != nil })
	scan := clinic.Upload(alice, lock.ID{}, "with-three.dcm", scenario.Content(3000))
	unlock := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(scan)

	south.Start()
	late := south.RecordsKey(isWhole)
	if !bytes.Equal(late.Key.GetPublicKey(), made.Key.GetPublicKey()) {
		t.Error("the key changed")
	}
	for _, h := range net.Hospitals() {
		if kept := h.KeptShares(1); kept[0].Epoch != 1 {
			t.Errorf("%s keeps %v", h.Name(), kept)
		}
	}
	net.Tells(atFirst(target(entryOf(south.Node(), "node", audit.KindShareConfirmed), "1/1/1")))
	net.HasWholeLog()
}

// By votes the hospitals make keys for emergencies and for guardians beside the records key; each server keeps a share of each, and each key
// is renewed by itself. Four hospitals get no key for emergencies.
func TestHospitalsMakeKeysOfAllKinds(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(5))
	clinic := net.Hospital("clinic")
	net.MakeKey(custodyv1.KeyKind_KEY_KIND_EMERGENCY)
	net.MakeKey(custodyv1.KeyKind_KEY_KIND_GUARDIANS)
	net.Decide(&custodyv1.MsgStartReshare{Authority: phr.Authority(), Kind: custodyv1.KeyKind_KEY_KIND_EMERGENCY, Generation: 1})
	clinic.RecordsKey(func(k phr.NetworkKey) bool {
		renewed := k.Key.GetKind() == custodyv1.KeyKind_KEY_KIND_EMERGENCY
		return k.IsWhole() && len(k.Holders) == 5 && k.Missing == 0 && (k.Key.GetShareEpoch() == 2) == renewed
	})
	for _, h := range net.Hospitals() {
		for i, kept := range h.KeptShares(3) {
			if kept.Kind != lock.KeyKind(i+1) || (kept.Epoch == 2) != (kept.Kind == lock.KeyEmergency) {
				t.Errorf("%s keeps the shares %v", h.Name(), kept)
			}
		}
	}
	net.Tells(atFirst(byChain(audit.KindSharesRenewed, "2/1/2")))
}

// A hospital's operator has it deal sub-shares that are none and not answer for them, answer after a restart, and complain without need. Each
// time the others renew their shares without what it spoiled; what was locked opens after each, and old shares are gone from every disk.
func TestRoundsWithARogue(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RoundWindow(15*time.Second))
	clinic, er, south := net.Hospital("clinic"), net.Hospital("er"), net.Hospital("south")
	alice := net.Patient("alice")
	scan := clinic.Store(alice, "scan.dcm")
	first := clinic.RecordsKey(isWhole)
	reshare := &custodyv1.MsgStartReshare{Authority: phr.Authority(), Kind: custodyv1.KeyKind_KEY_KIND_RECORDS, Generation: 1}
	// An unlock that waits for shares while the shares change.
	waiting := er.Propose(scan, scenario.Treatment)
	clinic.Endorse(waiting)

	spoiled := 0
	stop := south.Rogue(clinic, func(m proto.Message) proto.Message {
		switch m := m.(type) {
		case *custodyv1.MsgSubmitDeal:
			for _, s := range m.GetShares() {
				if s.GetReceiver() == er.Number() {
					s.Sealed[1120] ^= 1
					spoiled++
				}
			}
		case *custodyv1.MsgSubmitJustification:
			return nil
		}
		return m
	})
	net.Decide(reshare)
	renewed := clinic.Reshared(2, 4)
	stop()
	if spoiled != 1 {
		t.Fatalf("%d sub-shares were spoiled", spoiled)
	}
	if !bytes.Equal(renewed.Key.GetPublicKey(), first.Key.GetPublicKey()) || renewed.Key.GetShareEpoch() != 2 {
		t.Fatalf("renewed %v of %v", renewed.Key, first.Key)
	}
	if slices.Contains(renewed.Round.GetQualified(), south.Number()) {
		t.Errorf("dealers that count: %v", renewed.Round.GetQualified())
	}
	net.Tells(atFirst(target(entryOf(er.Node(), "node", audit.KindDealsDisputed), "1/1/2")))
	net.Tells(atFirst(byChain(audit.KindDealerExcluded, "1/1/2/"+number(south.Number()))))
	alice.Approve(waiting)
	er.Opens(scan)

	// Once more, but it ends after its deal and is started again. It complains about one that did nothing wrong, which answers; answers
	// for what it spoiled, with the polynomial of before; and then holds its share with the others.
	stop = south.Rogue(clinic, func(m proto.Message) proto.Message {
		switch m := m.(type) {
		case *custodyv1.MsgSubmitDeal:
			m.Shares[0].Sealed[1120] ^= 1
		case *custodyv1.MsgSubmitComplaint:
			return nil
		}
		return m
	})
	net.Decide(reshare)
	clinic.RecordsKey(func(k phr.NetworkKey) bool { return k.Round.GetPhase() == custodyv1.RoundPhase_ROUND_PHASE_COMPLAINTS })
	stop()
	complained, answered := 0, 0
	stop = south.Rogue(clinic, func(m proto.Message) proto.Message {
		switch m := m.(type) {
		case *custodyv1.MsgSubmitComplaint:
			m.Dealers = []uint64{clinic.Number()}
			complained++
		case *custodyv1.MsgSubmitJustification:
			answered++
		}
		return m
	})
	renewed = clinic.Reshared(3, 4)
	stop()
	if answered != 1 {
		t.Errorf("it answered %d times", answered)
	}
	if complained != 1 || len(renewed.Round.GetQualified()) != 4 {
		t.Errorf("%d complaints, dealers that count: %v", complained, renewed.Round.GetQualified())
	}
	net.Tells(atFirst(target(entryOf(clinic.Node(), "node", audit.KindDealJustified), "1/1/3")))
	south.Start()
	for _, h := range net.Hospitals() {
		if kept := h.KeptShares(1); kept[0].Epoch != 3 {
			t.Errorf("%s keeps %v", h.Name(), kept)
		}
	}
	// With its share, and without another's: three of four open.
	found := clinic.LoseShare()
	opensAnew(t, alice, er, clinic, scan)
	found()
	for _, h := range net.Hospitals() {
		if n := h.RoundSecrets(); n != 0 {
			t.Errorf("%s keeps the secrets of %d rounds", h.Name(), n)
		}
	}
	net.HasWholeLog()
}

// opensAnew has a hospital ask for a version that another keeps, and open it.
func opensAnew(t *testing.T, owner *scenario.Patient, asks, keeps *scenario.Hospital, v scenario.Version) {
	t.Helper()
	unlock := asks.Propose(v, scenario.Treatment)
	keeps.Endorse(unlock)
	owner.Approve(unlock)
	asks.Opens(v)
}

// A hospital that was restored from an old backup has the share of an epoch that is over, and none of the one in force. It erases that
// share, gives none and deals none, and gets one of its own when the shares are renewed.
func TestRestoredShareIsOfNoUse(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.RoundWindow(10*time.Second))
	clinic, er, south := net.Hospital("clinic"), net.Hospital("er"), net.Hospital("south")
	alice := net.Patient("alice")
	scan := clinic.Store(alice, "scan.dcm")
	restore := south.CopyShare()
	reshare := &custodyv1.MsgStartReshare{Authority: phr.Authority(), Kind: custodyv1.KeyKind_KEY_KIND_RECORDS, Generation: 1}
	net.Decide(reshare)
	clinic.Reshared(2, 4)
	south.KeptShares(1)
	south.Stop()
	south.LoseShareOf(2)
	restore()
	south.Start()

	// It says so itself, and as the other three can lose none the shares are renewed at once.
	renewed := clinic.Reshared(3, 4)
	opensAnew(t, alice, er, clinic, scan)
	if dealers := renewed.Round.GetQualified(); len(dealers) != 3 || slices.Contains(dealers, south.Number()) {
		t.Errorf("dealers: %v", dealers)
	}
	if kept := south.KeptShares(1); kept[0].Epoch != 3 {
		t.Errorf("it keeps %v", kept)
	}
	clinic.Stop()
	// Its new share counts: without it two are left, which is one too few.
	opensAnew(t, alice, er, er, er.Upload(alice, lock.ID{}, "later.dcm", scenario.Content(2000)))
}
