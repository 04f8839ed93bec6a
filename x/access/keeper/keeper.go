// Package keeper keeps unlocks, consents, guardians, recoveries and hand-overs in state, handles the messages and queries of the
// access module, and moves approved unlocks to the holders of the network's key.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/x/access"
)

// Keeper reads and writes the state of the module. An unlock's id is a key as its
// 32 bytes.
type Keeper struct {
	audit      Audit
	consortium Consortium
	records    Records
	custody    Custody

	schema collections.Schema
	// params: the bounds
	params collections.Item[access.Params]
	// unlocks: unlock id -> unlock
	unlocks collections.Map[[]byte, access.Unlock]
	// sequence counts unlocks
	sequence collections.Sequence
	// unlocksBySequence: sequence -> unlock id
	unlocksBySequence collections.Map[uint64, []byte]
	// unlocksByPatient: (patient id, sequence) -> unlock id
	unlocksByPatient collections.Map[collections.Pair[[]byte, uint64], []byte]
	// unlocksByRequester: (account address, sequence) -> unlock id
	unlocksByRequester collections.Map[collections.Pair[[]byte, uint64], []byte]
	// unlocksByCustodian: (member's number, sequence) -> unlock id
	unlocksByCustodian collections.Map[collections.Pair[uint64, uint64], []byte]
	// open: (account address of the requester, owner, unlock id) -> expiry, of unlocks that have not ended
	open collections.Map[collections.Triple[[]byte, []byte, []byte], int64]
	// points: each B ever seen
	points collections.KeySet[[]byte]
	// requestKeys: CID of each one-time key ever seen
	requestKeys collections.KeySet[[]byte]
	// expiryQueue: (expiry, unlock id), of unlocks that have not ended
	expiryQueue collections.KeySet[collections.Pair[int64, []byte]]
	// releaseQueue: (height of the approval, unlock id), of approved unlocks whose release was not requested yet
	releaseQueue collections.KeySet[collections.Pair[int64, []byte]]
	// openByVersion: (record id and version, unlock id), of unlocks that have not ended
	openByVersion collections.KeySet[collections.Pair[[]byte, []byte]]
	// void: record id and version, of versions that were erased or got another lock and that open unlocks from before may still name
	void collections.KeySet[[]byte]
	// consents: number -> consent
	consents collections.Map[uint64, access.Consent]
	// consentSequence counts consents
	consentSequence collections.Sequence
	// consentsByPatient: (patient id, number)
	consentsByPatient collections.KeySet[consentKey]
	// consentsByGrantee: (who may ask, number)
	consentsByGrantee collections.KeySet[consentKey]
	// liveConsents: (patient id, number), of consents that were not withdrawn and whose end was not noted
	liveConsents collections.KeySet[consentKey]
	// consentQueue: (end, number), of those
	consentQueue collections.KeySet[collections.Pair[int64, uint64]]
	// openByConsent: (number, unlock id), of unlocks that a consent approved and that have not ended
	openByConsent collections.KeySet[collections.Pair[uint64, []byte]]
	// withdrawn: number, of withdrawn consents that may have approved unlocks which have not ended
	withdrawn collections.KeySet[uint64]
	// emergencyTerms: patient id -> what the patient agreed to
	emergencyTerms collections.Map[[]byte, access.EmergencyTerms]
	// emergencies: id of the first unlock -> emergency
	emergencies collections.Map[[]byte, access.Emergency]
	// emergencySequence counts emergencies
	emergencySequence collections.Sequence
	// emergenciesBySequence: sequence -> id
	emergenciesBySequence collections.Map[uint64, []byte]
	// openEmergencies: (patient id, id), of emergencies that have not ended
	openEmergencies collections.KeySet[collections.Pair[[]byte, []byte]]
	// emergencyUses: (account address of the requester, patient id, id), of emergencies that have not ended or are to be reviewed
	emergencyUses collections.KeySet[usesKey]
	// emergencyQueue: (when the delay is over, id), of approved emergencies whose shares were not asked for yet
	emergencyQueue collections.KeySet[queueKey]

	// guardians: patient id -> guardians
	guardians collections.Map[[]byte, access.Guardians]
	// guarded: (guardian's patient id, patient id)
	guarded collections.KeySet[collections.Pair[[]byte, []byte]]
	// recoveries: number -> recovery
	recoveries collections.Map[uint64, access.Recovery]
	// recoverySequence counts recoveries
	recoverySequence collections.Sequence
	// recoveriesByPatient: (patient id, number)
	recoveriesByPatient collections.KeySet[recoveryName]
	// recoveriesByAccount: (account address of who proposed it, number)
	recoveriesByAccount collections.KeySet[recoveryName]
	// recoveriesByGuardian: (guardian's patient id, number)
	recoveriesByGuardian collections.KeySet[recoveryName]
	// recoveriesByUnlock: unlock id -> number
	recoveriesByUnlock collections.Map[[]byte, uint64]
	// openRecoveries: patient id -> number, of recoveries that have not ended
	openRecoveries collections.Map[[]byte, uint64]
	// recoveryQueue: (which time, time, number), of recoveries that have not ended
	recoveryQueue collections.KeySet[recoveryKey]

	// handOvers: patient id -> hand-over
	handOvers collections.Map[[]byte, access.HandOver]
	// handOverQueue: (when it is due, patient id), of hand-overs whose wallets have not ended
	handOverQueue collections.KeySet[queueKey]
}

// consentKey is a name of consents and the number of one.
type consentKey = collections.Pair[[]byte, uint64]

// Neighbours are the modules that this one calls.
type Neighbours struct {
	// Audit is the log.
	Audit Audit
	// Consortium knows members and accounts.
	Consortium Consortium
	// Records knows patients, records and versions.
	Records Records
	// Custody asks the holders for their shares.
	Custody Custody
}

// New opens the module's state in the store.
func New(cdc codec.BinaryCodec, service store.KVStoreService, n Neighbours) (*Keeper, error) {
	if n.Audit == nil || n.Consortium == nil || n.Records == nil || n.Custody == nil {
		return nil, errors.New("access keeper: a neighbour is missing")
	}
	sb := collections.NewSchemaBuilder(service)
	queue := collections.PairKeyCodec(collections.Int64Key, collections.BytesKey)
	byBytes := collections.PairKeyCodec(collections.BytesKey, collections.Uint64Key)
	k := &Keeper{
		audit: n.Audit, consortium: n.Consortium, records: n.Records, custody: n.Custody,
		params:             collections.NewItem(sb, access.ParamsPrefix, "params", codec.CollValue[access.Params](cdc)),
		unlocks:            collections.NewMap(sb, access.UnlocksPrefix, "unlocks", collections.BytesKey, codec.CollValue[access.Unlock](cdc)),
		sequence:           collections.NewSequence(sb, access.UnlockSequencePrefix, "unlock_sequence"),
		unlocksBySequence:  collections.NewMap(sb, access.UnlocksBySequencePrefix, "unlocks_by_sequence", collections.Uint64Key, collections.BytesValue),
		unlocksByPatient:   collections.NewMap(sb, access.UnlocksByPatientPrefix, "unlocks_by_patient", byBytes, collections.BytesValue),
		unlocksByRequester: collections.NewMap(sb, access.UnlocksByRequesterPrefix, "unlocks_by_requester", byBytes, collections.BytesValue),
		unlocksByCustodian: collections.NewMap(sb, access.UnlocksByCustodianPrefix, "unlocks_by_custodian",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), collections.BytesValue),
		open: collections.NewMap(sb, access.OpenUnlocksPrefix, "open_unlocks",
			collections.TripleKeyCodec(collections.BytesKey, collections.BytesKey, collections.BytesKey), collections.Int64Value),
		points:       collections.NewKeySet(sb, access.PointsPrefix, "points", collections.BytesKey),
		requestKeys:  collections.NewKeySet(sb, access.RequestKeysPrefix, "request_keys", collections.BytesKey),
		expiryQueue:  collections.NewKeySet(sb, access.ExpiryQueuePrefix, "expiry_queue", queue),
		releaseQueue: collections.NewKeySet(sb, access.ReleaseQueuePrefix, "release_queue", queue),
		openByVersion: collections.NewKeySet(sb, access.OpenByVersionPrefix, "open_by_version",
			collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
		void:              collections.NewKeySet(sb, access.VoidPrefix, "void", collections.BytesKey),
		consents:          collections.NewMap(sb, access.ConsentsPrefix, "consents", collections.Uint64Key, codec.CollValue[access.Consent](cdc)),
		consentSequence:   collections.NewSequence(sb, access.ConsentSequencePrefix, "consent_sequence"),
		consentsByPatient: collections.NewKeySet(sb, access.ConsentsByPatientPrefix, "consents_by_patient", byBytes),
		consentsByGrantee: collections.NewKeySet(sb, access.ConsentsByGranteePrefix, "consents_by_grantee", byBytes),
		liveConsents:      collections.NewKeySet(sb, access.LiveConsentsPrefix, "live_consents", byBytes),
		consentQueue: collections.NewKeySet(sb, access.ConsentQueuePrefix, "consent_queue",
			collections.PairKeyCodec(collections.Int64Key, collections.Uint64Key)),
		openByConsent: collections.NewKeySet(sb, access.OpenByConsentPrefix, "open_by_consent",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
		withdrawn: collections.NewKeySet(sb, access.WithdrawnPrefix, "withdrawn_consents", collections.Uint64Key),

		emergencyTerms:        collections.NewMap(sb, access.EmergencyTermsPrefix, "emergency_terms", collections.BytesKey, codec.CollValue[access.EmergencyTerms](cdc)),
		emergencies:           collections.NewMap(sb, access.EmergenciesPrefix, "emergencies", collections.BytesKey, codec.CollValue[access.Emergency](cdc)),
		emergencySequence:     collections.NewSequence(sb, access.EmergencySequencePrefix, "emergency_sequence"),
		emergenciesBySequence: collections.NewMap(sb, access.EmergenciesBySequencePrefix, "emergencies_by_sequence", collections.Uint64Key, collections.BytesValue),
		openEmergencies: collections.NewKeySet(sb, access.OpenEmergenciesPrefix, "open_emergencies",
			collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
		emergencyUses: collections.NewKeySet(sb, access.EmergencyUsesPrefix, "emergency_uses",
			collections.TripleKeyCodec(collections.BytesKey, collections.BytesKey, collections.BytesKey)),
		emergencyQueue: collections.NewKeySet(sb, access.EmergencyQueuePrefix, "emergency_queue", queue),
		guardians:      collections.NewMap(sb, access.GuardiansPrefix, "guardians", collections.BytesKey, codec.CollValue[access.Guardians](cdc)),
		guarded: collections.NewKeySet(sb, access.GuardedPrefix, "guarded",
			collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
		recoveries:           collections.NewMap(sb, access.RecoveriesPrefix, "recoveries", collections.Uint64Key, codec.CollValue[access.Recovery](cdc)),
		recoverySequence:     collections.NewSequence(sb, access.RecoverySequencePrefix, "recovery_sequence"),
		recoveriesByPatient:  collections.NewKeySet(sb, access.RecoveriesByPatientPrefix, "recoveries_by_patient", byBytes),
		recoveriesByAccount:  collections.NewKeySet(sb, access.RecoveriesByAccountPrefix, "recoveries_by_account", byBytes),
		recoveriesByGuardian: collections.NewKeySet(sb, access.RecoveriesByGuardianPrefix, "recoveries_by_guardian", byBytes),
		recoveriesByUnlock:   collections.NewMap(sb, access.RecoveriesByUnlockPrefix, "recoveries_by_unlock", collections.BytesKey, collections.Uint64Value),
		openRecoveries:       collections.NewMap(sb, access.OpenRecoveriesPrefix, "open_recoveries", collections.BytesKey, collections.Uint64Value),
		recoveryQueue: collections.NewKeySet(sb, access.RecoveryQueuePrefix, "recovery_queue",
			collections.TripleKeyCodec(collections.Uint64Key, collections.Int64Key, collections.Uint64Key)),
		handOvers:     collections.NewMap(sb, access.HandOversPrefix, "hand_overs", collections.BytesKey, codec.CollValue[access.HandOver](cdc)),
		handOverQueue: collections.NewKeySet(sb, access.HandOverQueuePrefix, "hand_over_queue", queue),
	}
	schema, err := sb.Build()
	if err != nil {
		return nil, fmt.Errorf("access keeper: %w", err)
	}
	k.schema = schema
	return k, nil
}

// Params answers the bounds.
func (k *Keeper) Params(ctx context.Context) (access.Params, error) { return k.params.Get(ctx) }

// setParams validates and writes the bounds.
func (k *Keeper) setParams(ctx context.Context, p access.Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return k.params.Set(ctx, p)
}
