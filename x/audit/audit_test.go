package audit_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
)

var (
	clerk   = sdk.AccAddress(slices.Repeat([]byte{1}, 20)).String()
	alice   = lock.ID{1}.String()
	record  = lock.ID{2}.String()
	record2 = lock.ID{3}.String()
	unlock  = strings.Repeat("0f", 32)
)

// opened is an entry with every field that a handler may set.
func opened() audit.Entry {
	return audit.Entry{
		Kind: audit.KindOpened, Actor: clerk, Role: "clinician", Hospital: 2, Patient: alice,
		Subjects: []audit.Subject{{Record: record, Version: 1, Offset: 10, Length: 20}, {Record: record2}},
		Target:   "2", Unlock: unlock, Purpose: "TREAT", Outcome: audit.OUTCOME_REFUSED, Reason: "wrong_role", Count: 20,
	}
}

func TestEntryValidate(t *testing.T) {
	require.NoError(t, opened().Validate())
	require.NoError(t, audit.Entry{Kind: audit.KindExpired, Role: audit.RoleChain, Outcome: audit.OUTCOME_OK}.Validate())
	stranger := opened()
	stranger.Role, stranger.Hospital = "", 0
	require.NoError(t, stranger.Validate(), "an account that the chain does not know")

	for _, c := range []struct {
		name  string
		spoil func(e *audit.Entry)
	}{
		{"no kind", func(e *audit.Entry) { e.Kind = "" }},
		{"unknown kind", func(e *audit.Entry) { e.Kind = "store" }},
		{"role of capitals", func(e *audit.Entry) { e.Role = "Clerk" }},
		{"long role", func(e *audit.Entry) { e.Role = strings.Repeat("a", 17) }},
		{"account that acts as the chain", func(e *audit.Entry) { e.Role, e.Hospital = audit.RoleChain, 0 }},
		{"nobody acted", func(e *audit.Entry) { e.Actor = "" }},
		{"nobody acted, of no role", func(e *audit.Entry) { e.Actor, e.Role, e.Hospital = "", "", 0 }},
		{"hospital of the chain", func(e *audit.Entry) { e.Actor, e.Role = "", audit.RoleChain }},
		{"hospital of a stranger", func(e *audit.Entry) { e.Role = "" }},
		{"hospital over 32 bits", func(e *audit.Entry) { e.Hospital = math.MaxUint32 + 1 }},
		{"actor of no address", func(e *audit.Entry) { e.Actor = "alice" }},
		{"address in capitals", func(e *audit.Entry) { e.Actor = strings.ToUpper(e.Actor) }},
		{"patient of no number", func(e *audit.Entry) { e.Patient = "alice" }},
		{"patient in lower case", func(e *audit.Entry) { e.Patient = strings.ToLower(lock.ID{0xff}.String()) }},
		{"65 subjects", func(e *audit.Entry) { e.Subjects = slices.Repeat(e.Subjects[:1], 65) }},
		{"subject of no record", func(e *audit.Entry) { e.Subjects[1].Record = "" }},
		{"record in lower case", func(e *audit.Entry) { e.Subjects[1].Record = strings.ToLower(lock.ID{0xff}.String()) }},
		{"version over 63 bits", func(e *audit.Entry) { e.Subjects[0].Version = math.MaxInt64 + 1 }},
		{"offset over 63 bits", func(e *audit.Entry) { e.Subjects[0].Offset = math.MaxInt64 + 1 }},
		{"length over 63 bits", func(e *audit.Entry) { e.Subjects[0].Length = math.MaxInt64 + 1 }},
		{"long target", func(e *audit.Entry) { e.Target = strings.Repeat("a", 129) }},
		{"target of two lines", func(e *audit.Entry) { e.Target = "a\nb" }},
		{"target that is not ASCII", func(e *audit.Entry) { e.Target = "Köln" }},
		{"short unlock", func(e *audit.Entry) { e.Unlock = e.Unlock[2:] }},
		{"unlock in capitals", func(e *audit.Entry) { e.Unlock = strings.ToUpper(e.Unlock) }},
		{"unlock of no hex", func(e *audit.Entry) { e.Unlock = strings.Repeat("0g", 32) }},
		{"purpose in lower case", func(e *audit.Entry) { e.Purpose = "treat" }},
		{"long purpose", func(e *audit.Entry) { e.Purpose = strings.Repeat("A", 17) }},
		{"no outcome", func(e *audit.Entry) { e.Outcome = audit.OUTCOME_UNSPECIFIED }},
		{"unknown outcome", func(e *audit.Entry) { e.Outcome = 3 }},
		{"refusal without a reason", func(e *audit.Entry) { e.Reason = "" }},
		{"reason in words", func(e *audit.Entry) { e.Reason = "not allowed" }},
		{"long reason", func(e *audit.Entry) { e.Reason = strings.Repeat("a", 65) }},
		{"reason without a refusal", func(e *audit.Entry) { e.Outcome = audit.OUTCOME_OK }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := opened()
			c.spoil(&e)
			require.ErrorIs(t, e.Validate(), audit.ErrInvalidEntry)
		})
	}
}

// naiveRoot is MTH of RFC 9162, section 2.1.1, as it is written there.
func naiveRoot(leaves [][]byte) []byte {
	switch n := len(leaves); n {
	case 0:
		root := sha256.Sum256(nil)
		return root[:]
	case 1:
		root := sha256.Sum256(append([]byte{0}, leaves[0]...))
		return root[:]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		root := sha256.Sum256(slices.Concat([]byte{1}, naiveRoot(leaves[:k]), naiveRoot(leaves[k:])))
		return root[:]
	}
}

func TestFrontierIsTheTree(t *testing.T) {
	var f audit.Frontier
	var leaves [][]byte
	var before []audit.Frontier
	other := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	root := f.Root()
	require.Equal(t, rfc6962.DefaultHasher.EmptyRoot(), root[:])
	for size := range uint64(131) {
		require.Equal(t, size, f.Size_)
		require.NoError(t, f.Validate())
		root := f.Root()
		require.Equal(t, naiveRoot(leaves), root[:], "size %d", size)
		if size > 0 {
			want, err := other.GetRootHash(nil)
			require.NoError(t, err)
			require.Equal(t, want, root[:], "size %d", size)
			require.Equal(t, other.Hashes(), f.Nodes, "size %d: perfect subtrees, largest first", size)
		}
		before = append(before, f)

		e := opened()
		e.Sequence = size + 1
		leaf, err := e.LeafHash()
		require.NoError(t, err)
		data, err := e.Marshal()
		require.NoError(t, err)
		leaves = append(leaves, data)
		require.Equal(t, rfc6962.DefaultHasher.HashLeaf(data), leaf[:])
		require.NoError(t, other.Append(leaf[:], nil))
		f.Append(leaf)
	}
	for size, f := range before {
		root := f.Root()
		require.Equal(t, naiveRoot(leaves[:size]), root[:], "size %d is as it was", size)
		f.Append(sha256.Sum256(nil))
	}
	root = f.Root()
	require.Equal(t, naiveRoot(leaves), root[:], "appending to an earlier copy changes no later one")
}

func TestFrontierValidate(t *testing.T) {
	node := make([]byte, 32)
	require.NoError(t, (&audit.Frontier{Size_: 5, Nodes: [][]byte{node, node}}).Validate())
	require.ErrorContains(t, (&audit.Frontier{Size_: 5, Nodes: [][]byte{node}}).Validate(), "1 nodes, want 2")
	require.ErrorContains(t, (&audit.Frontier{Nodes: [][]byte{node}}).Validate(), "1 nodes, want 0")
	require.ErrorContains(t, (&audit.Frontier{Size_: 5, Nodes: [][]byte{node, node[1:]}}).Validate(), "node 2 has 31 bytes")
}

// An outsider who has the entry from elsewhere hashes the same bytes: those of any
// protobuf implementation that writes the canonical form.
func TestLeafIsCanonical(t *testing.T) {
	e := opened()
	e.Sequence, e.Height, e.Time = 300, 70_000, 1_800_000_000
	got, err := e.Marshal()
	require.NoError(t, err)
	var api auditv1.Entry
	require.NoError(t, proto.Unmarshal(got, &api))
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&api)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// Made by hand from the definition: 1: 300, 4: "expired", 6: "chain", 9: {2: 1}, 13: 1.
	small := audit.Entry{Sequence: 300, Kind: "expired", Role: "chain", Subjects: []audit.Subject{{Version: 1}}, Outcome: audit.OUTCOME_OK}
	data, err := hex.DecodeString("08ac02" + "2207" + "65787069726564" + "3205" + "636861696e" + "4a02" + "1001" + "6801")
	require.NoError(t, err)
	leaf, err := small.LeafHash()
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(append([]byte{0}, data...)), leaf)
}

// The links are recomputed here from the words of the package comment.
func TestSubjectChain(t *testing.T) {
	lp := func(b, x []byte) []byte { return append(binary.BigEndian.AppendUint64(b, uint64(len(x))), x...) }
	var head audit.SubjectHead
	var previous []byte
	for i, sequence := range []uint64{3, 4, 900} {
		leaf := sha256.Sum256([]byte{byte(i)})
		head.Append(sequence, leaf)

		data := lp(nil, []byte("phrd/v1/audit/subject"))
		data = lp(data, previous)
		data = lp(data, binary.BigEndian.AppendUint64(nil, sequence))
		data = lp(data, leaf[:])
		sum := sha512.Sum512(data)
		previous = sum[:32]
		require.Equal(t, audit.SubjectHead{Count: uint64(i) + 1, Head: previous, Last: sequence}, head)
	}
}

func TestGenesisValidate(t *testing.T) {
	genesis := func() *audit.GenesisState {
		g := audit.DefaultGenesis()
		for i := range 3 {
			e := opened()
			e.Sequence, e.Height, e.Time = uint64(i)+1, 10, 100+int64(i/2)
			g.Entries = append(g.Entries, e)
		}
		return g
	}
	require.NoError(t, audit.DefaultGenesis().Validate())
	require.NoError(t, genesis().Validate())
	for _, c := range []struct {
		name  string
		spoil func(g *audit.GenesisState)
	}{
		{"first entry is missing", func(g *audit.GenesisState) { g.Entries = g.Entries[1:] }},
		{"gap", func(g *audit.GenesisState) { g.Entries[2].Sequence = 4 }},
		{"repeated", func(g *audit.GenesisState) { g.Entries[2].Sequence = 2 }},
		{"time goes back", func(g *audit.GenesisState) { g.Entries[2].Time = 99 }},
		{"time before 1970", func(g *audit.GenesisState) { g.Entries[0].Time = -1 }},
		{"height below zero", func(g *audit.GenesisState) { g.Entries[0].Height = -1 }},
		{"invalid entry", func(g *audit.GenesisState) { g.Entries[1].Kind = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := genesis()
			c.spoil(g)
			require.ErrorIs(t, g.Validate(), audit.ErrInvalidGenesis)
		})
	}
}

func TestFilterBounded(t *testing.T) {
	for _, c := range []struct{ limit, want uint32 }{{0, 50}, {1, 1}, {200, 200}, {201, 200}, {math.MaxUint32, 200}} {
		given := &audit.QueryEntriesRequest{Patient: alice, Limit: c.limit}
		filter, err := given.Bounded()
		require.NoError(t, err)
		require.Equal(t, &audit.QueryEntriesRequest{Patient: alice, Limit: c.want}, filter)
		require.Equal(t, c.limit, given.Limit, "the request is not changed")
	}
	filter, err := (*audit.QueryEntriesRequest)(nil).Bounded()
	require.NoError(t, err)
	require.Equal(t, &audit.QueryEntriesRequest{Limit: 50}, filter)
	_, err = (&audit.QueryEntriesRequest{
		Patient: alice, Record: record, Actor: clerk, Hospital: math.MaxUint32, Kind: audit.KindStored, Unlock: unlock, From: 1, To: 2, Before: 3,
		Purpose: "TREAT", Kinds: slices.Repeat([]string{audit.KindStored}, 16), Concerns: slices.Repeat([]uint64{1}, 128),
	}).Bounded()
	require.NoError(t, err)

	for _, bad := range []*audit.QueryEntriesRequest{
		{Patient: "alice"},
		{Patient: strings.ToLower(lock.ID{0xff}.String())},
		{Record: "scan"},
		{Actor: "alice"},
		{Actor: strings.ToUpper(clerk)},
		{Hospital: math.MaxUint32 + 1},
		{Kind: "store"},
		{Kinds: []string{audit.KindStored, "store"}},
		{Kinds: []string{""}},
		{Kinds: slices.Repeat([]string{audit.KindStored}, 17)},
		{Concerns: []uint64{1, 0}},
		{Concerns: []uint64{1 << 32}},
		{Concerns: slices.Repeat([]uint64{1}, 129)},
		{Purpose: "treat"},
		{Purpose: "TREAT "},
		{Purpose: strings.Repeat("T", 17)},
		{Unlock: unlock[1:]},
		{Unlock: strings.ToUpper(unlock)},
		{From: -1},
		{To: -1},
	} {
		_, err := bad.Bounded()
		require.ErrorIs(t, err, audit.ErrInvalidFilter, fmt.Sprint(bad))
	}
}

func TestFilterMatches(t *testing.T) {
	e := opened()
	e.Sequence, e.Time = 7, 100
	for _, c := range []struct {
		filter audit.QueryEntriesRequest
		want   bool
	}{
		{audit.QueryEntriesRequest{}, true},
		{audit.QueryEntriesRequest{Patient: alice}, true},
		{audit.QueryEntriesRequest{Patient: lock.ID{9}.String()}, false},
		{audit.QueryEntriesRequest{Record: record}, true},
		{audit.QueryEntriesRequest{Record: record2}, true},
		{audit.QueryEntriesRequest{Record: lock.ID{9}.String()}, false},
		{audit.QueryEntriesRequest{Actor: clerk}, true},
		{audit.QueryEntriesRequest{Actor: sdk.AccAddress{9}.String()}, false},
		{audit.QueryEntriesRequest{Hospital: 2}, true},
		{audit.QueryEntriesRequest{Hospital: 1}, false},
		{audit.QueryEntriesRequest{Kind: audit.KindOpened}, true},
		{audit.QueryEntriesRequest{Kind: audit.KindStored}, false},
		{audit.QueryEntriesRequest{Kinds: []string{audit.KindStored, audit.KindOpened}}, true},
		{audit.QueryEntriesRequest{Kinds: []string{audit.KindStored, audit.KindErased}}, false},
		{audit.QueryEntriesRequest{Kind: audit.KindOpened, Kinds: []string{audit.KindStored}}, false},
		{audit.QueryEntriesRequest{Purpose: e.Purpose}, true},
		{audit.QueryEntriesRequest{Purpose: "HRESCH"}, false},
		{audit.QueryEntriesRequest{Unlock: unlock}, true},
		{audit.QueryEntriesRequest{Unlock: strings.Repeat("00", 32)}, false},
		{audit.QueryEntriesRequest{From: 100}, true},
		{audit.QueryEntriesRequest{From: 101}, false},
		{audit.QueryEntriesRequest{To: 101}, true},
		{audit.QueryEntriesRequest{To: 100}, false},
		{audit.QueryEntriesRequest{Patient: alice, Record: record, Actor: clerk, Hospital: 2, Kind: audit.KindOpened, Unlock: unlock, From: 100, To: 101}, true},
		{audit.QueryEntriesRequest{Patient: alice, Record: record, Actor: clerk, Hospital: 3, Kind: audit.KindOpened, Unlock: unlock, From: 100, To: 101}, false},
	} {
		require.Equal(t, c.want, c.filter.Matches(e), c.filter.String())
	}
}

func TestEventIsTheTypedOne(t *testing.T) {
	for _, kind := range audit.Kinds() {
		for _, patient := range []string{"", alice, record} {
			e := &audit.EventEntryAppended{Sequence: math.MaxUint64, Kind: kind, Patient: patient}
			want, err := sdk.TypedEventToEvent(e)
			require.NoError(t, err)
			require.Equal(t, want, e.Event())
		}
	}
}
