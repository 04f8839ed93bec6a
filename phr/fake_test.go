package phr_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	abciv1 "cosmossdk.io/api/cosmos/base/abci/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
)

const (
	chainID   = "phrd-test"
	hospitals = 4
	threshold = 3
)

// network is a chain in memory with a gateway for each hospital. It checks signatures and proofs as the chain does, and
// nothing of the rules about who may do what: the real ones are tested with the modules and the gateway.
type network struct {
	t     *testing.T
	id    lock.Network
	dealt *lock.Dealt
	gates map[uint64]*gate

	mu          sync.Mutex
	height      int64
	members     []*consortiumv1.Member
	vaults      map[uint64]*lock.PrivateKey // of hospitals
	principals  map[string]*consortiumv1.Principal
	invitations map[string]bool
	sequences   map[string]uint64
	txs         map[string]*abciv1.TxResponse
	patients    map[string]*recordsv1.Patient
	records     map[string]*recordsv1.Record
	versions    map[string][]*recordsv1.Version
	unlocks     []*accessv1.Unlock
	locks       map[string]lock.Proposal
	holders     []uint64 // who gives shares
	entries     []*auditv1.Entry
	erased      []*recordsv1.MsgEraseVersions
	stores      []*recordsv1.MsgStoreVersions
	consents    []*accessv1.Consent
	staffKeys   map[string][]byte // vaults of clinicians, by address
	refusesUse  string            // why the chain lets no consent stand in
	guardians   map[string]*accessv1.Guardians
	recoveries  []*accessv1.Recovery
	agreed      map[string]*accessv1.QueryEmergencyTermsResponse // by patient

	refuses func(*recordsv1.NewVersion) bool // makes the chain refuse a message that stores such a version
	busy    int                              // how many transactions come too soon
	away    atomic.Int32                     // how many questions for a transaction no node is ready to answer
	late    atomic.Int32                     // how many questions for an unlock or a version come before the node knows it
}

// gate is the gateway of one hospital.
type gate struct {
	net      *network
	hospital uint64
	server   *httptest.Server
	grpc     *grpc.Server

	behind atomic.Int32 // how many questions for its height come before its node has the newest block

	mu      sync.Mutex
	blocks  map[string][]byte
	nonces  map[string]string
	tokens  map[string]string
	uploads map[string]*fakeUpload
	heights []int64 // that queries named
	served  []string

	reply func(method string, reply any)         // changes what a query answers
	serve func(path string, block []byte) []byte // changes a block that is served; nil hides it
	cut   func(received int) bool                // breaks an upload after so many bytes of a request
	text  func(string) string                    // changes the text of a challenge
	log   func(method string)                    // sees requests

	notices http.HandlerFunc // serves streams of notices; nil has none
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	dealt, err := lock.Deal(threshold, []uint64{1, 2, 3, 4}, rand.Reader)
	require.NoError(t, err)
	n := &network{
		t: t, dealt: dealt, gates: map[uint64]*gate{}, height: 10, vaults: map[uint64]*lock.PrivateKey{}, principals: map[string]*consortiumv1.Principal{},
		invitations: map[string]bool{}, sequences: map[string]uint64{}, txs: map[string]*abciv1.TxResponse{}, patients: map[string]*recordsv1.Patient{},
		records: map[string]*recordsv1.Record{}, versions: map[string][]*recordsv1.Version{}, locks: map[string]lock.Proposal{}, holders: []uint64{1, 2, 3, 4},
		staffKeys: map[string][]byte{}, guardians: map[string]*accessv1.Guardians{},
		agreed: map[string]*accessv1.QueryEmergencyTermsResponse{},
	}
	_, err = rand.Read(n.id[:])
	require.NoError(t, err)
	for number := uint64(1); number <= hospitals; number++ {
		key, err := lock.GeneratePrivateKey(rand.Reader)
		require.NoError(t, err)
		n.vaults[number] = key
		n.gates[number] = n.open(number)
		n.members = append(n.members, &consortiumv1.Member{
			Number: number, Name: fmt.Sprintf("Hospital %d", number), Status: consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE,
			VaultKey: key.Public().Bytes(), VaultEpoch: 1, GatewayUrl: n.gates[number].server.URL, GatewayFingerprint: n.gates[number].pin(),
		})
	}
	return n
}

func (n *network) open(number uint64) *gate {
	g := &gate{
		net: n, hospital: number, blocks: map[string][]byte{}, nonces: map[string]string{}, tokens: map[string]string{}, uploads: map[string]*fakeUpload{},
	}
	g.grpc = grpc.NewServer(grpc.UnaryInterceptor(g.intercept))
	authv1.RegisterQueryServer(g.grpc, &authServer{net: n})
	txv1.RegisterServiceServer(g.grpc, &txServer{net: n})
	accessv1.RegisterQueryServer(g.grpc, &accessServer{net: n})
	auditv1.RegisterQueryServer(g.grpc, &auditServer{net: n})
	consortiumv1.RegisterQueryServer(g.grpc, &consortiumServer{net: n})
	custodyv1.RegisterQueryServer(g.grpc, &custodyServer{net: n})
	recordsv1.RegisterQueryServer(g.grpc, &recordsServer{net: n})
	storagev1.RegisterQueryServer(g.grpc, &storageServer{net: n})
	g.server = httptest.NewUnstartedServer(g)
	g.server.EnableHTTP2 = true
	g.server.StartTLS()
	n.t.Cleanup(g.down)
	return g
}

func (g *gate) down() {
	g.server.CloseClientConnections()
	g.server.Close()
	g.grpc.Stop()
}

func (g *gate) pin() []byte {
	sum := sha256.Sum256(g.server.Certificate().RawSubjectPublicKeyInfo)
	return sum[:]
}

func (g *gate) door() phr.Door {
	return phr.Door{Gateway: g.server.URL, Fingerprint: hex.EncodeToString(g.pin())}
}

// dial connects at a hospital, with the others' gateways known.
func (n *network) dial(key phr.Wallet, first uint64) *phr.Client {
	n.t.Helper()
	cfg := phr.Config{Gateway: n.gates[first].door().Gateway, Fingerprint: n.gates[first].door().Fingerprint, ChainID: chainID, Network: n.id, Key: key}
	for number := uint64(1); number <= hospitals; number++ {
		if number != first {
			cfg.Others = append(cfg.Others, n.gates[number].door())
		}
	}
	c, err := phr.Dial(n.t.Context(), cfg)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, c.Close()) })
	return c
}

func (n *network) key() *wallet.Key {
	n.t.Helper()
	key, err := wallet.NewKey(rand.Reader)
	require.NoError(n.t, err)
	return key
}

// staff registers a member of staff and connects at the own hospital.
func (n *network) staff(role consortiumv1.Role, hospital uint64) *phr.Client {
	n.t.Helper()
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: role, Hospital: hospital, Active: true})
	return n.dial(key, hospital)
}

func (n *network) add(p *consortiumv1.Principal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.principals[p.Address] = p
}

// patient is a registered patient who connects at a hospital.
func (n *network) patient(first uint64) (*phr.Client, phr.VaultFile) {
	n.t.Helper()
	key := n.key()
	n.add(&consortiumv1.Principal{Address: key.Address(), Role: consortiumv1.Role_ROLE_PATIENT, Active: true})
	c := n.dial(key, first)
	p, err := c.PreparePatient(phr.DefaultSite)
	require.NoError(n.t, err)
	_, err = c.RegisterPatient(n.t.Context(), p.File)
	require.NoError(n.t, err)
	return c, p.File
}

func (g *gate) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if h := md.Get("x-cosmos-block-height"); len(h) == 1 {
		var height int64
		if _, err := fmt.Sscan(h[0], &height); err != nil {
			return nil, status.Error(codes.InvalidArgument, "height")
		}
		g.mu.Lock()
		g.heights = append(g.heights, height)
		g.mu.Unlock()
	}
	if strings.HasPrefix(info.FullMethod, "/phrd.") {
		if auth := md.Get("authorization"); len(auth) != 1 || g.who(auth[0]) == nil {
			return nil, status.Error(codes.Unauthenticated, "log in")
		}
	}
	if g.behind.Load() > 0 && info.FullMethod == recordsv1.Query_Version_FullMethodName {
		return nil, status.Error(codes.NotFound, "version")
	}
	g.net.mu.Lock()
	answer, err := next(ctx, req)
	if m, ok := answer.(proto.Message); ok && err == nil {
		answer = proto.Clone(m)
	}
	g.net.mu.Unlock()
	if err == nil && g.reply != nil {
		g.reply(info.FullMethod, answer)
	}
	return answer, err
}

func (g *gate) who(authorization string) *consortiumv1.Principal {
	g.mu.Lock()
	address := g.tokens[strings.TrimPrefix(authorization, "Bearer ")]
	g.mu.Unlock()
	g.net.mu.Lock()
	defer g.net.mu.Unlock()
	return g.net.principals[address]
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		g.grpc.ServeHTTP(w, r)
		return
	}
	if g.log != nil {
		g.log(r.Method)
	}
	switch {
	case r.URL.Path == "/chain":
		g.net.mu.Lock()
		height := g.net.height
		g.net.mu.Unlock()
		if g.behind.Add(-1) >= 0 {
			height--
		}
		writeJSON(w, map[string]any{
			"chain_id": chainID, "network_id": hex.EncodeToString(g.net.id[:]), "height": height, "block_time": time.Now().UTC(), "version": "test",
			"hospital": map[string]any{"number": g.hospital, "name": fmt.Sprintf("Hospital %d", g.hospital)},
		})
	case r.URL.Path == "/accounts":
		g.account(w, r)
	case r.URL.Path == "/login/challenge":
		g.challenge(w, r)
	case r.URL.Path == "/login":
		g.login(w, r)
	case g.who(r.Header.Get("Authorization")) == nil:
		problem(w, http.StatusUnauthorized, "log in")
	case r.URL.Path == "/logout":
		g.mu.Lock()
		delete(g.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		g.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/notices" && g.notices != nil:
		g.notices(w, r)
	case strings.HasPrefix(r.URL.Path, "/blocks/") && r.Method == http.MethodPut:
		block, err := io.ReadAll(r.Body)
		if err != nil || lock.RawCID(sha256.Sum256(block)).String() != strings.TrimPrefix(r.URL.Path, "/blocks/") {
			problem(w, http.StatusUnprocessableEntity, "block")
			return
		}
		g.put(strings.TrimPrefix(r.URL.Path, "/blocks/"), block)
		w.WriteHeader(http.StatusCreated)
	case strings.HasPrefix(r.URL.Path, "/uploads"):
		g.upload(w, r)
	case strings.Contains(r.URL.Path, "/blocks/") || strings.HasPrefix(r.URL.Path, "/records/"):
		g.block(w, r)
	default:
		problem(w, http.StatusNotFound, "no such thing")
	}
}

func (g *gate) put(cid string, block []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blocks[cid] = block
}

func (g *gate) get(cid string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blocks[cid]
}

// block serves a block that this hospital or another one has.
func (g *gate) block(w http.ResponseWriter, r *http.Request) {
	cid := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	block := g.get(cid)
	for number := uint64(1); block == nil && number <= hospitals; number++ {
		block = g.net.gates[number].get(cid)
	}
	if g.serve != nil {
		block = g.serve(r.URL.Path, bytes.Clone(block))
	}
	if block == nil {
		problem(w, http.StatusNotFound, "no such block")
		return
	}
	g.mu.Lock()
	g.served = append(g.served, cid)
	g.mu.Unlock()
	_, _ = w.Write(block)
}

func (g *gate) account(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Invitation, Address string
		Signature           []byte
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		problem(w, http.StatusBadRequest, "body")
		return
	}
	key, err := hex.DecodeString(in.Invitation)
	address, bad := wallet.ParseAddress(in.Address)
	g.net.mu.Lock()
	defer g.net.mu.Unlock()
	digest := lock.H("phrd/v1/open-account", g.net.id[:], key, address)
	outcome, reason := "OUTCOME_REFUSED", ""
	switch {
	case err != nil || bad != nil || len(key) != ed25519.PublicKeySize:
		problem(w, http.StatusBadRequest, "key or address")
		return
	case !g.net.invitations[in.Invitation]:
		reason = "invitation_used"
	case !ed25519.Verify(key, digest[:], in.Signature):
		reason = "bad_signature"
	default:
		outcome = "OUTCOME_OK"
		g.net.invitations[in.Invitation] = false
		g.net.principals[in.Address] = &consortiumv1.Principal{Address: in.Address, Role: consortiumv1.Role_ROLE_PATIENT, Active: true}
	}
	writeJSON(w, map[string]any{"outcome": outcome, "reason": reason, "height": g.net.height, "hash": ""})
}

func (g *gate) challenge(w http.ResponseWriter, r *http.Request) {
	var in struct{ Address string }
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		problem(w, http.StatusBadRequest, "body")
		return
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	expires := time.Now().Add(2 * time.Minute).UTC().Truncate(time.Second)
	text := strings.Join([]string{
		"phrd login", "network: " + hex.EncodeToString(g.net.id[:4]) + " " + chainID, "account: " + in.Address,
		"host: " + strings.TrimPrefix(g.server.URL, "https://"), "nonce: " + hex.EncodeToString(nonce), "expires: " + expires.Format(time.RFC3339),
	}, "\n")
	if g.text != nil {
		text = g.text(text)
	}
	g.mu.Lock()
	g.nonces[hex.EncodeToString(nonce)] = text
	g.mu.Unlock()
	writeJSON(w, map[string]any{"nonce": hex.EncodeToString(nonce), "text": text, "expires_at": expires})
}

func (g *gate) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Address, Nonce string
		PublicKey      []byte `json:"public_key"`
		Signature      []byte
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		problem(w, http.StatusBadRequest, "body")
		return
	}
	g.mu.Lock()
	text := g.nonces[in.Nonce]
	delete(g.nonces, in.Nonce)
	g.mu.Unlock()
	g.net.mu.Lock()
	p := g.net.principals[in.Address]
	g.net.mu.Unlock()
	if address, ok := wallet.VerifyArbitrary(in.PublicKey, []byte(text), in.Signature); !ok || address != in.Address || text == "" || p == nil {
		problem(w, http.StatusUnauthorized, "signature")
		return
	}
	token := make([]byte, 32)
	_, _ = rand.Read(token)
	g.mu.Lock()
	g.tokens[base64.RawURLEncoding.EncodeToString(token)] = in.Address
	g.mu.Unlock()
	writeJSON(w, map[string]any{
		"token": base64.RawURLEncoding.EncodeToString(token), "expires_at": time.Now().Add(time.Hour),
		"principal": map[string]any{
			"address": p.Address, "role": strings.ToLower(strings.TrimPrefix(p.Role.String(), "ROLE_")), "hospital": p.Hospital, "patient": p.Patient,
		},
	})
}

// endSessions makes every login void, as a restart does.
func (g *gate) endSessions() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.tokens)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, code int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": detail})
}

type txServer struct {
	txv1.UnimplementedServiceServer
	net *network
}

// BroadcastTx implements txv1.ServiceServer: it checks the signature and executes at once.
func (s *txServer) BroadcastTx(_ context.Context, r *txv1.BroadcastTxRequest) (*txv1.BroadcastTxResponse, error) {
	sum := sha256.Sum256(r.TxBytes)
	hash := strings.ToUpper(hex.EncodeToString(sum[:]))
	var raw txv1.TxRaw
	var body txv1.TxBody
	var auth txv1.AuthInfo
	for _, part := range []struct {
		b []byte
		m proto.Message
	}{{r.TxBytes, &raw}, {raw.BodyBytes, &body}, {raw.AuthInfoBytes, &auth}} {
		b := part.b
		switch part.m {
		case proto.Message(&body):
			b = raw.BodyBytes
		case proto.Message(&auth):
			b = raw.AuthInfoBytes
		}
		if err := proto.Unmarshal(b, part.m); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	msg, err := body.Messages[0].UnmarshalNew()
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if s.net.busy > 0 {
		s.net.busy--
		return &txv1.BroadcastTxResponse{TxResponse: &abciv1.TxResponse{Codespace: "consortium", Code: 3, Txhash: hash}}, nil
	}
	pub := auth.SignerInfos[0].PublicKey.Value[2:]
	signer := wallet.AddressOf(pub)
	if s.net.sequences[signer] != auth.SignerInfos[0].Sequence {
		return &txv1.BroadcastTxResponse{TxResponse: &abciv1.TxResponse{Codespace: "sdk", Code: 32, Txhash: hash}}, nil
	}
	account := wallet.Account{ChainID: chainID, Number: 1<<63 + 7, Sequence: s.net.sequences[signer]}
	doc, err := proto.MarshalOptions{Deterministic: true}.Marshal(&txv1.SignDoc{BodyBytes: raw.BodyBytes, AuthInfoBytes: raw.AuthInfoBytes, ChainId: chainID, AccountNumber: account.Number})
	if auth.SignerInfos[0].ModeInfo.GetSingle().GetMode().String() == "SIGN_MODE_LEGACY_AMINO_JSON" {
		doc, err = wallet.AminoDocument(account, auth.Fee.GasLimit, msg)
	}
	if err != nil {
		return nil, err
	}
	if !wallet.Verify(pub, doc, raw.Signatures[0]) {
		return &txv1.BroadcastTxResponse{TxResponse: &abciv1.TxResponse{Codespace: "sdk", Code: 4, Txhash: hash, RawLog: "signature"}}, nil
	}
	s.net.sequences[signer]++
	s.net.height++
	done := &abciv1.TxResponse{Txhash: hash, Height: s.net.height}
	answer, err := s.net.execute(signer, msg)
	if err != nil {
		done.Codespace, done.Code, done.RawLog = "test", 2, err.Error()
	} else {
		packed, err := anypb.New(answer)
		if err != nil {
			return nil, err
		}
		data, err := proto.Marshal(&abciv1.TxMsgData{MsgResponses: []*anypb.Any{packed}})
		if err != nil {
			return nil, err
		}
		done.Data = strings.ToUpper(hex.EncodeToString(data))
	}
	s.net.txs[hash] = done
	return &txv1.BroadcastTxResponse{TxResponse: &abciv1.TxResponse{Txhash: hash}}, nil
}

// GetTx implements txv1.ServiceServer.
func (s *txServer) GetTx(_ context.Context, r *txv1.GetTxRequest) (*txv1.GetTxResponse, error) {
	if s.net.away.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "the node starts")
	}
	done, ok := s.net.txs[r.Hash]
	if !ok {
		return nil, status.Error(codes.NotFound, "transaction")
	}
	return &txv1.GetTxResponse{TxResponse: done}, nil
}

const (
	ok      = auditv1.Outcome_OUTCOME_OK
	refused = auditv1.Outcome_OUTCOME_REFUSED
)

// execute carries a message out. The caller holds mu.
func (n *network) execute(signer string, msg proto.Message) (proto.Message, error) {
	n.entries = append(n.entries, &auditv1.Entry{Sequence: uint64(len(n.entries) + 1), Height: n.height, Actor: signer, Kind: string(msg.ProtoReflect().Descriptor().Name())})
	switch m := msg.(type) {
	case *consortiumv1.MsgCreateInvitation:
		n.invitations[hex.EncodeToString(m.Key)] = true
		return &consortiumv1.MsgCreateInvitationResponse{}, nil
	case *consortiumv1.MsgRegisterStaff:
		n.principals[m.Address] = &consortiumv1.Principal{Address: m.Address, Role: m.Role, Hospital: n.principals[signer].Hospital, Active: true}
		return &consortiumv1.MsgRegisterStaffResponse{}, nil
	case *consortiumv1.MsgRevokeStaff:
		n.principals[m.Address].Active = false
		return &consortiumv1.MsgRevokeStaffResponse{}, nil
	case *recordsv1.MsgRegisterPatient:
		key := slices.Concat(m.VaultKey...)
		n.patients[m.Patient] = &recordsv1.Patient{Id: m.Patient, Address: m.Address, Vault: &recordsv1.Vault{Id: m.Vault, Epoch: 1, Key: key, Revision: 1, Blob: m.VaultBlob}}
		n.principals[signer].Patient = m.Patient
		return &recordsv1.MsgRegisterPatientResponse{}, nil
	case *recordsv1.MsgStoreVersions:
		return n.store(signer, m)
	case *recordsv1.MsgEraseVersions:
		n.erased = append(n.erased, m)
		return &recordsv1.MsgEraseVersionsResponse{Outcome: ok}, nil
	case *accessv1.MsgProposeUnlock:
		return n.propose(m)
	}
	if answer := n.consent(signer, msg); answer != nil {
		return answer, nil
	}
	if answer, err := n.recovery(signer, msg); answer != nil || err != nil {
		return answer, err
	}
	return n.sign(signer, msg)
}

func (n *network) store(signer string, m *recordsv1.MsgStoreVersions) (proto.Message, error) {
	n.stores = append(n.stores, m)
	var all []*recordsv1.Version
	for _, v := range m.Versions {
		if n.refuses != nil && n.refuses(v) {
			return &recordsv1.MsgStoreVersionsResponse{Outcome: refused, Reason: "stale_vault_key"}, nil
		}
		h := v.Header
		stored := &recordsv1.Version{Record: v.Record, Version: v.Version, Header: h, Envelope: v.Envelope, Object: v.Object, Size: v.Size, StoredBy: signer}
		ctx, gen, err := n.context(stored)
		if err != nil {
			return nil, err
		}
		address, err := wallet.ParseAddress(signer)
		if err != nil {
			return nil, err
		}
		statement := lock.LockedVersion{Context: ctx, Generation: gen, C: [32]byte(h.C), Pc: h.Pc, Dc: [32]byte(h.Dc), Signer: [20]byte(address)}
		if statement.U, err = lock.ParsePoint(h.U); err != nil {
			return nil, err
		}
		if statement.UBar, err = lock.ParsePoint(v.UBar); err != nil {
			return nil, err
		}
		if statement.Envelope, err = lock.ParseRawCID(v.Envelope); err != nil {
			return nil, err
		}
		if statement.Object, err = lock.ParseDagCID(v.Object); err != nil {
			return nil, err
		}
		for _, hash := range v.OwnKeys {
			statement.OwnKeys = append(statement.OwnKeys, [32]byte(hash))
		}
		if good := statement.Verify(v.Proof) == nil; !good {
			return &recordsv1.MsgStoreVersionsResponse{Outcome: refused, Reason: "bad_proof"}, nil
		}
		if uint64(len(n.versions[v.Record]))+1 != v.Version {
			return &recordsv1.MsgStoreVersionsResponse{Outcome: refused, Reason: "version_out_of_order"}, nil
		}
		stored.SharesWith = v.SharesWith
		all = append(all, stored)
	}
	for i, stored := range all {
		v, h := m.Versions[i], stored.Header
		n.versions[v.Record] = append(n.versions[v.Record], stored)
		n.records[v.Record] = &recordsv1.Record{Id: v.Record, OwnerKind: h.OwnerKind, Patient: h.Patient, Custodian: h.Custodian, Class: v.Class, Versions: v.Version}
	}
	return &recordsv1.MsgStoreVersionsResponse{Outcome: ok}, nil
}

func (n *network) generation() lock.Generation {
	return lock.Generation{Network: n.id, Kind: lock.KeyRecords, Number: 1, X: n.dealt.X}
}

// context is ctx and gen of a version, computed without the code under test.
func (n *network) context(v *recordsv1.Version) (ctx, gen [64]byte, err error) {
	if gen, err = n.generation().Hash(); err != nil {
		return ctx, gen, err
	}
	record, err := lock.ParseID(v.Record)
	if err != nil {
		return ctx, gen, err
	}
	owner, err := lock.HospitalOwner(v.Header.Custodian)
	if v.Header.OwnerKind == recordsv1.OwnerKind_OWNER_KIND_PATIENT {
		var patient lock.ID
		patient, err = lock.ParseID(v.Header.Patient)
		owner = lock.PatientOwner(patient)
	}
	if err != nil {
		return ctx, gen, err
	}
	ctx, err = lock.Context{
		Network: n.id, Suite: lock.Suite1, Lock: lock.Lock(v.Header.Lock), Record: record, Version: v.Version, Owner: owner,
		Custodian: v.Header.Custodian, Generation: gen,
	}.Hash()
	return ctx, gen, err
}

func (n *network) propose(m *accessv1.MsgProposeUnlock) (proto.Message, error) {
	first := n.versions[m.Records[0]][m.Versions[0]-1].Header
	u := &accessv1.Unlock{
		Requester: m.Requester, Hospital: n.principals[m.Requester].Hospital, Purpose: m.Purpose, ExpiresAt: m.ExpiresAt, RequestKey: m.RequestKey, B: m.B,
		Proof: m.Proof, Patient: first.Patient, Custodian: first.Custodian, ProposedAt: time.Now().Unix(),
	}
	if u.Hospital != 0 {
		u.EndorsementsNeeded = 1
	}
	address, err := wallet.ParseAddress(m.Requester)
	if err != nil {
		return nil, err
	}
	p := lock.Proposal{Network: n.id, Requester: [20]byte(address), Hospital: u.Hospital, Purpose: m.Purpose, Expiry: uint64(m.ExpiresAt)}
	if p.RequestKeyCID, err = lock.ParseRawCID(m.RequestKey); err != nil {
		return nil, err
	}
	if p.B, err = lock.ParsePoint(m.B); err != nil {
		return nil, err
	}
	for i, record := range m.Records {
		v := n.versions[record][m.Versions[i]-1]
		u.Versions = append(u.Versions, &accessv1.UnlockVersion{Record: record, Version: m.Versions[i], M: m.M[i], U: v.Header.U})
		proposed := lock.ProposedVersion{Number: m.Versions[i], C: v.Header.C}
		if proposed.Record, err = lock.ParseID(record); err != nil {
			return nil, err
		}
		if proposed.Context, _, err = n.context(v); err != nil {
			return nil, err
		}
		if proposed.U, err = lock.ParsePoint(v.Header.U); err != nil {
			return nil, err
		}
		if proposed.M, err = lock.ParsePoint(m.M[i]); err != nil {
			return nil, err
		}
		p.Versions = append(p.Versions, proposed)
	}
	if good := p.Verify(m.Proof) == nil; !good {
		return &accessv1.MsgProposeUnlockResponse{Outcome: refused, Reason: "bad_proof"}, nil
	}
	id := p.ID()
	u.Id = hex.EncodeToString(id[:])
	n.unlocks, n.locks[u.Id] = append(n.unlocks, u), p
	return &accessv1.MsgProposeUnlockResponse{Outcome: ok, Unlock: u.Id}, nil
}

func (n *network) unlock(id string) *accessv1.Unlock {
	for _, u := range n.unlocks {
		if u.Id == id {
			return u
		}
	}
	return nil
}

func (n *network) sign(signer string, msg proto.Message) (proto.Message, error) {
	switch m := msg.(type) {
	case *accessv1.MsgEndorseUnlock:
		u := n.unlock(m.Unlock)
		if u.Custodian != n.principals[signer].Hospital {
			return &accessv1.MsgEndorseUnlockResponse{Outcome: refused, Reason: "wrong_hospital"}, nil
		}
		u.Endorsements = append(u.Endorsements, &accessv1.Endorsement{Officer: signer, At: time.Now().Unix()})
		return &accessv1.MsgEndorseUnlockResponse{Outcome: ok}, nil
	case *accessv1.MsgApproveUnlock:
		u := n.unlock(m.Unlock)
		hospital := "own reading"
		if u.Hospital != 0 {
			hospital = n.members[u.Hospital-1].Name
		}
		var shown []string
		for _, v := range u.Versions {
			shown = append(shown, fmt.Sprintf("%s/%d", v.Record, v.Version))
		}
		switch {
		case m.Hospital != hospital:
			return &accessv1.MsgApproveUnlockResponse{Outcome: refused, Reason: "hospital_differs"}, nil
		case m.Until != time.Unix(u.ExpiresAt, 0).UTC().Format(time.RFC3339):
			return &accessv1.MsgApproveUnlockResponse{Outcome: refused, Reason: "until_differs"}, nil
		case !slices.Equal(m.Records, shown) || m.Purpose != u.Purpose:
			return &accessv1.MsgApproveUnlockResponse{Outcome: refused, Reason: "records_differ"}, nil
		}
		u.Approval = &accessv1.Approval{By: signer, Capsule: m.Capsule, At: time.Now().Unix(), Height: n.height}
		return &accessv1.MsgApproveUnlockResponse{Outcome: ok}, nil
	case *accessv1.MsgDenyUnlock:
		n.unlock(m.Unlock).DeniedBy = signer
		return &accessv1.MsgDenyUnlockResponse{Outcome: ok}, nil
	case *accessv1.MsgWithdrawUnlock:
		u := n.unlock(m.Unlock)
		if u.WithdrawnBy != "" {
			return &accessv1.MsgWithdrawUnlockResponse{Outcome: refused, Reason: "withdrawn"}, nil
		}
		u.WithdrawnBy = signer
		return &accessv1.MsgWithdrawUnlockResponse{Outcome: ok}, nil
	}
	return nil, fmt.Errorf("no handler for %T", msg)
}

func (n *network) status(u *accessv1.Unlock) accessv1.UnlockStatus {
	switch {
	case u.DeniedBy != "":
		return accessv1.UnlockStatus_UNLOCK_STATUS_DENIED
	case u.WithdrawnBy != "":
		return accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN
	case time.Now().Unix() >= u.ExpiresAt:
		return accessv1.UnlockStatus_UNLOCK_STATUS_EXPIRED
	case u.Approval != nil && len(n.holders) >= threshold:
		return accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED
	case u.Approval != nil:
		return accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED
	case len(u.Endorsements) >= int(u.EndorsementsNeeded):
		return accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED
	}
	return accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED
}

// giving says which holders give their shares from now on.
func (n *network) giving(holders ...uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.holders = holders
}
