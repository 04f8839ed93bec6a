package home

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	cometconfig "github.com/cometbft/cometbft/config"
	cometed25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	pruning "github.com/cosmos/cosmos-sdk/store/v2/pruning/types"
	"google.golang.org/protobuf/encoding/protojson"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/consortium"
)

const (
	// nodeStates is how many of the newest states of the chain a storage node keeps, and nodePruning after how many blocks it removes
	// older ones.
	nodeStates, nodePruning = 100, 10
	// nodeBlocks is how many of the newest blocks it keeps: those of which evidence may still tell, below which CometBFT keeps all.
	nodeBlocks = 100_000
)

// NodeOptions say what a new home of a member's further storage node is to be.
type NodeOptions struct {
	// Genesis is the path of the network's genesis.json and Hash the agreed hash of it, 64 hex digits.
	Genesis, Hash string
	// Hospital is the member whose node it is: its name or its number, as in the genesis or among Others.
	Hospital string
	// Others are members that are not in the genesis, and Joining is how the network was found that named them; both may be empty.
	Others  []consortium.Member
	Joining Joining
	// Site is the number of the member's site at which the node stands.
	Site uint64
	// Host is the name or address at which the nodes of other hospitals reach this one.
	Host string
	// Listen is the address to listen on.
	Listen string
	// PortOffset is added to every port, so that several homes fit on one machine.
	PortOffset int
	// Capacity is how many bytes of blobs the node stores at most.
	Capacity uint64
	// Passphrase encrypts the keys.
	Passphrase []byte
	// KeyOptions change how the key store is created; tests lower the work of its passphrase hash.
	KeyOptions []keys.Option
}

// options are those that the node's home has in common with a hospital's.
func (o NodeOptions) options(member consortium.Member) Options {
	return Options{Hospital: member.Name, Host: o.Host, Listen: o.Listen, PortOffset: o.PortOffset, Capacity: o.Capacity}
}

// CreatedNode is a new home of a storage node.
type CreatedNode struct {
	Home Home
	// Keys are the home's keys, open.
	Keys *keys.Store
	// Declaration is node.json.
	Declaration consortium.NodeDeclaration
	// Genesis is that of the network, and Member whose node it is.
	Genesis *Genesis
	Member  consortium.Member
}

// CreateNode makes a home in folder dir, which must be empty or not there, for a further storage node of a member: the keys that a node
// needs and no more, the configuration, the network's genesis, and node.json signed by every key. The home appears whole or not at
// all. Errors are those of Create, ErrWrongHash, and ErrWrongGenesis where the genesis is not valid or has no such member.
func CreateNode(dir string, o NodeOptions) (*CreatedNode, error) {
	fail := func(err error) (*CreatedNode, error) { return nil, fmt.Errorf("create home: %w", err) }
	if err := checkPorts(o.Listen, o.PortOffset); err != nil {
		return fail(err)
	}
	g, err := readAgreed(o.Genesis, o.Hash)
	if err != nil {
		return fail(err)
	}
	member, err := findMember(append(slices.Clone(g.Consortium.Members), o.Others...), o.Hospital)
	if err != nil {
		return fail(err)
	}
	var store *keys.Store
	var declaration consortium.NodeDeclaration
	h, err := appear(dir, func(h Home) (err error) {
		store, declaration, err = fillNode(h, o, g, member)
		return err
	})
	if err != nil {
		return fail(err)
	}
	h.storage = true
	return &CreatedNode{Home: h, Keys: store.At(h.Keys()), Declaration: declaration, Genesis: g, Member: member}, nil
}

// findMember is the member of that name or number.
func findMember(members []consortium.Member, text string) (consortium.Member, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	var names []string
	for _, m := range members {
		if strings.EqualFold(m.Name, text) || err == nil && m.Number == number {
			return m, nil
		}
		names = append(names, strconv.Quote(m.Name))
	}
	return consortium.Member{}, fmt.Errorf("%w: %q is none of its hospitals %s", ErrWrongGenesis, text, strings.Join(names, ", "))
}

// fillNode writes everything into the folder of a storage node's new home.
func fillNode(h Home, o NodeOptions, g *Genesis, member consortium.Member) (*keys.Store, consortium.NodeDeclaration, error) {
	fail := func(err error) (*keys.Store, consortium.NodeDeclaration, error) {
		return nil, consortium.NodeDeclaration{}, err
	}
	for _, dir := range []string{h.config(""), h.Data(), h.Blobs()} {
		if err := os.Mkdir(dir, folderMode); err != nil {
			return fail(err)
		}
	}
	options := o.options(member)
	comet, app := newNodeConfig(options)
	appText, err := app.encode()
	if err != nil {
		return fail(err)
	}
	cometconfig.WriteConfigFile(h.CometConfig(), comet)
	store, err := keys.Create(h.Keys(), o.Passphrase, o.KeyOptions...)
	if err != nil {
		return fail(err)
	}
	d := consortium.NodeDeclaration{
		NetworkId: g.ID[:], Member: member.Number, Site: o.Site, Address: multiaddr(o.Host, options.port(PortLibp2p)), Capacity: o.Capacity,
	}
	if err := declareNode(h, store, &d); err != nil {
		return fail(err)
	}
	node, err := encodeNode(d)
	if err != nil {
		return fail(err)
	}
	if o.Joining.Gateway != "" {
		if err := h.writeJoining(o.Joining); err != nil {
			return fail(err)
		}
	}
	for path, content := range map[string][]byte{h.AppConfig(): appText, h.Genesis(): g.Text, h.Node(): node} {
		if err := writeFile(path, content); err != nil {
			return fail(err)
		}
	}
	return store, d, nil
}

// declareNode makes the keys of a storage node, and has each of them sign the declaration.
func declareNode(h Home, store *keys.Store, d *consortium.NodeDeclaration) error {
	comet, libp2p, account, err := newNodeKeys(h, store)
	if err != nil {
		return err
	}
	d.CometKey, d.Libp2PKey, d.NodeKey = publicKey(comet), publicKey(libp2p), account.PublicKey()
	if err := d.Validate(); err != nil {
		return err
	}
	digest := d.Digest()
	d.CometSignature, d.Libp2PSignature, d.NodeSignature = ed25519.Sign(comet, digest), ed25519.Sign(libp2p, digest), account.Sign(digest)
	return d.Verify()
}

// newNodeConfig is what the files of a storage node's new home say: as those of a hospital's server, without a gateway, without
// snapshots, and with no more of the chain's past than is needed. The node calls the hospitals' chain nodes and nobody calls its own,
// so that its port is on loopback.
func newNodeConfig(o Options) (*cometconfig.Config, appConfig) {
	comet, app := newConfig(o)
	comet.P2P.ListenAddress = "tcp://" + loopback + ":" + o.port(PortComet)
	comet.P2P.ExternalAddress = ""
	app.Pruning, app.PruningKeepRecent, app.PruningInterval = pruning.PruningOptionCustom, strconv.Itoa(nodeStates), strconv.Itoa(nodePruning)
	app.MinRetainBlocks = nodeBlocks
	app.StateSync.SnapshotInterval = 0
	app.Phrd.GatewayListen = ""
	return comet, app
}

// newNodeKeys makes CometBFT's node key, the blob node's key and the node account.
func newNodeKeys(h Home, store *keys.Store) (comet, libp2p ed25519.PrivateKey, account *wallet.Key, err error) {
	if _, comet, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, nil, nil, err
	}
	node := p2p.NodeKey{PrivKey: cometed25519.PrivKey(comet)}
	if err := node.SaveAs(h.NodeKey()); err != nil {
		return nil, nil, nil, err
	}
	if _, libp2p, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, nil, nil, err
	}
	if err := store.Put(keys.Libp2p, libp2p.Seed()); err != nil {
		return nil, nil, nil, err
	}
	account, err = store.NewAccount(AccountNode)
	return comet, libp2p, account, err
}

// encodeNode is the text of node.json.
func encodeNode(d consortium.NodeDeclaration) ([]byte, error) {
	compact, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&consortiumv1.NodeDeclaration{
		NetworkId: d.NetworkId, Member: d.Member, Site: d.Site, CometKey: d.CometKey, Libp2PKey: d.Libp2PKey, NodeKey: d.NodeKey,
		Address: d.Address, Capacity: d.Capacity,
		CometSignature: d.CometSignature, Libp2PSignature: d.Libp2PSignature, NodeSignature: d.NodeSignature,
	})
	if err != nil {
		return nil, fmt.Errorf("encode node.json: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("encode node.json: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// ReadNode reads a node.json and checks every signature in it. The error is ErrDamaged for what is none, else that of
// consortium.NodeDeclaration.Validate and Verify.
func ReadNode(path string) (consortium.NodeDeclaration, error) {
	fail := func(err error) (consortium.NodeDeclaration, error) {
		return consortium.NodeDeclaration{}, fmt.Errorf("%s: %w", path, err)
	}
	content, err := readDeclaration(path)
	if err != nil {
		return consortium.NodeDeclaration{}, err
	}
	var read consortiumv1.NodeDeclaration
	if err := protojson.Unmarshal(content, &read); err != nil {
		return fail(fmt.Errorf("%w: not a node.json: %w", ErrDamaged, err))
	}
	d := consortium.NodeDeclaration{
		NetworkId: read.NetworkId, Member: read.Member, Site: read.Site, CometKey: read.CometKey, Libp2PKey: read.Libp2PKey,
		NodeKey: read.NodeKey, Address: read.Address, Capacity: read.Capacity,
		CometSignature: read.CometSignature, Libp2PSignature: read.Libp2PSignature, NodeSignature: read.NodeSignature,
	}
	if err := d.Validate(); err != nil {
		return fail(err)
	}
	if err := d.Verify(); err != nil {
		return fail(err)
	}
	return d, nil
}
