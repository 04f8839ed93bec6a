package home

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	cometed25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cometjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"google.golang.org/protobuf/encoding/protojson"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/consortium"
)

// Names of keys that lie beside others: new ones until the network knows them, and the node account's of former days, with which the
// server still reveals what it committed itself to.
const (
	nextLibp2p = "next/libp2p"
	nextNode   = "next/node"
	FormerNode = "former/node"
)

// nextConsensus and nextComet are the files of new keys, and nextKeys says what the network is told of all new keys.
func (h Home) nextConsensus() string { return h.config("next_priv_validator_key.json") }
func (h Home) nextComet() string     { return h.config("next_node_key.json") }
func (h Home) nextKeys() string      { return h.config("next_keys.json") }

// PrepareKeys makes new keys of a member's server beside the old ones, and returns the message that tells the network of them: the consensus
// key, CometBFT's node key, the blob node's key and the node account, each signed by itself, and by the key of the admin's next account where
// admin is not nil. Nothing of the home changes before [Home.TakeKeys]. It may be repeated, and returns the same keys then. The message has no
// sender yet.
func (h Home) PrepareKeys(store *keys.Store, network lock.Network, member uint64, admin *wallet.Key) (*consortium.MsgRotateMemberKeys, error) {
	fail := func(err error) (*consortium.MsgRotateMemberKeys, error) {
		return nil, fmt.Errorf("prepare new keys: %w", err)
	}
	made, err := h.newerKeys(store)
	if err != nil {
		return fail(err)
	}
	m := &consortium.MsgRotateMemberKeys{
		ConsensusKey: publicKey(made.consensus), CometKey: publicKey(made.comet), Libp2PKey: publicKey(made.libp2p), NodeKey: made.node.PublicKey(),
	}
	if admin != nil {
		m.AdminKey = admin.PublicKey()
	}
	digest := m.Digest(network, member)
	m.ConsensusSignature, m.CometSignature = ed25519.Sign(made.consensus, digest), ed25519.Sign(made.comet, digest)
	m.Libp2PSignature, m.NodeSignature = ed25519.Sign(made.libp2p, digest), made.node.Sign(digest)
	if admin != nil {
		m.AdminSignature = admin.Sign(digest)
	}
	if err := errors.Join(m.Validate(), m.Verify(network, member)); err != nil {
		return fail(err)
	}
	text, err := EncodeRotation(m)
	if err != nil {
		return fail(err)
	}
	// The public side comes last: with it the new keys are whole.
	if err := writeFile(h.nextKeys(), text); err != nil {
		return fail(err)
	}
	return m, nil
}

// newerKeys reads the new keys of a server, and makes those that are not there.
func (h Home) newerKeys(store *keys.Store) (made signers, err error) {
	if made.consensus, err = h.newerConsensus(); err != nil {
		return made, err
	}
	if made.comet, err = h.newerComet(); err != nil {
		return made, err
	}
	made.libp2p, err = store.Ed25519(nextLibp2p)
	if errors.Is(err, keys.ErrNotFound) {
		if _, made.libp2p, err = ed25519.GenerateKey(rand.Reader); err == nil {
			err = store.Put(nextLibp2p, made.libp2p.Seed())
		}
	}
	if err != nil {
		return made, err
	}
	if made.node, err = store.Secp256k1(nextNode); !errors.Is(err, keys.ErrNotFound) {
		return made, err
	}
	if made.node, err = wallet.NewKey(rand.Reader); err != nil {
		return made, err
	}
	return made, store.Put(nextNode, made.node.Bytes())
}

func (h Home) newerConsensus() (ed25519.PrivateKey, error) {
	key, err := readConsensusKey(h.nextConsensus())
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	private := cometed25519.PrivKey(key)
	text, err := cometjson.MarshalIndent(privval.FilePVKey{Address: private.PubKey().Address(), PubKey: private.PubKey(), PrivKey: private}, "", "  ")
	if err != nil {
		return nil, err
	}
	return key, writeFile(h.nextConsensus(), text)
}

func (h Home) newerComet() (ed25519.PrivateKey, error) {
	_, err := os.Stat(h.nextComet())
	if errors.Is(err, fs.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		text, err := cometjson.Marshal(p2p.NodeKey{PrivKey: cometed25519.PrivKey(key)})
		if err != nil {
			return nil, err
		}
		return key, writeFile(h.nextComet(), text)
	}
	if err != nil {
		return nil, err
	}
	node, err := p2p.LoadNodeKey(h.nextComet())
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", h.nextComet(), ErrDamaged, err)
	}
	key, ok := node.PrivKey.(cometed25519.PrivKey)
	if !ok {
		return nil, fmt.Errorf("%s: %w: no ed25519 key", h.nextComet(), ErrDamaged)
	}
	return ed25519.PrivateKey(key), nil
}

// readConsensusKey reads the file of a consensus key.
func readConsensusKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file privval.FilePVKey
	if err := cometjson.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	key, ok := file.PrivKey.(cometed25519.PrivKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%s: %w: no ed25519 key", path, ErrDamaged)
	}
	return ed25519.PrivateKey(key), nil
}

// ConsensusKeys are the public consensus keys that the network may know of this home: its own, and a new one where there is one.
func (h Home) ConsensusKeys() ([][]byte, error) {
	var known [][]byte
	for _, path := range []string{h.ConsensusKey(), h.nextConsensus()} {
		key, err := readConsensusKey(path)
		if errors.Is(err, fs.ErrNotExist) && path == h.nextConsensus() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("consensus key: %w", err)
		}
		known = append(known, publicKey(key))
	}
	return known, nil
}

// NextKeys returns what the network is told of the new keys of the home; nil where there are none.
func (h Home) NextKeys() (*consortium.MsgRotateMemberKeys, error) {
	m, err := ReadRotation(h.nextKeys())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return m, err
}

// TakeKeys puts the new keys in place of the old ones, which are gone then; the server must not run. The consensus key stays where consensus
// is false, and TakeKeys is to be called again. Each key is replaced whole or not at all, and a call that broke off may be repeated. What the
// validator signed last stays: the new key signs no height that the old one signed.
func (h Home) TakeKeys(store *keys.Store, consensus bool) error {
	fail := func(err error) error { return fmt.Errorf("take new keys: %w", err) }
	if err := takeKey(store, nextLibp2p, keys.Libp2p, ""); err != nil {
		return fail(err)
	}
	if err := takeKey(store, nextNode, keys.AccountPrefix+AccountNode, FormerNode); err != nil {
		return fail(err)
	}
	if err := takeFile(h.nextComet(), h.NodeKey()); err != nil {
		return fail(err)
	}
	if !consensus {
		return SyncFolder(h.config(""))
	}
	if err := takeFile(h.nextConsensus(), h.ConsensusKey()); err != nil {
		return fail(err)
	}
	if err := SyncFolder(h.config("")); err != nil {
		return fail(err)
	}
	if err := os.Remove(h.nextKeys()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	return SyncFolder(h.config(""))
}

// takeKey puts a key in the place of another one, which is kept under the name former where that is not empty.
func takeKey(store *keys.Store, next, name, former string) error {
	secret, err := store.Get(next)
	if errors.Is(err, keys.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer clear(secret)
	old, err := store.Get(name)
	if err != nil {
		return err
	}
	defer clear(old)
	if former != "" && !bytes.Equal(old, secret) {
		if err := store.Replace(former, old); err != nil {
			return err
		}
	}
	if err := store.Replace(name, secret); err != nil {
		return err
	}
	return store.Delete(next)
}

// takeFile puts a file in the place of another one, if it is there.
func takeFile(next, path string) error {
	err := os.Rename(next, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// EncodeRotation is the text of a file that tells of new keys.
func EncodeRotation(m *consortium.MsgRotateMemberKeys) ([]byte, error) {
	compact, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(Rotated(m))
	if err != nil {
		return nil, fmt.Errorf("encode new keys: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("encode new keys: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// ReadRotation reads a file that tells of new keys. The error is ErrDamaged for what is none; whether the keys have signed depends on the
// member, and is for the network to check.
func ReadRotation(path string) (*consortium.MsgRotateMemberKeys, error) {
	content, err := readDeclaration(path)
	if err != nil {
		return nil, err
	}
	var read consortiumv1.MsgRotateMemberKeys
	if err := protojson.Unmarshal(content, &read); err != nil {
		return nil, fmt.Errorf("%s: %w: not the file of new keys: %w", path, ErrDamaged, err)
	}
	m := &consortium.MsgRotateMemberKeys{
		ConsensusKey: read.ConsensusKey, CometKey: read.CometKey, Libp2PKey: read.Libp2PKey, NodeKey: read.NodeKey, AdminKey: read.AdminKey,
		ConsensusSignature: read.ConsensusSignature, CometSignature: read.CometSignature, Libp2PSignature: read.Libp2PSignature,
		NodeSignature: read.NodeSignature, AdminSignature: read.AdminSignature,
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return m, nil
}

// Rotated are new keys as the SDK sends them.
func Rotated(m *consortium.MsgRotateMemberKeys) *consortiumv1.MsgRotateMemberKeys {
	return &consortiumv1.MsgRotateMemberKeys{
		ConsensusKey: m.ConsensusKey, CometKey: m.CometKey, Libp2PKey: m.Libp2PKey, NodeKey: m.NodeKey, AdminKey: m.AdminKey,
		ConsensusSignature: m.ConsensusSignature, CometSignature: m.CometSignature, Libp2PSignature: m.Libp2PSignature,
		NodeSignature: m.NodeSignature, AdminSignature: m.AdminSignature,
	}
}
