// Package keeper keeps patients, records and versions in state and handles the
// messages and queries of the records module.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	collcodec "cosmossdk.io/collections/codec"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/x/records"
)

// versionKey is a record's id and a version's number.
type versionKey = collections.Pair[[]byte, uint64]

// Keeper reads and writes the state of the module. Ids, points and CIDs are keys
// in their binary form: 16, 32 and 36 bytes.
type Keeper struct {
	audit      Audit
	consortium Consortium
	custody    Custody
	storage    Storage
	hooks      records.LockHooks
	grantees   records.Grantees
	agreements records.Agreements

	schema collections.Schema
	// params: the bounds
	params collections.Item[records.Params]
	// patients: patient id -> patient
	patients collections.Map[[]byte, records.Patient]
	// patientsByAddress: account address, 20 bytes -> patient id
	patientsByAddress collections.Map[[]byte, []byte]
	// patientsByVault: vault id -> patient id
	patientsByVault collections.Map[[]byte, []byte]
	// patientsByVaultBlob: CID of each vault blob and block of guardians' shares ever named -> patient id
	patientsByVaultBlob collections.Map[[]byte, []byte]
	// records: record id -> record
	records collections.Map[[]byte, records.Record]
	// recordsByPatient: (patient id, record id)
	recordsByPatient collections.KeySet[collections.Pair[[]byte, []byte]]
	// recordsByCustodian: (member's number, record id)
	recordsByCustodian collections.KeySet[collections.Pair[uint64, []byte]]
	// versions: (record id, version) -> version
	versions collections.Map[versionKey, records.Version]
	// versionsByObject: CID of each object ever named -> (record id, version)
	versionsByObject collections.Map[[]byte, versionKey]
	// envelopes: CID of each envelope ever named
	envelopes collections.KeySet[[]byte]
	// points: each U ever seen, those of guardian slots among them
	points collections.KeySet[[]byte]
	// reported: member's number -> number of its last access report
	reported collections.Map[uint64, uint64]
	// requests: number -> erasure that waits for an officer
	requests collections.Map[uint64, records.ErasureRequest]
	// requestSequence is the number of the last request
	requestSequence collections.Item[uint64]
	// requestsByVersion: (record id, version), of versions whose erasure waits
	requestsByVersion collections.KeySet[versionKey]
	// requestsByCustodian: (member's number, number of the request)
	requestsByCustodian collections.KeySet[collections.Pair[uint64, uint64]]
	// blocks: CID of each envelope that was kept by itself, and of each envelope and vault blob that was replaced -> what it is
	blocks collections.Map[[]byte, records.Block]
	// replaced: CID of a successor that is to be copied -> CID of the block that waits for it
	replaced collections.Map[[]byte, []byte]
	// copied: CID of each successor that enough hospitals hold
	copied collections.KeySet[[]byte]
	// relockQueue: (until, record id, version), of locks that wait for their confirmation
	relockQueue collections.KeySet[collections.Triple[int64, []byte, uint64]]
	// locks: (generation, custodian) -> number of versions that are not erased
	locks collections.Map[collections.Pair[uint64, uint64], uint64]
	// formerWallets: address of each account of a patient that has another one now
	formerWallets collections.KeySet[[]byte]
}

// Neighbours are the modules that this one calls.
type Neighbours struct {
	// Audit is the log.
	Audit Audit
	// Consortium knows members and accounts.
	Consortium Consortium
	// Custody knows the network's keys.
	Custody Custody
	// Storage places ciphertext.
	Storage Storage
}

// New opens the module's state in the store.
func New(cdc codec.BinaryCodec, service store.KVStoreService, n Neighbours) (*Keeper, error) {
	if n.Audit == nil || n.Consortium == nil || n.Custody == nil || n.Storage == nil {
		return nil, errors.New("records keeper: a neighbour is missing")
	}
	sb := collections.NewSchemaBuilder(service)
	pair := collections.PairKeyCodec(collections.BytesKey, collections.Uint64Key)
	k := &Keeper{
		audit: n.Audit, consortium: n.Consortium, custody: n.Custody, storage: n.Storage,
		params:              collections.NewItem(sb, records.ParamsPrefix, "params", codec.CollValue[records.Params](cdc)),
		patients:            collections.NewMap(sb, records.PatientsPrefix, "patients", collections.BytesKey, codec.CollValue[records.Patient](cdc)),
		patientsByAddress:   collections.NewMap(sb, records.PatientsByAddressPrefix, "patients_by_address", collections.BytesKey, collections.BytesValue),
		patientsByVault:     collections.NewMap(sb, records.PatientsByVaultPrefix, "patients_by_vault", collections.BytesKey, collections.BytesValue),
		patientsByVaultBlob: collections.NewMap(sb, records.PatientsByVaultBlobPrefix, "patients_by_vault_blob", collections.BytesKey, collections.BytesValue),
		records:             collections.NewMap(sb, records.RecordsPrefix, "records", collections.BytesKey, codec.CollValue[records.Record](cdc)),
		recordsByPatient: collections.NewKeySet(sb, records.RecordsByPatientPrefix, "records_by_patient",
			collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
		recordsByCustodian: collections.NewKeySet(sb, records.RecordsByCustodianPrefix, "records_by_custodian",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
		versions: collections.NewMap(sb, records.VersionsPrefix, "versions", pair, codec.CollValue[records.Version](cdc)),
		versionsByObject: collections.NewMap(sb, records.VersionsByObjectPrefix, "versions_by_object", collections.BytesKey,
			collcodec.KeyToValueCodec(pair)),
		envelopes: collections.NewKeySet(sb, records.EnvelopesPrefix, "envelopes", collections.BytesKey),
		points:    collections.NewKeySet(sb, records.PointsPrefix, "points", collections.BytesKey),
		reported:  collections.NewMap(sb, records.ReportedPrefix, "reported", collections.Uint64Key, collections.Uint64Value),
		requests: collections.NewMap(sb, records.RequestsPrefix, "erasure_requests", collections.Uint64Key,
			codec.CollValue[records.ErasureRequest](cdc)),
		requestSequence:   collections.NewItem(sb, records.RequestSequencePrefix, "erasure_sequence", collections.Uint64Value),
		requestsByVersion: collections.NewKeySet(sb, records.RequestsByVersionPrefix, "erasure_requests_by_version", pair),
		requestsByCustodian: collections.NewKeySet(sb, records.RequestsByCustodianPrefix, "erasure_requests_by_custodian",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)),
		blocks:   collections.NewMap(sb, records.BlocksPrefix, "blocks", collections.BytesKey, codec.CollValue[records.Block](cdc)),
		replaced: collections.NewMap(sb, records.ReplacedPrefix, "replaced", collections.BytesKey, collections.BytesValue),
		copied:   collections.NewKeySet(sb, records.CopiedPrefix, "copied", collections.BytesKey),
		relockQueue: collections.NewKeySet(sb, records.RelockQueuePrefix, "relock_queue",
			collections.TripleKeyCodec(collections.Int64Key, collections.BytesKey, collections.Uint64Key)),
		locks: collections.NewMap(sb, records.LocksPrefix, "locks",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), collections.Uint64Value),
		formerWallets: collections.NewKeySet(sb, records.FormerWalletsPrefix, "former_wallets", collections.BytesKey),
	}
	schema, err := sb.Build()
	if err != nil {
		return nil, fmt.Errorf("records keeper: %w", err)
	}
	k.schema = schema
	return k, nil
}

// SetGrantees names who knows to whom patients consented. The application calls it once,
// before the first block; without it, versions are sealed to their owners alone.
func (k *Keeper) SetGrantees(g records.Grantees) { k.grantees = g }

// SetAgreements names who knows which patients agreed to emergencies. The application calls it
// once, before the first block; without it, no version has a box.
func (k *Keeper) SetAgreements(a records.Agreements) { k.agreements = a }

// Params answers the bounds.
func (k *Keeper) Params(ctx context.Context) (records.Params, error) { return k.params.Get(ctx) }

// setParams validates and writes the bounds.
func (k *Keeper) setParams(ctx context.Context, p records.Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return k.params.Set(ctx, p)
}
