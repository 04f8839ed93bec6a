package scenario_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/testutil/scenario"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// A hospital gives its server new keys while the network runs, and goes on: it validates, keeps copies, gives its share and serves. What
// has the old keys is nobody: it signs nothing that counts, gets no blobs, and its account writes nothing.
func TestHospitalRotatesItsKeys(t *testing.T) {
	t.Parallel()
	net := scenario.New(t, scenario.Hospitals(4), scenario.Silence(2*time.Second, 20*time.Second, time.Minute), scenario.Epochs(4*time.Second))
	alice, clinic, er, south := net.Patient("alice"), net.Hospital("clinic"), net.Hospital("er"), net.Hospital("south")
	kept, atER := south.Store(alice, "kept-by-south.dcm"), er.Store(alice, "kept-by-er.dcm")
	old, account := south.ServerKeys(), south.Node()
	south.SignsAgain(er)
	if !er.IsValidator(old) {
		t.Fatal("the old key does not validate before")
	}

	south.RotatesKeys()
	admin := south.Admin()
	net.Tells(target(entryOf(admin, "admin", audit.KindMemberKeysRotated), number(south.Number())))
	south.SignsAgain(er)
	fresh := south.ServerKeys()
	if er.IsValidator(old) || !er.IsValidator(fresh) {
		t.Error("the old key validates, or the new one does not")
	}
	net.Validate(4)
	// Its signature counts: with another one away three of four are needed.
	clinic.Stop()
	er.Upload(alice, lock.ID{}, "while-another-is-away.dcm", scenario.Content(1000))
	clinic.Start()
	er.IsWhole(south.GetsCopies(er, alice))
	unlock := er.Propose(kept, scenario.Treatment)
	south.Endorse(unlock)
	alice.Approve(unlock)
	er.Opens(kept)

	account.CannotSend(&storagev1.MsgHeartbeat{Node: account.Address(), Free: 1 << 30}, &storagev1.MsgHeartbeatResponse{}, "phrd-ante/7")
	now := south.Node()
	if err := now.Send(&storagev1.MsgHeartbeat{Node: now.Address(), Free: 1 << 30}, &storagev1.MsgHeartbeatResponse{}); err != nil {
		t.Errorf("the new account says that it is there: %v", err)
	}
	reaches(t, south, er, atER)
	south.Stop()
	south.PutServerKeys(old)
	// At CometBFT's port it has an hour, to learn in a block that its keys were replaced.
	south.Peer().Joins(er)
	if err := south.Peer().FetchFrom(er, atER); !errors.Is(err, ipfs.ErrUnreachable) {
		t.Errorf("with its former key south fetches from er: %v", err)
	}
	south.PutServerKeys(fresh)
	south.PutConsensusKey(old)
	south.Start()
	er.GoesOnWithout(old, 5)
	south.Stop()
	south.PutConsensusKey(fresh)
	south.Start()
	south.SignsAgain(er)

	// A server that is stopped learns of its new keys when it starts.
	north := net.Hospital("north")
	old = north.ServerKeys()
	north.RotatesKeysBy(er)
	north.SignsAgain(er)
	if er.IsValidator(old) {
		t.Error("the old key of north validates")
	}
	old = clinic.ServerKeys()
	clinic.TakesKeysBy(er)
	clinic.SignsAgain(er)
	if er.IsValidator(old) {
		t.Error("the old key of clinic validates")
	}
}

// The only admin of a hospital is lost. The others vote for a new one, who acts; the old one, found again, does not.
func TestALostAdminIsReplaced(t *testing.T) {
	t.Parallel()
	net := scenario.New(t)
	clinic, er, north, south := net.Hospital("clinic"), net.Hospital("er"), net.Hospital("north"), net.Hospital("south")
	nurse := net.Stranger()
	old := net.ReplaceAdmin(south, clinic, er, north)
	net.Tells(byChain(audit.KindAdminReplaced, number(south.Number())))
	net.Tells(byChain(audit.KindStaffRevoked, old.Address()))

	register := &consortiumv1.MsgRegisterStaff{Admin: old.Address(), Address: nurse.Address(), Role: consortiumv1.Role_ROLE_CLINICIAN}
	// The chain refuses it, or the gateway before it: that depends on whether the login of before is still good.
	if err := old.Send(register, &consortiumv1.MsgRegisterStaffResponse{}); scenario.Reason(err) != "phrd-ante/7" && !errors.Is(err, phr.ErrLogin) {
		t.Errorf("the old admin registers staff: %v", err)
	}
	admin := south.Admin()
	register.Admin = admin.Address()
	if err := admin.Send(register, &consortiumv1.MsgRegisterStaffResponse{}); err != nil {
		t.Fatalf("the new admin registers staff: %v", err)
	}
	net.Tells(target(entryOf(admin, "admin", audit.KindStaffRegistered), nurse.Address()))
	if who, err := nurse.Client().Principal(t.Context()); err != nil || who.Role != "clinician" || who.Hospital != south.Number() {
		t.Errorf("who was registered is %v, %v", who, err)
	}
}

// files are the files of a home that a change of keys touches.
func filesOf(t *testing.T, h home.Home) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, pattern := range []string{"config/*.json", "keys/*.age", "keys/*/*.age"} {
		paths, err := filepath.Glob(filepath.Join(h.Dir(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = content
		}
	}
	return found
}

// New keys lie beside the old ones until they are taken, each whole, and in as many calls as it takes.
func TestTakeKeys(t *testing.T) {
	homes, _ := newHomes(t, 1)
	h, store := homes[0].Home, homes[0].Keys
	network := lock.Network{7}
	before := filesOf(t, h)
	if next, err := h.NextKeys(); next != nil || err != nil {
		t.Fatalf("new keys of a new home: %v, %v", next, err)
	}
	m, err := h.PrepareKeys(store, network, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.PrepareKeys(store, network, 3, nil)
	if err != nil || !bytes.Equal(again.Digest(network, 3), m.Digest(network, 3)) {
		t.Fatalf("prepared again: %v, %v", again, err)
	}
	for path, content := range before {
		if !bytes.Equal(filesOf(t, h)[path], content) {
			t.Errorf("%s changed before the network knows of new keys", path)
		}
	}
	if next, err := h.NextKeys(); err != nil || next.Verify(network, 3) != nil {
		t.Fatalf("what the home says of its new keys: %v, %v", next, err)
	}
	own, err := h.ConsensusKeys()
	if err != nil || len(own) != 2 || !bytes.Equal(own[1], m.ConsensusKey) {
		t.Fatalf("consensus keys: %x, %v", own, err)
	}
	state, err := os.ReadFile(h.ConsensusState())
	if err != nil {
		t.Fatal(err)
	}

	// The consensus key comes last, in a later call; each call may be repeated.
	for range 2 {
		if err := h.TakeKeys(store, false); err != nil {
			t.Fatal(err)
		}
		libp2p, err := store.Ed25519(keys.Libp2p)
		if err != nil || !bytes.Equal(libp2p[32:], m.Libp2PKey) {
			t.Fatalf("libp2p key: %v", err)
		}
		node, err := store.Account(home.AccountNode)
		if err != nil || node.Address() != consortium.AccountOf(m.NodeKey).String() {
			t.Fatalf("node account: %v", err)
		}
		former, err := store.Secp256k1(home.FormerNode)
		if err != nil || !bytes.Equal(former.PublicKey(), homes[0].Declaration.NodeKey) {
			t.Fatalf("former node account: %v", err)
		}
		if now, err := h.ConsensusKeys(); err != nil || !bytes.Equal(now[0], own[0]) || len(now) != 2 {
			t.Fatalf("consensus keys: %x, %v", now, err)
		}
	}
	for range 2 {
		if err := h.TakeKeys(store, true); err != nil {
			t.Fatal(err)
		}
		if now, err := h.ConsensusKeys(); err != nil || len(now) != 1 || !bytes.Equal(now[0], m.ConsensusKey) {
			t.Fatalf("consensus keys: %x, %v", now, err)
		}
		if next, err := h.NextKeys(); next != nil || err != nil {
			t.Fatalf("new keys that were taken: %v, %v", next, err)
		}
	}
	if after, err := os.ReadFile(h.ConsensusState()); err != nil || !bytes.Equal(after, state) {
		t.Errorf("what was signed last changed: %v", err)
	}
	if _, err := home.Open(h.Dir()); err != nil {
		t.Errorf("the home with its new keys: %v", err)
	}
	later, err := h.PrepareKeys(store, network, 3, nil)
	if err != nil || bytes.Equal(later.NodeKey, m.NodeKey) || bytes.Equal(later.ConsensusKey, m.ConsensusKey) {
		t.Errorf("the next keys are those of before: %v", err)
	}
}
