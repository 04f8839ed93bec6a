package node_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	abciv1 "cosmossdk.io/api/cosmos/base/abci/v1beta1"
	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"
	secp256k1v1 "cosmossdk.io/api/cosmos/crypto/secp256k1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	cmtv1 "cosmossdk.io/api/tendermint/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

const chainID = "phrd-test-1"

// ledger is a chain of one, small enough to see through: it keeps members, storage nodes
// and objects, checks signed transactions as the real one does, and makes a block whenever
// it is told to.
type ledger struct {
	t       *testing.T
	address string // of its gRPC server

	mu         sync.Mutex
	height     int64
	time       time.Time
	catchingUp bool
	members    []*consortiumv1.Member
	nodes      []*consortiumv1.StorageNode
	shutOut    []uint64 // storage nodes that may not connect
	objects    map[string]*storagev1.PlacedObject
	unlocks    []*accessv1.QueryUnlockResponse // newest first
	recoveries []*accessv1.QueryRecoveryResponse
	mempool    [][]byte
	results    map[string]*abciv1.TxResponse
	nonces     map[string]bool // account and timeout
	sent       int             // transactions that were broadcast
	batches    []int           // objects of each message that was carried out
	beats      []uint64        // room that each heartbeat told
	interval   int64           // seconds between heartbeats
	proofs     proofs
	bells      []*node.Bell
	erased     erased // what was erased
	archive    archive
	// check and deliver refuse transactions, hold keeps them in the mempool, broken fails
	// every call; each is nil where nothing is wrong.
	check   func(sent int) *node.TxError
	deliver func(message proto.Message) *node.TxError
	hold    func() bool
	broken  func(method string) error
	// confirmed is told of each confirmation before it counts.
	confirmed func(account, cid string)
}

// newLedger starts a chain at height 10.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{
		t: t, height: 10, time: time.Now(), objects: map[string]*storagev1.PlacedObject{},
		results: map[string]*abciv1.TxResponse{}, nonces: map[string]bool{},
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.address = listener.Addr().String()
	server := grpc.NewServer(grpc.UnaryInterceptor(l.intercept))
	cmtservice.RegisterServiceServer(server, blocksServer{l: l})
	txv1.RegisterServiceServer(server, txServer{l: l})
	authv1.RegisterQueryServer(server, authServer{l: l})
	consortiumv1.RegisterQueryServer(server, consortiumServer{l: l})
	storagev1.RegisterQueryServer(server, storageServer{l: l})
	recordsv1.RegisterQueryServer(server, erasedRecords{l: l})
	accessv1.RegisterQueryServer(server, erasedAccess{l: l})
	auditv1.RegisterQueryServer(server, auditServer{l: l})
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		group.Wait()
	})
	return l
}

func (l *ledger) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	l.mu.Lock()
	broken := l.broken
	l.mu.Unlock()
	if broken != nil {
		if err := broken(info.FullMethod); err != nil {
			return nil, err
		}
	}
	return handler(ctx, req)
}

// set changes the chain.
func (l *ledger) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// commit makes a block at the time now.
func (l *ledger) commit() { l.commitAt(time.Now()) }

// commitAt makes a block.
func (l *ledger) commitAt(at time.Time) {
	l.mu.Lock()
	l.height++
	l.time = at
	pool := l.mempool
	if l.hold != nil && l.hold() {
		pool = nil
	}
	l.mempool = nil
	for _, tx := range pool {
		l.execute(tx)
	}
	bells := slices.Clone(l.bells)
	l.mu.Unlock()
	for _, b := range bells {
		b.Ring()
	}
}

// commitAlways makes blocks until the test ends.
func (l *ledger) commitAlways() {
	ticker := time.NewTicker(20 * time.Millisecond)
	ctx := l.t.Context()
	var group sync.WaitGroup
	group.Go(func() {
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				l.commit()
			case <-ctx.Done():
				return
			}
		}
	})
	l.t.Cleanup(group.Wait)
}

// dial returns a connection to a chain's gRPC server.
func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// client returns the chain as an account sees it.
func (l *ledger) client(t *testing.T, key *wallet.Key, change func(*node.ClientConfig)) *node.Client {
	t.Helper()
	bell := &node.Bell{}
	l.set(func() { l.bells = append(l.bells, bell) })
	config := node.ClientConfig{Conn: dial(t, l.address), Key: key, Bell: bell, PollInterval: 20 * time.Millisecond, Log: quiet(t)}
	if change != nil {
		change(&config)
	}
	c, err := node.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newKey draws an account key.
func newKey(t *testing.T) *wallet.Key {
	t.Helper()
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// accountNumber is hash-based with bit 63 set, as that of every account made at run time.
func accountNumber(address string) uint64 {
	sum := sha256.Sum256([]byte(address))
	return binary.BigEndian.Uint64(sum[:]) | 1<<63
}

// A parsed transaction.
type parsed struct {
	account string
	nonce   string
	timeout time.Time
	message proto.Message
}

// parse checks a transaction as the ante chain does.
func (l *ledger) parse(tx []byte) (parsed, *node.TxError) {
	refuse := func(code uint32, format string, args ...any) (parsed, *node.TxError) {
		return parsed{}, &node.TxError{Codespace: "sdk", Code: code, Log: fmt.Sprintf(format, args...)}
	}
	var raw txv1.TxRaw
	var body txv1.TxBody
	var auth txv1.AuthInfo
	var public secp256k1v1.PubKey
	err := proto.Unmarshal(tx, &raw)
	if err == nil {
		err = errors.Join(proto.Unmarshal(raw.GetBodyBytes(), &body), proto.Unmarshal(raw.GetAuthInfoBytes(), &auth))
	}
	if err != nil || len(auth.GetSignerInfos()) != 1 || len(body.GetMessages()) != 1 || len(raw.GetSignatures()) != 1 {
		return refuse(2, "tx parse error: %v", err)
	}
	signer := auth.GetSignerInfos()[0]
	if err := proto.Unmarshal(signer.GetPublicKey().GetValue(), &public); err != nil {
		return refuse(7, "public key: %v", err)
	}
	p := parsed{account: wallet.AddressOf(public.GetKey()), timeout: body.GetTimeoutTimestamp().AsTime()}
	p.nonce = p.account + p.timeout.String()
	if !body.GetUnordered() || signer.GetSequence() != 0 || body.GetMemo() != "" || len(auth.GetFee().GetAmount()) != 0 {
		return refuse(18, "not an unordered transaction without fee and memo")
	}
	if gas := auth.GetFee().GetGasLimit(); gas == 0 || gas > 10_000_000 {
		return refuse(41, "gas %d", gas)
	}
	if p.timeout.Before(l.time) {
		return refuse(18, "unordered transaction has a timeout_timestamp that has already passed")
	}
	if p.timeout.After(l.time.Add(10 * time.Minute)) {
		return refuse(18, "unordered tx ttl exceeds 10m0s")
	}
	doc, err := proto.MarshalOptions{Deterministic: true}.Marshal(&txv1.SignDoc{
		BodyBytes: raw.GetBodyBytes(), AuthInfoBytes: raw.GetAuthInfoBytes(), ChainId: chainID, AccountNumber: accountNumber(p.account),
	})
	if err != nil || !wallet.Verify(public.GetKey(), doc, raw.GetSignatures()[0]) {
		return refuse(4, "signature verification failed: %v", err)
	}
	if l.nonces[p.nonce] {
		return refuse(18, "failed to add unordered nonce: already used timeout")
	}
	if p.message, err = body.GetMessages()[0].UnmarshalNew(); err != nil {
		return refuse(2, "message: %v", err)
	}
	return p, nil
}

func hashOf(tx []byte) string {
	sum := sha256.Sum256(tx)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// execute carries out a transaction. The caller holds l.mu.
func (l *ledger) execute(tx []byte) {
	result := &abciv1.TxResponse{Height: l.height, Txhash: hashOf(tx)}
	l.results[result.Txhash] = result
	p, refused := l.parse(tx)
	if refused == nil {
		l.nonces[p.nonce] = true
		if l.deliver != nil {
			refused = l.deliver(p.message)
		}
	}
	if refused != nil {
		result.Codespace, result.Code, result.RawLog = refused.Codespace, refused.Code, refused.Log
		return
	}
	response, err := anypb.New(l.handle(p.account, p.message))
	if err != nil {
		l.t.Error(err)
		return
	}
	data, err := proto.Marshal(&abciv1.TxMsgData{MsgResponses: []*anypb.Any{response}})
	if err != nil {
		l.t.Error(err)
		return
	}
	result.Data = strings.ToUpper(hex.EncodeToString(data))
}

// handle carries out a message.
func (l *ledger) handle(account string, message proto.Message) proto.Message {
	switch m := message.(type) {
	case *storagev1.MsgConfirmCopies:
		return &storagev1.MsgConfirmCopiesResponse{Results: l.change(account, m.GetNode(), m.GetObjects(), storagev1.CopyStatus_COPY_STATUS_HELD)}
	case *storagev1.MsgReportLostCopies:
		return &storagev1.MsgReportLostCopiesResponse{Results: l.change(account, m.GetNode(), m.GetObjects(), storagev1.CopyStatus_COPY_STATUS_LOST)}
	case *storagev1.MsgHeartbeat:
		if account != m.GetNode() {
			l.t.Errorf("%s signed for %s", account, m.GetNode())
		}
		l.beats = append(l.beats, m.GetFree())
		return &storagev1.MsgHeartbeatResponse{}
	case *storagev1.MsgSubmitProofs:
		return l.takeProof(account, m)
	case *storagev1.MsgDisputeProofs:
		return l.takeDisputes(account, m)
	case *storagev1.MsgAttestErasures:
		return l.attest(account, m)
	default:
		l.t.Errorf("no handler for %T", message)
		return message
	}
}

// change brings copies to a status.
func (l *ledger) change(account, signer string, objects []string, to storagev1.CopyStatus) []*storagev1.CopyResult {
	if account != signer || !slices.IsSorted(objects) || len(objects) > 100 {
		l.t.Errorf("%s signed for %s, %d objects", account, signer, len(objects))
	}
	l.batches = append(l.batches, len(objects))
	var results []*storagev1.CopyResult
	for _, cid := range objects {
		result := &storagev1.CopyResult{Object: cid, Outcome: auditv1.Outcome_OUTCOME_REFUSED, Reason: "not_assigned"}
		for _, c := range l.objects[cid].GetCopies() {
			if l.nodes[c.GetNode()-1].GetAccount() != account {
				continue
			}
			if to == storagev1.CopyStatus_COPY_STATUS_HELD && l.confirmed != nil {
				l.confirmed(account, cid)
			}
			c.Status, result.Outcome, result.Reason = to, auditv1.Outcome_OUTCOME_OK, ""
		}
		results = append(results, result)
	}
	return results
}

// addNode registers a member with one storage node and returns the node's number.
func (l *ledger) addNode(account, peerID, address string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	number := uint64(len(l.nodes) + 1)
	l.members = append(l.members, &consortiumv1.Member{Number: number, Status: consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE})
	l.nodes = append(l.nodes, &consortiumv1.StorageNode{Number: number, Member: number, Site: 1, Account: account, PeerId: peerID, Address: address})
	return number
}

// place assigns an object.
func (l *ledger) place(o *storagev1.Object, nodes ...uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	placed := &storagev1.PlacedObject{Object: o}
	for _, n := range nodes {
		placed.Copies = append(placed.Copies, &storagev1.Copy{Node: n, Status: storagev1.CopyStatus_COPY_STATUS_ASSIGNED})
	}
	l.objects[o.GetCid()] = placed
}

// copyOf returns where a node's copy of an object stands.
func (l *ledger) copyOf(cid string, number uint64) storagev1.CopyStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.objects[cid].GetCopies() {
		if c.GetNode() == number {
			return c.GetStatus()
		}
	}
	return storagev1.CopyStatus_COPY_STATUS_UNSPECIFIED
}

func (l *ledger) broadcasts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

type blocksServer struct {
	cmtservice.UnimplementedServiceServer
	l *ledger
}

func (s blocksServer) GetSyncing(context.Context, *cmtservice.GetSyncingRequest) (*cmtservice.GetSyncingResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return &cmtservice.GetSyncingResponse{Syncing: s.l.catchingUp}, nil
}

func (s blocksServer) GetLatestBlock(context.Context, *cmtservice.GetLatestBlockRequest) (*cmtservice.GetLatestBlockResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	header := s.l.header()
	return &cmtservice.GetLatestBlockResponse{
		BlockId:  &cmtv1.BlockID{Hash: header.Hash()},
		SdkBlock: &cmtservice.Block{Header: &cmtservice.Header{ChainId: chainID, Height: s.l.height, Time: timestamppb.New(s.l.time)}},
	}, nil
}

type txServer struct {
	txv1.UnimplementedServiceServer
	l *ledger
}

func (s txServer) BroadcastTx(_ context.Context, req *txv1.BroadcastTxRequest) (*txv1.BroadcastTxResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.sent++
	_, refused := s.l.parse(req.GetTxBytes())
	if refused == nil && s.l.check != nil {
		refused = s.l.check(s.l.sent)
	}
	if refused == nil {
		s.l.mempool = append(s.l.mempool, req.GetTxBytes())
		return &txv1.BroadcastTxResponse{TxResponse: &abciv1.TxResponse{Txhash: hashOf(req.GetTxBytes())}}, nil
	}
	return &txv1.BroadcastTxResponse{TxResponse: &abciv1.TxResponse{Codespace: refused.Codespace, Code: refused.Code, RawLog: refused.Log}}, nil
}

func (s txServer) GetTx(_ context.Context, req *txv1.GetTxRequest) (*txv1.GetTxResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	result, ok := s.l.results[req.GetHash()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "tx not found: %s", req.GetHash())
	}
	return &txv1.GetTxResponse{TxResponse: result}, nil
}

type authServer struct {
	authv1.UnimplementedQueryServer
	l *ledger
}

func (s authServer) AccountInfo(_ context.Context, req *authv1.QueryAccountInfoRequest) (*authv1.QueryAccountInfoResponse, error) {
	info := &authv1.BaseAccount{Address: req.GetAddress(), AccountNumber: accountNumber(req.GetAddress())}
	return &authv1.QueryAccountInfoResponse{Info: info}, nil
}

type consortiumServer struct {
	consortiumv1.UnimplementedQueryServer
	l *ledger
}

// pageOf returns two rows at a time, so that readers have to page.
func pageOf[T proto.Message](all []T, page *queryv1.PageRequest) ([]T, *queryv1.PageResponse) {
	start := 0
	if key := page.GetKey(); len(key) == 8 {
		start = int(binary.BigEndian.Uint64(key))
	}
	end := min(start+2, len(all))
	var rows []T
	for _, row := range all[start:end] {
		if copied, ok := proto.Clone(row).(T); ok {
			rows = append(rows, copied)
		}
	}
	next := &queryv1.PageResponse{}
	if end < len(all) {
		next.NextKey = binary.BigEndian.AppendUint64(nil, uint64(end))
	}
	return rows, next
}

func (s consortiumServer) Members(_ context.Context, req *consortiumv1.QueryMembersRequest) (*consortiumv1.QueryMembersResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	rows, next := pageOf(s.l.members, req.GetPagination())
	return &consortiumv1.QueryMembersResponse{Members: rows, Pagination: next}, nil
}

func (s consortiumServer) Member(_ context.Context, req *consortiumv1.QueryMemberRequest) (*consortiumv1.QueryMemberResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	for _, m := range s.l.members {
		if m.GetNumber() == req.GetNumber() {
			return &consortiumv1.QueryMemberResponse{Member: proto.CloneOf(m)}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such member")
}

func (s consortiumServer) StorageNodes(_ context.Context, req *consortiumv1.QueryStorageNodesRequest) (*consortiumv1.QueryStorageNodesResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	rows, next := pageOf(s.l.nodes, req.GetPagination())
	return &consortiumv1.QueryStorageNodesResponse{StorageNodes: rows, Pagination: next}, nil
}

type storageServer struct {
	storagev1.UnimplementedQueryServer
	l *ledger
}

// rows returns up to 50 objects behind a CID of which the node has a copy in one of the
// states.
func (s storageServer) rows(number uint64, after string, states ...storagev1.CopyStatus) (rows []*storagev1.PlacedObject, next string) {
	for _, cid := range slices.Sorted(maps.Keys(s.l.objects)) {
		has := slices.ContainsFunc(s.l.objects[cid].GetCopies(), func(c *storagev1.Copy) bool {
			return c.GetNode() == number && slices.Contains(states, c.GetStatus())
		})
		if cid <= after || !has {
			continue
		}
		if len(rows) == 50 {
			return rows, rows[49].GetObject().GetCid()
		}
		if copied, ok := proto.Clone(s.l.objects[cid]).(*storagev1.PlacedObject); ok {
			rows = append(rows, copied)
		}
	}
	return rows, ""
}

func (s storageServer) Params(context.Context, *storagev1.QueryParamsRequest) (*storagev1.QueryParamsResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return &storagev1.QueryParamsResponse{Params: &storagev1.Params{HeartbeatInterval: s.l.interval, ChallengeInterval: s.l.proofs.interval}}, nil
}

func (s storageServer) Usage(context.Context, *storagev1.QueryUsageRequest) (*storagev1.QueryUsageResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return &storagev1.QueryUsageResponse{ShutOut: slices.Clone(s.l.shutOut)}, nil
}

func (s storageServer) Assignments(_ context.Context, req *storagev1.QueryAssignmentsRequest) (*storagev1.QueryAssignmentsResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	rows, next := s.rows(req.GetNode(), req.GetAfter(), storagev1.CopyStatus_COPY_STATUS_ASSIGNED, storagev1.CopyStatus_COPY_STATUS_LOST)
	return &storagev1.QueryAssignmentsResponse{Objects: rows, Next: next}, nil
}

func (s storageServer) Holdings(_ context.Context, req *storagev1.QueryHoldingsRequest) (*storagev1.QueryHoldingsResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	rows, next := s.rows(req.GetNode(), req.GetAfter(), storagev1.CopyStatus_COPY_STATUS_HELD)
	held := &storagev1.QueryHoldingsResponse{Next: next}
	for _, row := range rows {
		held.Objects = append(held.Objects, row.GetObject())
	}
	return held, nil
}
