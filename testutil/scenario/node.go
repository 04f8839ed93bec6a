package scenario

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	msgv1 "cosmossdk.io/api/cosmos/msg/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/consortium"
)

// nodeCapacity is that of a further storage node: so much more than a hospital's own server has that copies of its hospital land on it.
const nodeCapacity = 1 << 40

// StorageNode is a further storage node of a hospital, bound to the test that uses it.
type StorageNode struct {
	t      testing.TB
	of     *Hospital
	member uint64
	site   uint64
	number uint64 // 0 until it is registered

	machine *hospital // without a gateway and people
}

// NewStorageNode makes a home for a further storage node at a new site of the hospital. It is not registered yet.
func (h *Hospital) NewStorageNode(site string) *StorageNode {
	h.t.Helper()
	admin := h.Admin()
	ctx, cancel := admin.step()
	defer cancel()
	number, err := admin.client.AddSite(ctx, site, "Europe/Vienna")
	if err != nil {
		h.t.Fatalf("a site of %s: %v", h.name, err)
	}
	genesis, err := home.ReadGenesis(h.network.genesis)
	if err != nil {
		h.t.Fatalf("a storage node of %s: %v", h.name, err)
	}
	offsets, err := freePorts(1)
	if err != nil {
		h.t.Fatalf("a storage node of %s: %v", h.name, err)
	}
	made, err := home.CreateNode(filepath.Join(h.t.TempDir(), site), home.NodeOptions{
		Genesis: h.network.genesis, Hash: home.HashText(genesis.Hash), Hospital: h.name, Site: number, Host: loopback, Listen: loopback,
		PortOffset: offsets[0], Capacity: nodeCapacity, Passphrase: []byte(passphrase), KeyOptions: keyOptions,
	})
	if err != nil {
		h.t.Fatalf("a storage node of %s: %v", h.name, err)
	}
	log, err := openLog(filepath.Join(made.Home.Dir(), "phrd.log"))
	if err != nil {
		h.t.Fatalf("a storage node of %s: %v", h.name, err)
	}
	n := &StorageNode{
		t: h.t, of: h, member: h.number, site: number,
		machine: &hospital{network: h.network, name: site, number: h.number, home: made.Home, keys: made.Keys, offset: offsets[0], log: log},
	}
	n.machine.door = n.machine.newDoor()
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("the end of the log of %s:\n%s", site, log.tail())
		}
		if n.machine.server != nil {
			n.Stop()
		}
	})
	return n
}

// Site is the number of the site at which the node stands.
func (n *StorageNode) Site() uint64 { return n.site }

// Number of the node, which the chain gave it.
func (n *StorageNode) Number() uint64 { return n.number }

// Start starts the node, whether it is registered or not.
func (n *StorageNode) Start() {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	if err := n.machine.start(ctx); err != nil {
		n.t.Fatalf("start %s: %v", n.machine.name, err)
	}
}

// Stop stops the node.
func (n *StorageNode) Stop() {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	if err := n.machine.stop(ctx); err != nil {
		n.t.Fatalf("stop %s: %v", n.machine.name, err)
	}
}

// Says waits until the node's log says something.
func (n *StorageNode) Says(words string) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for {
		text, err := os.ReadFile(n.machine.log.path)
		if err == nil && strings.Contains(string(text), words) {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("the log of %s does not say %q: %v", n.machine.name, words, err)
		}
	}
}

// Register has the hospital's admin register the node as its node.json says.
func (n *StorageNode) Register() {
	n.t.Helper()
	d, err := home.ReadNode(n.machine.home.Node())
	if err != nil {
		n.t.Fatalf("node.json of %s: %v", n.machine.name, err)
	}
	admin := n.of.Admin()
	ctx, cancel := admin.step()
	defer cancel()
	if n.number, err = admin.client.RegisterStorageNode(ctx, registration(d)); err != nil {
		n.t.Fatalf("register %s: %v", n.machine.name, err)
	}
}

// Retire has the hospital's admin retire the node.
func (n *StorageNode) Retire() {
	n.t.Helper()
	admin := n.of.Admin()
	ctx, cancel := admin.step()
	defer cancel()
	if err := admin.client.RetireStorageNode(ctx, n.number); err != nil {
		n.t.Fatalf("retire %s: %v", n.machine.name, err)
	}
}

// Account acts with the node's account through the gateway of its hospital.
func (n *StorageNode) Account() Person {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	key, err := n.machine.keys.Account(home.AccountNode)
	if err != nil {
		n.t.Fatalf("account of %s: %v", n.machine.name, err)
	}
	p, err := n.of.dial(ctx, key)
	if err != nil {
		n.t.Fatalf("account of %s: %v", n.machine.name, err)
	}
	return Person{n.t, p}
}

// Peer is a machine with the keys of the node, which must be stopped meanwhile.
func (n *StorageNode) Peer() Peer {
	n.t.Helper()
	return (&Hospital{n.t, n.machine}).Peer()
}

// Serves has a peer fetch a version from the node.
func (n *StorageNode) Serves(p Peer, v Version) {
	n.t.Helper()
	if err := p.FetchFrom(&Hospital{n.t, n.machine}, v); err != nil {
		n.t.Fatalf("fetch %s from %s: %v", v.Name, n.machine.name, err)
	}
}

// Becomes waits until the chain shows the node with a status.
func (n *StorageNode) Becomes(want storagev1.NodeStatus) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for {
		nodes := n.of.Health().GetNodes()
		if got := nodes[n.number-1]; got.GetStatus() == want {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%s is %v, not %s", n.machine.name, nodes[n.number-1], want)
		}
	}
}

// Holds waits until the chain counts a copy of a version as held by the node.
func (n *StorageNode) Holds(v Version) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for {
		if slices.ContainsFunc(n.of.copies(v), func(c *storagev1.Copy) bool {
			return c.GetNode() == n.number && c.GetStatus() == storagev1.CopyStatus_COPY_STATUS_HELD
		}) {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%s does not hold %s: %v", n.machine.name, v.Name, n.of.copies(v))
		}
	}
}

// IsToHold tells whether a copy of a version is placed on the node.
func (n *StorageNode) IsToHold(v Version) bool {
	n.t.Helper()
	return slices.ContainsFunc(n.of.copies(v), func(c *storagev1.Copy) bool { return c.GetNode() == n.number })
}

// Proves waits until the node has proven what it holds in an epoch.
func (n *StorageNode) Proves() {
	n.t.Helper()
	account := n.Account()
	ctx, cancel := account.step()
	defer cancel()
	query := storagev1.NewQueryClient(account.client)
	for {
		asked, err := query.Challenges(ctx, &storagev1.QueryChallengesRequest{Node: n.number})
		if err != nil {
			n.t.Fatalf("challenges of %s: %v", n.machine.name, err)
		}
		if proofs := asked.GetProofs(); len(proofs) == 1 && proofs[0].GetGiven() {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%s proves nothing: %v", n.machine.name, asked)
		}
	}
}

// copies are those of a version, by node.
func (h *Hospital) copies(v Version) []*storagev1.Copy {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	query := storagev1.NewQueryClient(h.Clerk().client)
	object, err := past(ctx, func() (*storagev1.QueryObjectResponse, error) {
		return query.Object(ctx, &storagev1.QueryObjectRequest{Cid: v.Object.String()})
	}, phr.ErrNotFound)
	if err != nil {
		h.t.Fatalf("object of %s: %v", v.Name, err)
	}
	return object.GetCopies()
}

// Validators is how many validators the chain has.
func (n *Network) Validators() int {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	client, err := n.hospitals[0].rpc()
	if err != nil {
		n.t.Fatalf("validators: %v", err)
	}
	set, err := client.Validators(ctx, nil, nil, nil)
	if err != nil {
		n.t.Fatalf("validators: %v", err)
	}
	return set.Total
}

// registration is what an admin sends of a node's declaration.
func registration(d consortium.NodeDeclaration) *consortiumv1.MsgRegisterStorageNode {
	n := d.StorageNode()
	return &consortiumv1.MsgRegisterStorageNode{
		Site: n.Site, Account: n.Account, PeerId: n.PeerId, Address: n.Address, Capacity: n.Capacity, CometKey: d.CometKey, NodeKey: d.NodeKey,
		CometSignature: d.CometSignature, Libp2PSignature: d.Libp2PSignature, NodeSignature: d.NodeSignature,
	}
}

// Registration is what an admin of the hospital sends to register a machine as a storage node: a peer with an account, which sign it.
func (h *Hospital) Registration(site uint64, peer Peer, account Person) *consortiumv1.MsgRegisterStorageNode {
	h.t.Helper()
	public := func(key ed25519.PrivateKey) []byte { return key[ed25519.SeedSize:] }
	d := consortium.NodeDeclaration{
		NetworkId: h.network.id[:], Member: h.number, Site: site, CometKey: public(peer.comet), Libp2PKey: public(peer.libp2p),
		NodeKey: account.key.PublicKey(), Address: "/ip4/127.0.0.1/tcp/4999", Capacity: 1 << 30,
	}
	digest := d.Digest()
	d.CometSignature, d.Libp2PSignature, d.NodeSignature = ed25519.Sign(peer.comet, digest), ed25519.Sign(peer.libp2p, digest), account.key.Sign(digest)
	m := registration(d)
	m.Admin = h.Admin().Address()
	return m
}

// Blank is a message of the network's by its name, with nothing in it but its signer.
func Blank(t testing.TB, name, signer string) proto.Message {
	t.Helper()
	found, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		t.Fatalf("message %s: %v", name, err)
	}
	m := found.New()
	fields, ok := proto.GetExtension(found.Descriptor().Options(), msgv1.E_Signer).([]string)
	if !ok || len(fields) != 1 {
		t.Fatalf("message %s: its signers are %q", name, fields)
	}
	m.Set(found.Descriptor().Fields().ByName(protoreflect.Name(fields[0])), protoreflect.ValueOfString(signer))
	return m.Interface()
}
