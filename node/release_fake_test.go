package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

const (
	// holders have a share each, and opening takes holdersNeeded of them.
	holders, holdersNeeded = 5, 4
	// clinic keeps the records, er asks for them.
	clinic, er = uint64(1), uint64(2)
)

// custodyNet is a network that does nothing but release: it has a dealt key, records and
// approved unlocks, checks shares as the chain does, and makes a block whenever it is told
// to. A test may spoil whatever a holder reads of it.
type custodyNet struct {
	t      *testing.T
	conn   *grpc.ClientConn
	random *rand.ChaCha8

	network lock.Network
	dealt   *lock.Dealt
	patient string

	mu         sync.Mutex
	now        time.Time
	head       node.Head
	headAge    time.Duration
	notReady   error
	bells      []*node.Bell
	principals map[string]*consortiumv1.Principal
	key        *custodyv1.Key
	committee  []*custodyv1.Holder
	versions   map[string]*recordsv1.Version // by record, each has one
	unlocks    map[string]*accessv1.QueryUnlockResponse
	releases   map[string]*custodyv1.Release
	sessions   map[string]*lock.Session
	shares     map[string][]*custodyv1.Share  // by unlock, those that the chain took
	messages   []*custodyv1.MsgSubmitShares   // that were sent
	consent    *accessv1.QueryConsentResponse // number 7; nil where there is none
	emergency  *accessv1.QueryEmergencyAccessResponse
	terms      *accessv1.EmergencyTerms // of the patient
	recovery   *accessv1.QueryRecoveryResponse
	guardians  *accessv1.Guardians
	owner      *recordsv1.Patient // whose guardians they are
	rounds     map[string]int     // times that a holder looked for work, by account
	// told is what another member says of itself, nil that it is where the network is.
	told func(member uint64) (node.Told, error)
	// submit refuses or fails a message in place of the chain, nil lets it pass.
	submit func(message *custodyv1.MsgSubmitShares) (*custodyv1.MsgSubmitSharesResponse, error)
}

func newCustodyNet(t *testing.T) *custodyNet {
	t.Helper()
	n := &custodyNet{
		t: t, random: rand.NewChaCha8([32]byte{1}), network: lock.Network{7}, now: time.Unix(1_800_000_000, 0),
		principals: map[string]*consortiumv1.Principal{}, versions: map[string]*recordsv1.Version{},
		unlocks: map[string]*accessv1.QueryUnlockResponse{}, releases: map[string]*custodyv1.Release{},
		sessions: map[string]*lock.Session{}, shares: map[string][]*custodyv1.Share{}, rounds: map[string]int{},
		head: node.Head{ChainID: chainID, Height: 10, Signed: true},
	}
	n.patient = lock.ID(n.bytes(16)).String()
	indexes := make([]uint64, holders)
	for i := range indexes {
		indexes[i] = uint64(i) + 1
	}
	var err error
	if n.dealt, err = lock.Deal(holdersNeeded, indexes, n.random); err != nil {
		t.Fatal(err)
	}
	n.key = &custodyv1.Key{
		Kind: custodyv1.KeyKind_KEY_KIND_RECORDS, Generation: 1, PublicKey: n.dealt.X.Bytes(), Threshold: holdersNeeded, ShareEpoch: 3,
	}
	for _, h := range n.dealt.Holders {
		n.committee = append(n.committee, &custodyv1.Holder{
			Kind: n.key.GetKind(), Generation: 1, ShareEpoch: 3, Index: h.Index, PublicShare: h.X.Bytes(), Confirmed: true,
		})
	}
	n.serve()
	return n
}

// serve answers queries in memory.
func (n *custodyNet) serve() {
	n.t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	consortiumv1.RegisterQueryServer(server, consortiumOf{n: n})
	custodyv1.RegisterQueryServer(server, custodyOf{n: n})
	recordsv1.RegisterQueryServer(server, recordsOf{n: n})
	accessv1.RegisterQueryServer(server, accessOf{n: n})
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Serve(listener); err != nil {
			n.t.Error(err)
		}
	})
	conn, err := grpc.NewClient("passthrough:memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		n.t.Fatal(err)
	}
	n.conn = conn
	n.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			n.t.Error(err)
		}
		server.Stop()
		group.Wait()
	})
}

// set changes the network.
func (n *custodyNet) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// commit makes a block, so many seconds after the last.
func (n *custodyNet) commit(seconds int64) {
	n.mu.Lock()
	n.now = n.now.Add(time.Duration(seconds) * time.Second)
	n.head.Height++
	bells := slices.Clone(n.bells)
	n.mu.Unlock()
	for _, b := range bells {
		b.Ring()
	}
}

// settled makes blocks at the same time until every running holder did all that it does
// without time passing, and answers the messages that were sent.
func (n *custodyNet) settled() []*custodyv1.MsgSubmitShares {
	n.t.Helper()
	n.mu.Lock()
	before := maps.Clone(n.rounds)
	n.mu.Unlock()
	eventually(n.t, "holders look at new blocks", func() bool {
		n.commit(0)
		n.mu.Lock()
		defer n.mu.Unlock()
		for account, rounds := range n.rounds {
			if rounds < before[account]+3 {
				return false
			}
		}
		return true
	})
	return n.sent()
}

// sent lists the messages that were sent.
func (n *custodyNet) sent() []*custodyv1.MsgSubmitShares {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.messages)
}

// bytes are fresh and the same at each run.
func (n *custodyNet) bytes(length int) []byte {
	b := make([]byte, length)
	if _, err := n.random.Read(b); err != nil {
		n.t.Fatal(err)
	}
	return b
}

// account makes an active account.
func (n *custodyNet) account(role consortiumv1.Role, member uint64) string {
	key, err := wallet.NewKey(n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	n.set(func() {
		n.principals[key.Address()] = &consortiumv1.Principal{Address: key.Address(), Role: role, Hospital: member, Active: true}
	})
	return key.Address()
}

// generation is gen of the key.
func (n *custodyNet) generation() [64]byte { return n.generationOf(lock.KeyKind(n.key.GetKind())) }

// generationOf is gen of the key as one of another kind.
func (n *custodyNet) generationOf(kind lock.KeyKind) [64]byte {
	gen, err := lock.Generation{Network: n.network, Kind: kind, Number: 1, X: n.dealt.X}.Hash()
	if err != nil {
		n.t.Fatal(err)
	}
	return gen
}

// record stores a record of the patient and answers K, the network's half of its key.
func (n *custodyNet) record() (*recordsv1.Version, lock.Point) {
	n.t.Helper()
	r, err := lock.RandomScalar(n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	v := &recordsv1.Version{Record: lock.ID(n.bytes(16)).String(), Version: 1, Header: &recordsv1.Header{
		Suite: 1, Lock: recordsv1.Lock_LOCK_OWNER_AND_NETWORK, OwnerKind: recordsv1.OwnerKind_OWNER_KIND_PATIENT, Patient: n.patient,
		Custodian: clinic, Generation: 1, U: r.Public().Bytes(), C: n.bytes(32), Pc: n.bytes(32), Dc: n.bytes(32),
	}}
	n.set(func() { n.versions[v.GetRecord()] = v })
	return v, n.dealt.X.Mul(r)
}

// context is ctx of a version, made without the code under test.
func (n *custodyNet) context(v *recordsv1.Version) [64]byte {
	record, err := lock.ParseCanonicalID(v.GetRecord())
	if err != nil {
		n.t.Fatal(err)
	}
	c := lock.Context{
		Network: n.network, Suite: 1, Lock: lock.LockBoth, Record: record, Version: v.GetVersion(), Custodian: v.GetHeader().GetCustodian(),
		Generation: n.generation(),
	}
	if c.Owner, err = lock.HospitalOwner(v.GetHeader().GetCustodian()); v.GetHeader().GetPatient() != "" {
		var patient lock.ID
		patient, err = lock.ParseCanonicalID(v.GetHeader().GetPatient())
		c.Owner = lock.PatientOwner(patient)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	hash, err := c.Hash()
	if err != nil {
		n.t.Fatal(err)
	}
	return hash
}

// approved has a doctor ask for records and everybody agree, and answers the unlock's id.
func (n *custodyNet) approved(versions ...*recordsv1.Version) string {
	n.t.Helper()
	return n.approvedFor(n.account(consortiumv1.Role_ROLE_CLINICIAN, er), er, versions...)
}

// approvedFor is approved for a requester.
func (n *custodyNet) approvedFor(requester string, hospital uint64, versions ...*recordsv1.Version) string {
	n.t.Helper()
	return n.approvedOver(lock.KeyRecords, requester, hospital, versions...)
}

// approvedOver is approvedFor the locks of versions, or for those of their emergency boxes.
func (n *custodyNet) approvedOver(kind lock.KeyKind, requester string, hospital uint64, versions ...*recordsv1.Version) string {
	n.t.Helper()
	slices.SortFunc(versions, func(a, b *recordsv1.Version) int { return bytes.Compare(n.id(a), n.id(b)) })
	session, err := lock.GenerateSession(n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	address, err := wallet.ParseAddress(requester)
	if err != nil {
		n.t.Fatal(err)
	}
	expiry := n.now.Unix() + 24*60*60
	requestKey := lock.RawCID(sha256.Sum256(n.bytes(32)))
	p := lock.Proposal{
		Network: n.network, Requester: [20]byte(address), Hospital: hospital, Purpose: "TREAT", Expiry: uint64(expiry),
		RequestKeyCID: requestKey, B: session.B(),
	}
	u := &accessv1.Unlock{
		Requester: requester, Hospital: hospital, Purpose: "TREAT", ExpiresAt: expiry, RequestKey: requestKey.String(), B: session.B().Bytes(),
		Patient: versions[0].GetHeader().GetPatient(), Custodian: clinic, EndorsementsNeeded: 1,
		Endorsements: []*accessv1.Endorsement{{Officer: "phrd1officer"}}, Approval: &accessv1.Approval{By: "phrd1patient", Height: n.head.Height},
	}
	u.Box = kind == lock.KeyEmergency
	r := &custodyv1.Release{
		Kind: custodyv1.KeyKind(kind), Generation: 1, Status: custodyv1.ReleaseStatus_RELEASE_STATUS_PENDING, RequestedHeight: n.head.Height,
	}
	for _, v := range versions {
		encoded, bound, c := v.GetHeader().GetU(), n.context(v), v.GetHeader().GetC()
		if u.GetBox() {
			encoded, bound, c = v.GetBox().GetU(), n.boxContext(v), v.GetBox().GetHash()
		}
		point, err := lock.ParseEncapsulation(encoded)
		if err != nil {
			n.t.Fatal(err)
		}
		m := session.Blind(point)
		p.Versions = append(p.Versions, lock.ProposedVersion{
			Record: lock.ID(n.id(v)), Number: v.GetVersion(), Context: bound, U: point, M: m, C: c,
		})
		u.Versions = append(u.Versions, &accessv1.UnlockVersion{Record: v.GetRecord(), Version: v.GetVersion(), M: m.Bytes(), U: v.GetHeader().GetU()})
		r.Blinded = append(r.Blinded, m.Bytes())
	}
	if u.Proof, err = session.Prove(p, n.random); err != nil {
		n.t.Fatal(err)
	}
	id := p.ID()
	u.Id = hex.EncodeToString(id[:])
	r.Unlock = u.Id
	n.set(func() {
		n.unlocks[u.Id] = &accessv1.QueryUnlockResponse{Unlock: u, Status: accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED}
		n.releases[u.Id] = r
		n.sessions[u.Id] = session
	})
	return u.Id
}

func (n *custodyNet) id(v *recordsv1.Version) []byte {
	id, err := lock.ParseCanonicalID(v.GetRecord())
	if err != nil {
		n.t.Fatal(err)
	}
	return id.Bytes()
}

// ranked lists the holders of an unlock by rank.
func (n *custodyNet) ranked(unlock string) []uint64 {
	b, err := hex.DecodeString(unlock)
	if err != nil {
		n.t.Fatal(err)
	}
	indexes := make([]uint64, 0, holders)
	for _, h := range n.dealt.Holders {
		indexes = append(indexes, h.Index)
	}
	return lock.Order(n.network, [32]byte(b), indexes)
}

// request is what holders answer.
func (n *custodyNet) request(r *custodyv1.Release) lock.Release {
	b, err := hex.DecodeString(r.GetUnlock())
	if err != nil {
		n.t.Fatal(err)
	}
	request := lock.Release{Network: n.network, Unlock: [32]byte(b), Generation: n.generationOf(lock.KeyKind(r.GetKind()))}
	for _, m := range r.GetBlinded() {
		point, err := lock.ParsePoint(m)
		if err != nil {
			n.t.Fatal(err)
		}
		request.M = append(request.M, point)
	}
	return request
}

// lockShare is a share as package lock reads it.
func lockShare(s *custodyv1.Share) (lock.Share, error) {
	made := lock.Share{Epoch: s.GetShareEpoch(), Index: s.GetIndex(), Proof: s.GetProof()}
	for _, d := range s.GetPoints() {
		point, err := lock.ParsePoint(d)
		if err != nil {
			return lock.Share{}, err
		}
		made.D = append(made.D, point)
	}
	return made, nil
}

// accept takes a share as the chain does, or answers why not. The caller holds n.mu.
func (n *custodyNet) accept(member uint64, s *custodyv1.Share) string {
	r := n.releases[s.GetUnlock()]
	switch {
	case r == nil:
		return "unknown_unlock"
	case s.GetIndex() != member:
		return "foreign_holder"
	case s.GetShareEpoch() != n.key.GetShareEpoch():
		return "stale_epoch"
	}
	for _, known := range n.shares[s.GetUnlock()] {
		if known.GetIndex() == s.GetIndex() {
			return "repeated_share"
		}
	}
	share, err := lockShare(s)
	if err != nil || n.request(r).Verify(share, n.dealt.Holders[member-1].X) != nil {
		return "bad_proof"
	}
	n.shares[s.GetUnlock()] = append(n.shares[s.GetUnlock()], s)
	if len(n.shares[s.GetUnlock()]) == holdersNeeded {
		r.Status = custodyv1.ReleaseStatus_RELEASE_STATUS_RELEASED
		n.unlocks[s.GetUnlock()].Status = accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED
	}
	return ""
}

// holderChain is the network as one holder's node account sees it.
type holderChain struct {
	*grpc.ClientConn
	n       *custodyNet
	account string
	member  uint64
	bell    *node.Bell
}

func (c *holderChain) Account() string { return c.account }

func (c *holderChain) Committed() <-chan struct{} { return c.bell.Rung() }

func (c *holderChain) Ready(context.Context) (node.Head, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	head := c.n.head
	head.Time = c.n.now.Add(-c.n.headAge)
	return head, c.n.notReady
}

func (c *holderChain) Submit(_ context.Context, message proto.Message) (node.Result, error) {
	m, ok := message.(*custodyv1.MsgSubmitShares)
	if !ok || m.GetNode() != c.account {
		return node.Result{}, fmt.Errorf("unexpected message %T of %s", message, m.GetNode())
	}
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.n.messages = append(c.n.messages, m)
	if c.n.submit != nil {
		answer, err := c.n.submit(m)
		if err != nil || answer != nil {
			return result(answer), err
		}
	}
	answer := &custodyv1.MsgSubmitSharesResponse{}
	for _, s := range m.GetShares() {
		answer.Results = append(answer.Results, &custodyv1.ShareResult{Unlock: s.GetUnlock(), Reason: c.n.accept(c.member, s)})
	}
	return result(answer), nil
}

func result(answer *custodyv1.MsgSubmitSharesResponse) node.Result {
	r, err := node.NewResult(11, "AB", answer)
	if err != nil {
		panic(err)
	}
	return r
}

// fakeShares has a hospital's shares, or an error in their place.
type fakeShares struct {
	mu    sync.Mutex
	share keys.Share
	err   error
}

func (s *fakeShares) Share(lock.KeyKind, uint64, uint64) (keys.Share, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.share, s.err
}

// set changes the share at hand.
func (s *fakeShares) set(share keys.Share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.share, s.err = share, nil
}

// holding is a holder, running or not.
type holding struct {
	n       *custodyNet
	member  uint64
	account string
	shares  *fakeShares
	stop    func()
}

// holding makes a member's holder.
func (n *custodyNet) holding(member uint64) *holding {
	n.t.Helper()
	return &holding{n: n, member: member, account: n.account(consortiumv1.Role_ROLE_NODE, member), shares: &fakeShares{share: n.shareOf(member)}}
}

// shareOf is what a member has on its disk.
func (n *custodyNet) shareOf(member uint64) keys.Share {
	return keys.Share{Network: n.network, Kind: lock.KeyKind(n.key.GetKind()), Generation: 1, Epoch: 3, Index: member, Scalar: n.dealt.Shares[member-1].Value}
}

// start makes a member's holder run.
func (n *custodyNet) start(member uint64) *holding {
	n.t.Helper()
	h := n.holding(member)
	h.start()
	return h
}

// time is the network's time.
func (n *custodyNet) time() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// ask asks a member how it stands.
func (n *custodyNet) ask(_ context.Context, m *consortiumv1.Member) (node.Told, error) {
	n.mu.Lock()
	height, told := n.head.Height, n.told
	n.mu.Unlock()
	if told != nil {
		return told(m.GetNumber())
	}
	return node.Told{ChainID: chainID, Height: height}, nil
}

// start runs the holder until stop is called or the test ends.
func (h *holding) start() {
	n := h.n
	n.t.Helper()
	chain := &holderChain{ClientConn: n.conn, n: n, account: h.account, member: h.member, bell: &node.Bell{}}
	n.set(func() {
		n.bells = append(n.bells, chain.bell)
		n.rounds[h.account] = 0
	})
	holder, err := node.NewHolder(node.HolderConfig{
		Chain: chain, Shares: h.shares, Ask: n.ask, Log: quiet(n.t), Now: n.time,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := holder.Run(ctx); err != nil {
			n.t.Error(err)
		}
	})
	h.stop = func() {
		cancel()
		group.Wait()
		n.set(func() { delete(n.rounds, h.account) })
	}
	n.t.Cleanup(h.stop)
}

// consortiumOf answers who accounts are.
type consortiumOf struct {
	consortiumv1.UnimplementedQueryServer
	n *custodyNet
}

func (s consortiumOf) Principal(_ context.Context, req *consortiumv1.QueryPrincipalRequest) (*consortiumv1.QueryPrincipalResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	p := s.n.principals[req.GetAddress()]
	if p == nil {
		return nil, status.Error(codes.NotFound, "account is not known to the network")
	}
	if _, runs := s.n.rounds[req.GetAddress()]; runs {
		s.n.rounds[req.GetAddress()]++
	}
	return &consortiumv1.QueryPrincipalResponse{Principal: clone(p)}, nil
}

// Members lists as many members as have shares, in pages of two, and one that has left.
func (s consortiumOf) Members(_ context.Context, req *consortiumv1.QueryMembersRequest) (*consortiumv1.QueryMembersResponse, error) {
	from := uint64(len(req.GetPagination().GetKey()))
	res := &consortiumv1.QueryMembersResponse{Pagination: &queryv1.PageResponse{}}
	for number := from + 1; number <= min(from+2, holders+1); number++ {
		m := &consortiumv1.Member{Number: number, Status: consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE}
		if number > holders {
			m.Status = consortiumv1.MemberStatus_MEMBER_STATUS_LEFT
		}
		res.Members = append(res.Members, m)
	}
	if from+2 < holders+1 {
		res.Pagination.NextKey = make([]byte, from+2)
	}
	return res, nil
}

func (s consortiumOf) Params(context.Context, *consortiumv1.QueryParamsRequest) (*consortiumv1.QueryParamsResponse, error) {
	return &consortiumv1.QueryParamsResponse{NetworkId: s.n.network[:]}, nil
}

// custodyOf answers what is known of the key and of releases.
type custodyOf struct {
	custodyv1.UnimplementedQueryServer
	n *custodyNet
}

func (s custodyOf) Params(context.Context, *custodyv1.QueryParamsRequest) (*custodyv1.QueryParamsResponse, error) {
	return &custodyv1.QueryParamsResponse{Params: &custodyv1.Params{RankDelay: 60}}, nil
}

func (s custodyOf) Key(_ context.Context, req *custodyv1.QueryKeyRequest) (*custodyv1.QueryKeyResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if req.GetGeneration() != 1 {
		return nil, status.Error(codes.NotFound, "no such network key")
	}
	return &custodyv1.QueryKeyResponse{Key: clone(s.n.key)}, nil
}

func (s custodyOf) Holders(_ context.Context, req *custodyv1.QueryHoldersRequest) (*custodyv1.QueryHoldersResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if req.GetShareEpoch() != s.n.key.GetShareEpoch() {
		return &custodyv1.QueryHoldersResponse{}, nil
	}
	res := &custodyv1.QueryHoldersResponse{}
	for _, h := range s.n.committee {
		res.Holders = append(res.Holders, clone(h))
	}
	return res, nil
}

// Releases lists in pages of three, so that nobody gets along without a cursor.
func (s custodyOf) Releases(_ context.Context, req *custodyv1.QueryReleasesRequest) (*custodyv1.QueryReleasesResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	var waiting []string
	for unlock, r := range s.n.releases {
		given := slices.ContainsFunc(s.n.shares[unlock], func(g *custodyv1.Share) bool { return g.GetIndex() == req.GetIndex() })
		if r.GetStatus() == custodyv1.ReleaseStatus_RELEASE_STATUS_PENDING && !given && unlock > req.GetAfter() {
			waiting = append(waiting, unlock)
		}
	}
	slices.Sort(waiting)
	res := &custodyv1.QueryReleasesResponse{}
	for i, unlock := range waiting {
		if i == 3 {
			res.Next = waiting[i-1]
			break
		}
		res.Releases = append(res.Releases, clone(s.n.releases[unlock]))
	}
	return res, nil
}

// recordsOf answers versions.
type recordsOf struct {
	recordsv1.UnimplementedQueryServer
	n *custodyNet
}

func (s recordsOf) Version(_ context.Context, req *recordsv1.QueryVersionRequest) (*recordsv1.QueryVersionResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	v := s.n.versions[req.GetRecord()]
	if v == nil {
		return nil, status.Error(codes.NotFound, "no such record")
	}
	return &recordsv1.QueryVersionResponse{Version: clone(v)}, nil
}

// accessOf answers unlocks.
type accessOf struct {
	accessv1.UnimplementedQueryServer
	n *custodyNet
}

func (s accessOf) Unlock(_ context.Context, req *accessv1.QueryUnlockRequest) (*accessv1.QueryUnlockResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	u := s.n.unlocks[req.GetId()]
	if u == nil {
		return nil, status.Error(codes.NotFound, "no such unlock")
	}
	return clone(u), nil
}

// clone copies what an answer holds, for the test changes it while it is sent.
func clone[M proto.Message](m M) M {
	copied, ok := proto.Clone(m).(M)
	if !ok {
		panic(errors.New("a clone is of its own type"))
	}
	return copied
}
