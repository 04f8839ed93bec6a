package scenario_test

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"runtime"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	sdk "github.com/cosmos/cosmos-sdk/types"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

const (
	// hospitals is how many hospitals a crowd has.
	hospitals = 4
	// crowdGas is what a transaction of a crowd may use, enough for the longest batch.
	crowdGas = 20_000_000
)

// crowd is an application that people of four hospitals give signed transactions, without the hospitals' servers and what they keep: for what
// depends on the state alone. Its records key was dealt.
type crowd struct {
	*chain
	network lock.Network
	key     lock.Generation

	admins, nodes, clerks, officers, doctors []*wallet.Key // by hospital
	patients                                 []crowdPatient
	numbers                                  map[*wallet.Key]uint64 // of the accounts
	stamps                                   time.Duration          // makes the timeout of each transaction its own
}

// crowdPatient has a wallet, a number, and the hash of the vault's key.
type crowdPatient struct {
	wallet *wallet.Key
	id     string
	vault  [sha256.Size]byte
}

// newCrowd begins on an empty database. Nobody's messages are too many, no disk is full, and no proof of storage is asked for.
func newCrowd(t *testing.T, db dbm.DB, more ...func(*baseapp.BaseApp)) *crowd {
	t.Helper()
	homes, network := newNetwork(t, hospitals)
	c := &crowd{network: network.ID, numbers: map[*wallet.Key]uint64{}}
	for _, made := range homes {
		c.admins = append(c.admins, c.keyOf(t, made, "admin"))
		c.nodes = append(c.nodes, c.keyOf(t, made, "node"))
	}
	dealt, err := lock.Deal(custody.Threshold(custody.KEY_KIND_RECORDS, hospitals), []uint64{1, 2, 3, 4}, rand.Reader)
	require.NoError(t, err)
	c.key = lock.Generation{Network: network.ID, Kind: lock.KeyRecords, Number: 1, X: dealt.X}
	for range hospitals {
		for _, staff := range []*[]*wallet.Key{&c.clerks, &c.officers, &c.doctors} {
			*staff = append(*staff, newWallet(t))
		}
	}
	c.chain = newChainOn(t, db, c.genesis(t, network.Genesis, dealt), hospitals, more...)
	c.block() // before it the application answers nothing
	return c
}

func newWallet(t *testing.T) *wallet.Key {
	t.Helper()
	key, err := wallet.NewKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func (c *crowd) keyOf(t *testing.T, made *home.Created, name string) *wallet.Key {
	t.Helper()
	key, err := made.Keys.Account(name)
	require.NoError(t, err)
	return key
}

// genesis is that of a network with staff, a dealt key, and bounds that none of this meets.
func (c *crowd) genesis(t *testing.T, text []byte, dealt *lock.Dealt) []byte {
	t.Helper()
	codec, _, err := app.DefaultGenesis()
	require.NoError(t, err)
	var file struct {
		AppState map[string]json.RawMessage `json:"app_state"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	var people consortium.GenesisState
	var holders custody.GenesisState
	var copies storage.GenesisState
	var unlocks access.GenesisState
	for module, state := range map[string]gogoproto.Message{
		consortium.ModuleName: &people, custody.ModuleName: &holders, storage.ModuleName: &copies, access.ModuleName: &unlocks,
	} {
		require.NoError(t, codec.UnmarshalJSON(file.AppState[module], state))
	}
	since := genesisDay.Unix()
	for i := range people.Params.Buckets {
		people.Params.Buckets[i].PerMinute, people.Params.Buckets[i].Burst = 100_000, 100_000
	}
	for i := range people.StorageNodes {
		people.StorageNodes[i].Capacity = 1 << 50
	}
	for i := range hospitals {
		for role, key := range map[consortium.Role]*wallet.Key{
			consortium.ROLE_CLERK: c.clerks[i], consortium.ROLE_OFFICER: c.officers[i], consortium.ROLE_CLINICIAN: c.doctors[i],
		} {
			people.Staff = append(people.Staff, consortium.Staff{Address: key.Address(), Hospital: uint64(i + 1), Role: role, Since: since})
		}
	}
	holders = *custody.DefaultGenesis()
	holders.Keys = []custody.Key{{
		Kind: custody.KEY_KIND_RECORDS, Generation: 1, PublicKey: dealt.X.Bytes(), Origin: custody.ORIGIN_DEALT,
		Threshold: custody.Threshold(custody.KEY_KIND_RECORDS, hospitals), ShareEpoch: 1, Since: since,
	}}
	for _, h := range dealt.Holders {
		holders.Holders = append(holders.Holders, custody.Holder{
			Kind: custody.KEY_KIND_RECORDS, Generation: 1, ShareEpoch: 1, Index: h.Index, PublicShare: h.X.Bytes(), Confirmed: true,
		})
	}
	copies.Params.ChallengeInterval = 0
	unlocks.Params.MaxOpen = 64
	for module, state := range map[string]gogoproto.Message{
		consortium.ModuleName: &people, custody.ModuleName: &holders, storage.ModuleName: &copies, access.ModuleName: &unlocks,
	} {
		file.AppState[module], err = codec.MarshalJSON(state)
		require.NoError(t, err)
	}
	_, err = app.ValidateGenesis(file.AppState)
	require.NoError(t, err)
	out, err := json.Marshal(file)
	require.NoError(t, err)
	return out
}

// now reads the state after the newest block.
func (c *chain) now() sdk.Context {
	c.t.Helper()
	ctx, err := c.app.CreateQueryContext(c.height, false)
	require.NoError(c.t, err)
	return ctx
}

// account is where a signer stands.
func (c *crowd) account(key *wallet.Key) wallet.Account {
	c.t.Helper()
	if _, known := c.numbers[key]; !known {
		address, err := sdk.AccAddressFromBech32(key.Address())
		require.NoError(c.t, err)
		found := c.app.Accounts.GetAccount(c.now(), address)
		require.NotNil(c.t, found, key.Address())
		c.numbers[key] = found.GetAccountNumber()
	}
	return wallet.Account{ChainID: "phrd-test", Number: c.numbers[key]}
}

// tx is a message signed as a program does, with a timeout instead of a sequence.
func (c *crowd) tx(key *wallet.Key, message gogoproto.Message) []byte {
	c.t.Helper()
	c.stamps++
	tx, err := key.SignUnordered(c.account(key), crowdGas, c.at.Add(time.Minute+c.stamps), public(c.t, message))
	require.NoError(c.t, err)
	return tx
}

// public is a message of the modules as programs know it.
func public(t *testing.T, message gogoproto.Message) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(gogoproto.MessageName(message)))
	require.NoError(t, err)
	encoded, err := gogoproto.Marshal(message)
	require.NoError(t, err)
	m := kind.New().Interface()
	require.NoError(t, proto.Unmarshal(encoded, m))
	return m
}

// carriesOut commits a block of transactions, of which each must be carried out, and answers what they answered.
func (c *crowd) carriesOut(txs ...[]byte) []*abci.ExecTxResult {
	c.t.Helper()
	results := c.finalize(txs...).TxResults
	for i, r := range results {
		require.Zero(c.t, r.Code, "transaction %d: %s", i, r.Log)
	}
	return results
}

// reads reads the answer to the only message of a transaction.
func (c *crowd) reads(result *abci.ExecTxResult, answer gogoproto.Message) {
	c.t.Helper()
	var data sdk.TxMsgData
	require.NoError(c.t, gogoproto.Unmarshal(result.Data, &data))
	require.Len(c.t, data.MsgResponses, 1)
	require.NoError(c.t, gogoproto.Unmarshal(data.MsgResponses[0].Value, answer))
}

// registers lets more people become patients of the first hospital, who all have the same vault key.
func (c *crowd) registers(count int) {
	c.t.Helper()
	vault, err := hpke.MLKEM768X25519().GenerateKey()
	require.NoError(c.t, err)
	var invitations, openings, registrations [][]byte
	var keys []*wallet.Key
	for range count {
		key := newWallet(c.t)
		account, err := sdk.AccAddressFromBech32(key.Address())
		require.NoError(c.t, err)
		invitation, secret, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(c.t, err)
		invitations = append(invitations, c.tx(c.admins[0], &consortium.MsgCreateInvitation{
			Inviter: c.admins[0].Address(), Key: invitation, Role: consortium.ROLE_PATIENT, ExpiresAt: c.at.Add(time.Hour).Unix(),
		}))
		openings = append(openings, c.tx(c.nodes[0], &consortium.MsgOpenAccount{
			Node: c.nodes[0].Address(), Invitation: invitation, Address: key.Address(),
			Signature: ed25519.Sign(secret, consortium.InvitationDigest(c.network, invitation, account)),
		}))
		keys = append(keys, key)
	}
	c.carriesOut(invitations...)
	for _, result := range c.carriesOut(openings...) {
		var answer consortium.MsgOpenAccountResponse
		c.reads(result, &answer)
		require.Equal(c.t, audit.OUTCOME_OK, answer.Outcome)
	}
	for _, key := range keys {
		p := crowdPatient{wallet: key, id: c.id().String(), vault: sha256.Sum256(vault.PublicKey().Bytes())}
		message := &records.MsgRegisterPatient{Address: key.Address(), Patient: p.id, Vault: c.id().String(), VaultBlob: lock.RawCID(c.octets()).String(), VaultSize: 4108}
		for part := vault.PublicKey().Bytes(); len(part) > 0; part = part[64:] {
			message.VaultKey = append(message.VaultKey, part[:64])
		}
		registrations = append(registrations, c.tx(key, message))
		c.patients = append(c.patients, p)
	}
	c.carriesOut(registrations...)
}

// octets are 32 random bytes.
func (c *crowd) octets() (b [32]byte) {
	c.t.Helper()
	_, err := rand.Read(b[:])
	require.NoError(c.t, err)
	return b
}

func (c *crowd) id() lock.ID {
	c.t.Helper()
	id, err := lock.NewID(rand.Reader)
	require.NoError(c.t, err)
	return id
}

// versions makes new records of patients in turn, as a clerk's program of a hospital locks them, on all cores.
func (c *crowd) versions(hospital, count int) []records.NewVersion {
	c.t.Helper()
	made := make([]records.NewVersion, count)
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i := range made {
		group.Go(func() (err error) {
			made[i], err = c.version(hospital, c.patients[i%len(c.patients)])
			return err
		})
	}
	require.NoError(c.t, group.Wait())
	return made
}

func (c *crowd) version(hospital int, owner crowdPatient) (records.NewVersion, error) {
	e, err := lock.NewEncapsulation(c.key, rand.Reader)
	if err != nil {
		return records.NewVersion{}, err
	}
	b := make([]byte, 5*32+16)
	if _, err := rand.Read(b); err != nil {
		return records.NewVersion{}, err
	}
	n := records.NewVersion{
		Record: lock.ID(b[160:]).String(), Version: 1, Class: records.CLASS_IMAGING,
		Header: records.Header{
			Suite: 1, Lock: records.LOCK_OWNER_AND_NETWORK, OwnerKind: records.OWNER_KIND_PATIENT, Patient: owner.id, Custodian: uint64(hospital),
			Generation: 1, U: e.U.Bytes(), C: b[:32], Pc: b[32:64], Dc: b[64:96],
		},
		UBar: e.UBar.Bytes(), Proof: make([]byte, lock.ProofSize), OwnKeys: [][]byte{owner.vault[:]},
		Envelope: lock.RawCID([32]byte(b[96:128])).String(), EnvelopeSize: 2000, Object: lock.DagCID([32]byte(b[128:160])).String(), Size_: 20 << 10,
	}
	signer, err := sdk.AccAddressFromBech32(c.clerks[hospital-1].Address())
	if err != nil {
		return records.NewVersion{}, err
	}
	locked, err := n.Encapsulation(c.network, c.key.X.Bytes(), signer)
	if err != nil {
		return records.NewVersion{}, err
	}
	label, err := locked.Label()
	if err != nil {
		return records.NewVersion{}, err
	}
	n.Proof, err = e.Prove(label, rand.Reader)
	return n, err
}

// storing is a clerk's transaction that stores versions of the hospital.
func (c *crowd) storing(hospital int, versions ...records.NewVersion) []byte {
	c.t.Helper()
	clerk := c.clerks[hospital-1]
	return c.tx(clerk, &records.MsgStoreVersions{Clerk: clerk.Address(), Versions: versions})
}

// stored makes sure that a storing was not refused.
func (c *crowd) stored(result *abci.ExecTxResult) {
	c.t.Helper()
	var answer records.MsgStoreVersionsResponse
	c.reads(result, &answer)
	require.Empty(c.t, answer.Reason)
}

// confirming are the transactions with which every node says that it holds what is placed on it of these objects.
func (c *crowd) confirming(objects []string) (txs [][]byte) {
	c.t.Helper()
	ctx := c.now()
	on := map[uint64][]string{}
	for _, object := range objects {
		_, copies, err := c.app.Storage.Object(ctx, object)
		require.NoError(c.t, err)
		for _, held := range copies {
			on[held.Node] = append(on[held.Node], object)
		}
	}
	for number := range uint64(hospitals) {
		held, node := on[number+1], c.nodes[number]
		for len(held) > 0 {
			n := min(len(held), records.MaxBatch)
			txs = append(txs, c.tx(node, &storage.MsgConfirmCopies{Node: node.Address(), Objects: held[:n]}))
			held = held[n:]
		}
		txs = append(txs, c.tx(node, &storage.MsgHeartbeat{Node: node.Address(), Free: 1 << 50}))
	}
	return txs
}

// asking is a doctor's request for a version of the first hospital, and what it makes an unlock of.
func (c *crowd) asking(doctor *wallet.Key, v records.Version) *access.MsgProposeUnlock {
	c.t.Helper()
	session, err := lock.GenerateSession(rand.Reader)
	require.NoError(c.t, err)
	account, err := sdk.AccAddressFromBech32(doctor.Address())
	require.NoError(c.t, err)
	principal, err := c.app.Consortium.Principal(c.now(), doctor.Address())
	require.NoError(c.t, err)
	expiry := c.at.Add(24 * time.Hour).Unix()
	request := session.Key().Public().CID()
	u, err := lock.ParseEncapsulation(v.Header.U)
	require.NoError(c.t, err)
	lockContext, _, err := c.app.Records.LockContext(c.now(), v)
	require.NoError(c.t, err)
	id, err := lock.ParseCanonicalID(v.Record)
	require.NoError(c.t, err)
	m := session.Blind(u)
	proof, err := session.Prove(lock.Proposal{
		Network: c.network, Requester: [20]byte(account), Hospital: principal.Hospital, Purpose: "TREAT", Expiry: uint64(expiry), RequestKeyCID: request, B: session.B(),
		Versions: []lock.ProposedVersion{{Record: id, Number: v.Version, Context: lockContext, U: u, M: m, C: v.Header.C}},
	}, rand.Reader)
	require.NoError(c.t, err)
	return &access.MsgProposeUnlock{
		Requester: doctor.Address(), Purpose: "TREAT", ExpiresAt: expiry, RequestKey: request.String(), B: session.B().Bytes(), Proof: proof,
		Records: []string{v.Record}, Versions: []uint64{v.Version}, M: [][]byte{m.Bytes()},
	}
}

// approving is the amino transaction with which a patient's wallet approves an unlock; sequence counts the wallet's.
func (c *crowd) approving(patient *wallet.Key, sequence uint64, unlock string) []byte {
	c.t.Helper()
	u, err := c.app.Access.Unlock(c.now(), unlock)
	require.NoError(c.t, err)
	member, err := c.app.Consortium.Member(c.now(), u.Hospital)
	require.NoError(c.t, err)
	shown := u.Shown(member.Name)
	account := c.account(patient)
	account.Sequence = sequence
	tx, _, err := patient.SignAmino(account, crowdGas, public(c.t, &access.MsgApproveUnlock{
		Owner: patient.Address(), Hospital: shown.Hospital, Purpose: shown.Purpose, Records: shown.Records, Until: shown.Until, Unlock: unlock,
		Capsule: lock.RawCID(c.octets()).String(),
	}))
	require.NoError(c.t, err)
	return tx
}
