package records_test

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/records"
)

func TestParamsBounds(t *testing.T) {
	require.NoError(t, records.DefaultParams().Validate())
	for _, c := range []struct {
		name   string
		params records.Params
		valid  bool
	}{
		{"least", records.Params{MaxSize: 4096, MaxVersions: 1}, true},
		{"most", records.Params{MaxSize: 1 << 44, MaxVersions: 100_000}, true},
		{"nothing fits", records.Params{MaxSize: 4095, MaxVersions: 1}, false},
		{"too large", records.Params{MaxSize: 1<<44 + 1, MaxVersions: 1}, false},
		{"no versions", records.Params{MaxSize: 4096}, false},
		{"too many versions", records.Params{MaxSize: 4096, MaxVersions: 100_001}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.params.Validate(); c.valid {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, records.ErrInvalidParams)
			}
		})
	}
}

// Sizes before and after padding as in the vectors of docs/custody.md, appendix A.
func TestIsPaddedSize(t *testing.T) {
	for _, c := range []struct {
		size   uint64
		padded bool
	}{
		{0, false}, {4095, false}, {4096, true}, {4097, false}, {4351, false}, {4352, true}, {4353, false}, {65535, false}, {65536, true},
		{1 << 20, true}, {1<<20 + 1, false}, {1081344, true}, {1081343, false}, {1073741825, false}, {1107296256, true},
		{1099511627776, true}, {1099511627777, false}, {1116691496960, true}, {1 << 44, true}, {1<<44 + 1<<39, false}, {1 << 63, false},
		{math.MaxUint64, false},
	} {
		require.Equal(t, c.padded, records.IsPaddedSize(c.size), c.size)
	}
}

// Whatever the length of a file, the size that a writer makes of it is accepted.
func TestEveryWrittenSizeIsAccepted(t *testing.T) {
	const chunk = 1<<20 - 16
	padme := func(l uint64) uint64 {
		e := uint64(math.Log2(float64(l)))
		step := uint64(1) << (e - uint64(math.Log2(float64(e))) - 1)
		return (l + step - 1) / step * step
	}
	random := rand.New(rand.NewPCG(1, 2))
	lengths := []uint64{0, 1, 4079, 4080, 4081, chunk - 1, chunk, chunk + 1, 2 * chunk, 2*chunk + 1}
	for range 2000 {
		lengths = append(lengths, random.Uint64N(1<<random.Uint64N(41)))
	}
	for _, length := range lengths {
		size := max(4096, padme(length+16*max(1, (length+chunk-1)/chunk)))
		require.True(t, records.IsPaddedSize(size), "length %d, size %d", length, size)
	}
}

func TestClassText(t *testing.T) {
	for class, text := range map[records.Class]string{
		records.CLASS_IMAGING: "imaging", records.CLASS_DOCUMENT: "document", records.CLASS_RECORDING: "recording",
		records.CLASS_RESULT: "result", records.CLASS_OTHER: "other", records.CLASS_UNSPECIFIED: "", 99: "",
	} {
		require.Equal(t, text, class.Text())
	}
}

// maker makes things that are well formed and the same at each run.
type maker struct {
	t      *testing.T
	random *rand.ChaCha8
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	return &maker{t, rand.NewChaCha8([32]byte{2})}
}

func (m *maker) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := m.random.Read(b)
	require.NoError(m.t, err)
	return b
}

func (m *maker) id() string  { return lock.ID(m.bytes(16)).String() }
func (m *maker) raw() string { return lock.RawCID(sha256.Sum256(m.bytes(8))).String() }
func (m *maker) dag() string { return lock.DagCID(sha256.Sum256(m.bytes(8))).String() }
func (m *maker) point() []byte {
	s, err := lock.RandomScalar(m.random)
	require.NoError(m.t, err)
	return s.Public().Bytes()
}

func (m *maker) header(patient string) records.Header {
	return records.Header{
		Suite: 1, Lock: records.LOCK_OWNER_AND_NETWORK, OwnerKind: records.OWNER_KIND_PATIENT, Patient: patient, Custodian: 1, Generation: 1,
		U: m.point(), C: m.bytes(32), Pc: m.bytes(32), Dc: m.bytes(32),
	}
}

func (m *maker) newVersion() records.NewVersion {
	return records.NewVersion{
		Record: m.id(), Version: 1, Class: records.CLASS_IMAGING, Header: m.header(m.id()), UBar: m.point(), Proof: m.bytes(64),
		OwnKeys: [][]byte{m.bytes(32)}, Envelope: m.raw(), EnvelopeSize: 2000, Object: m.dag(), Size_: 4096,
	}
}

// generator is G, which nobody may use as U.
var generator = []byte{
	0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
	0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
}

func TestNewVersionValidate(t *testing.T) {
	m := newMaker(t)
	require.NoError(t, m.newVersion().Validate())
	hash := m.bytes(32)
	many := make([][]byte, records.MaxOwnKeys+1)
	for i := range many {
		many[i] = m.bytes(32)
	}
	nonCanonical := append([]byte(nil), generator...)
	nonCanonical[31] |= 0x80
	for _, c := range []struct {
		name   string
		change func(*records.NewVersion)
		err    error
	}{
		{"no record", func(n *records.NewVersion) { n.Record = "" }, records.ErrInvalidID},
		{"record in lower case", func(n *records.NewVersion) { n.Record = strings.ToLower(n.Record) }, records.ErrInvalidID},
		{"patient in lower case", func(n *records.NewVersion) { n.Header.Patient = strings.ToLower(n.Header.Patient) }, records.ErrInvalidHeader},
		{"record with a wrong check symbol", func(n *records.NewVersion) { n.Record = n.Record[:26] + "u" }, records.ErrInvalidID},
		{"version 0", func(n *records.NewVersion) { n.Version = 0 }, records.ErrInvalidHeader},
		{"version 2^63", func(n *records.NewVersion) { n.Version = 1 << 63 }, records.ErrInvalidHeader},
		{"no class", func(n *records.NewVersion) { n.Class = 0 }, records.ErrInvalidHeader},
		{"a class to come", func(n *records.NewVersion) { n.Class = 6 }, records.ErrInvalidHeader},
		{"suite 0", func(n *records.NewVersion) { n.Header.Suite = 0 }, records.ErrInvalidHeader},
		{"suite 2", func(n *records.NewVersion) { n.Header.Suite = 2 }, records.ErrInvalidHeader},
		{"no lock", func(n *records.NewVersion) { n.Header.Lock = 0 }, records.ErrInvalidHeader},
		{"lock 3", func(n *records.NewVersion) { n.Header.Lock = 3 }, records.ErrInvalidHeader},
		{"the owner's commitment under the network's lock", func(n *records.NewVersion) { n.Header.Lock = records.LOCK_NETWORK }, records.ErrInvalidHeader},
		{"no owner kind", func(n *records.NewVersion) { n.Header.OwnerKind = 0 }, records.ErrInvalidHeader},
		{"no patient", func(n *records.NewVersion) { n.Header.Patient = "" }, records.ErrInvalidHeader},
		{"a hospital's own with a patient", func(n *records.NewVersion) { n.Header.OwnerKind = records.OWNER_KIND_HOSPITAL }, records.ErrInvalidHeader},
		{"no custodian", func(n *records.NewVersion) { n.Header.Custodian = 0 }, records.ErrInvalidHeader},
		{"generation 0", func(n *records.NewVersion) { n.Header.Generation = 0 }, records.ErrInvalidHeader},
		{"no U", func(n *records.NewVersion) { n.Header.U = nil }, records.ErrInvalidHeader},
		{"U is the identity", func(n *records.NewVersion) { n.Header.U = make([]byte, 32) }, records.ErrInvalidHeader},
		{"U is G", func(n *records.NewVersion) { n.Header.U = generator }, records.ErrInvalidHeader},
		{"U is not canonical", func(n *records.NewVersion) { n.Header.U = nonCanonical }, records.ErrInvalidHeader},
		{"U has 33 bytes", func(n *records.NewVersion) { n.Header.U = append(n.Header.U, 0) }, records.ErrInvalidHeader},
		{"short C", func(n *records.NewVersion) { n.Header.C = n.Header.C[1:] }, records.ErrInvalidHeader},
		{"no Pc", func(n *records.NewVersion) { n.Header.Pc = nil }, records.ErrInvalidHeader},
		{"long Dc", func(n *records.NewVersion) { n.Header.Dc = append(n.Header.Dc, 0) }, records.ErrInvalidHeader},
		{"U-bar is the identity", func(n *records.NewVersion) { n.UBar = make([]byte, 32) }, records.ErrInvalidProof},
		{"short proof", func(n *records.NewVersion) { n.Proof = n.Proof[:63] }, records.ErrInvalidProof},
		{"too many recipients", func(n *records.NewVersion) { n.OwnKeys = many }, records.ErrInvalidHeader},
		{"a recipient twice", func(n *records.NewVersion) { n.OwnKeys = [][]byte{hash, m.bytes(32), hash} }, records.ErrInvalidHeader},
		{"a short hash", func(n *records.NewVersion) { n.OwnKeys = [][]byte{hash[:31]} }, records.ErrInvalidHeader},
		{"envelope is a dag", func(n *records.NewVersion) { n.Envelope = m.dag() }, records.ErrInvalidCID},
		{"object is raw", func(n *records.NewVersion) { n.Object = m.raw() }, records.ErrInvalidCID},
		{"object in capitals", func(n *records.NewVersion) { n.Object = "B" + n.Object[1:] }, records.ErrInvalidCID},
		{"object of version 0", func(n *records.NewVersion) { n.Object = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG" }, records.ErrInvalidCID},
		{"no envelope", func(n *records.NewVersion) { n.EnvelopeSize = 0 }, records.ErrInvalidSize},
		{"a huge envelope", func(n *records.NewVersion) { n.EnvelopeSize = records.MaxEnvelopeSize + 1 }, records.ErrInvalidSize},
		{"a size that is not padded", func(n *records.NewVersion) { n.Size_ = 4097 }, records.ErrInvalidSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := m.newVersion()
			c.change(&n)
			require.ErrorIs(t, n.Validate(), c.err)
		})
	}
	full := m.newVersion()
	full.OwnKeys, full.EnvelopeSize = many[:records.MaxOwnKeys], records.MaxEnvelopeSize
	require.NoError(t, full.Validate())
}

// genesis has one patient with a record of two versions, and a report.
func (m *maker) genesis() *records.GenesisState {
	key, err := hpke.MLKEM768X25519().DeriveKeyPair(m.bytes(32))
	require.NoError(m.t, err)
	patient, record, account := m.id(), m.id(), sdk.AccAddress(m.bytes(20)).String()
	g := records.DefaultGenesis()
	g.Patients = []records.Patient{{Id: patient, Address: account, Since: 1, Vault: records.Vault{
		Id: m.id(), Epoch: 1, Key: key.PublicKey().Bytes(), Revision: 1, Blob: m.raw(),
	}}}
	g.Records = []records.Record{{
		Id: record, OwnerKind: records.OWNER_KIND_PATIENT, Patient: patient, Custodian: 1, Class: records.CLASS_RESULT, Versions: 2, Since: 1,
	}}
	for n := range uint64(2) {
		g.Versions = append(g.Versions, records.Version{
			Record: record, Version: n + 1, Header: m.header(patient), Envelope: m.raw(), Object: m.dag(), Size_: 4096, StoredBy: account, StoredAt: 1, SealedEpoch: 1,
		})
	}
	g.Reported = []records.Reported{{Member: 1, Number: 3}}

	// The second version is kept by an envelope of its own, which the first has not replaced everywhere, and waits for another lock.
	v := &g.Versions[1]
	header := m.header(patient)
	header.Dc = v.Header.Dc
	v.Relock = &records.Relock{Header: header, Envelope: m.raw(), SealedEpoch: 1, Until: 2}
	former := m.raw()
	g.Blocks = []records.Block{
		{Cid: v.Envelope, Record: record, Version: 2}, {Cid: former, Record: record, Version: 2, Successor: v.Envelope},
		{Cid: v.Relock.Envelope, Record: record, Version: 2}, {Cid: m.raw(), Patient: patient},
	}
	slices.SortFunc(g.Blocks, func(a, b records.Block) int { return bytes.Compare(m.cid(a.Cid), m.cid(b.Cid)) })
	g.FormerPoints = [][]byte{m.header(patient).U}
	return g
}

// cid is a CID's bytes, by which blocks are sorted.
func (m *maker) cid(text string) []byte {
	cid, err := lock.ParseCID(text)
	require.NoError(m.t, err)
	return cid.Bytes()
}

// blockWhere is the block of a genesis for which is answers true.
func (m *maker) blockWhere(g *records.GenesisState, is func(records.Block) bool) *records.Block {
	i := slices.IndexFunc(g.Blocks, is)
	require.GreaterOrEqual(m.t, i, 0)
	return &g.Blocks[i]
}

func (m *maker) block(g *records.GenesisState, cid string) *records.Block {
	return m.blockWhere(g, func(b records.Block) bool { return b.Cid == cid })
}

func (m *maker) waiting(g *records.GenesisState) *records.Block {
	return m.blockWhere(g, func(b records.Block) bool { return b.Successor != "" })
}

func (m *maker) vaultBlob(g *records.GenesisState) *records.Block {
	return m.blockWhere(g, func(b records.Block) bool { return b.Patient != "" })
}

func TestGenesisValidate(t *testing.T) {
	m := newMaker(t)
	require.NoError(t, records.DefaultGenesis().Validate())
	require.NoError(t, m.genesis().Validate())
	for _, c := range []struct {
		name   string
		change func(*records.GenesisState)
		err    error
	}{
		{"no parameters", func(g *records.GenesisState) { g.Params = records.Params{} }, records.ErrInvalidParams},
		{"a patient twice", func(g *records.GenesisState) { g.Patients = append(g.Patients, g.Patients[0]) }, records.ErrInvalidGenesis},
		{"a vault key that is none", func(g *records.GenesisState) { g.Patients[0].Vault.Key = g.Patients[0].Vault.Key[:1000] }, records.ErrInvalidGenesis},
		{"a patient without an account", func(g *records.GenesisState) { g.Patients[0].Address = "" }, records.ErrInvalidGenesis},
		{"a record twice", func(g *records.GenesisState) { g.Records = append(g.Records, g.Records[0]) }, records.ErrInvalidGenesis},
		{"nobody's record", func(g *records.GenesisState) { g.Records[0].Patient = m.id() }, records.ErrInvalidGenesis},
		{"a record of no class", func(g *records.GenesisState) { g.Records[0].Class = 0 }, records.ErrInvalidGenesis},
		{"a record of no owner", func(g *records.GenesisState) { g.Records[0].OwnerKind = 0 }, records.ErrInvalidGenesis},
		{"a hospital's record with a patient", func(g *records.GenesisState) { g.Records[0].OwnerKind = records.OWNER_KIND_HOSPITAL }, records.ErrInvalidGenesis},
		{"a version less", func(g *records.GenesisState) { g.Versions = g.Versions[:1] }, records.ErrInvalidGenesis},
		{"versions turned round", func(g *records.GenesisState) { g.Versions[0], g.Versions[1] = g.Versions[1], g.Versions[0] }, records.ErrInvalidGenesis},
		{"a version of no record", func(g *records.GenesisState) { g.Versions[0].Record = m.id() }, records.ErrInvalidGenesis},
		{"another owner in a version", func(g *records.GenesisState) { g.Versions[1].Header.Patient = m.id() }, records.ErrInvalidGenesis},
		{"a point twice", func(g *records.GenesisState) { g.Versions[1].Header.U = g.Versions[0].Header.U }, records.ErrInvalidGenesis},
		{"an object twice", func(g *records.GenesisState) { g.Versions[1].Object = g.Versions[0].Object }, records.ErrInvalidGenesis},
		{"a vault blob as envelope", func(g *records.GenesisState) { g.Versions[1].Envelope = g.Patients[0].Vault.Blob }, records.ErrInvalidGenesis},
		{"a size that is not padded", func(g *records.GenesisState) { g.Versions[1].Size_ = 5000 }, records.ErrInvalidGenesis},
		{"a version that is sealed to no epoch", func(g *records.GenesisState) { g.Versions[0].SealedEpoch = 0 }, records.ErrInvalidGenesis},
		{"a lock that waits over another key", func(g *records.GenesisState) { g.Versions[1].Relock.Header.Dc = m.bytes(32) }, records.ErrInvalidGenesis},
		{"a lock that waits of another patient", func(g *records.GenesisState) { g.Versions[1].Relock.Header.Patient = m.id() }, records.ErrInvalidGenesis},
		{"a lock that waits with a point of today", func(g *records.GenesisState) { g.Versions[1].Relock.Header.U = g.Versions[0].Header.U }, records.ErrInvalidGenesis},
		{"a lock that waits with an envelope of today", func(g *records.GenesisState) { g.Versions[1].Relock.Envelope = g.Versions[0].Envelope }, records.ErrInvalidGenesis},
		{"a former point that is of today", func(g *records.GenesisState) { g.FormerPoints[0] = g.Versions[0].Header.U }, records.ErrInvalidGenesis},
		{"a former point that is none", func(g *records.GenesisState) { g.FormerPoints[0] = make([]byte, 32) }, records.ErrInvalidGenesis},
		{"a former point twice", func(g *records.GenesisState) { g.FormerPoints = append(g.FormerPoints, g.FormerPoints[0]) }, records.ErrInvalidGenesis},
		{"a block twice", func(g *records.GenesisState) { g.Blocks = append(g.Blocks, g.Blocks[3]) }, records.ErrInvalidGenesis},
		{"a block of nobody", func(g *records.GenesisState) { g.Blocks[0].Record, g.Blocks[0].Patient = "", "" }, records.ErrInvalidGenesis},
		{"an envelope of today as another version's", func(g *records.GenesisState) { m.block(g, g.Versions[1].Envelope).Version = 1 }, records.ErrInvalidGenesis},
		{"a block that waits for what is gone", func(g *records.GenesisState) { m.waiting(g).Successor = m.raw() }, records.ErrInvalidGenesis},
		{"a block that waits for another version's", func(g *records.GenesisState) { m.waiting(g).Successor = g.Versions[0].Envelope }, records.ErrInvalidGenesis},
		{"a vault blob that waits for an envelope", func(g *records.GenesisState) { m.vaultBlob(g).Successor = g.Versions[1].Envelope }, records.ErrInvalidGenesis},
		{"reports of nobody", func(g *records.GenesisState) { g.Reported[0].Member = 0 }, records.ErrInvalidGenesis},
		{"reports twice", func(g *records.GenesisState) { g.Reported = append(g.Reported, g.Reported[0]) }, records.ErrInvalidGenesis},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := m.genesis()
			c.change(g)
			require.ErrorIs(t, g.Validate(), c.err)
		})
	}
}
