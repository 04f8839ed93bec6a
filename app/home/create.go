package home

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	cometconfig "github.com/cometbft/cometbft/config"
	cometed25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/privval"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
)

// Names of the accounts of a new home.
const (
	AccountNode  = "node"
	AccountAdmin = "admin"
)

// firstVault is the name of the first of the vault keys, which change with time.
const firstVault = keys.HospitalVaultPrefix + "1"

// Options say what a new home is to be.
type Options struct {
	// Hospital is the hospital's name, Site its first site, TimeZone that site's IANA time zone.
	Hospital, Site, TimeZone string
	// Host is the name or address at which other hospitals and people reach the server.
	Host string
	// Listen is the address to listen on.
	Listen string
	// PortOffset is added to every port, so that several homes fit on one machine.
	PortOffset int
	// Capacity is how many bytes of blobs the server stores at most.
	Capacity uint64
	// Fast makes blocks follow each other as fast as one machine can, for demonstrations and tests.
	Fast bool
	// Passphrase encrypts the keys.
	Passphrase []byte
	// KeyOptions change how the key store is created; tests lower the work of its passphrase hash.
	KeyOptions []keys.Option
}

func (o Options) validate() error {
	if err := checkPorts(o.Listen, o.PortOffset); err != nil {
		return err
	}
	if _, err := time.LoadLocation(o.TimeZone); err != nil || o.TimeZone == "" || o.TimeZone == "Local" {
		return fmt.Errorf("time zone: %q is no IANA name such as Europe/Vienna", o.TimeZone)
	}
	return nil
}

func checkPorts(listen string, offset int) error {
	if ip := net.ParseIP(listen); ip == nil {
		return fmt.Errorf("listen: %q is no IP address", listen)
	}
	if offset < 0 || offset > 60000-PortComet {
		return fmt.Errorf("port offset %d, 0 to %d", offset, 60000-PortComet)
	}
	return nil
}

// Created is a new home.
type Created struct {
	Home Home
	// Keys are the home's keys, open.
	Keys *keys.Store
	// Declaration is what member.json says of the hospital.
	Declaration consortium.Declaration
}

// Create makes a home in folder dir, which must be empty or not there: all keys, the configuration, and member.json signed by
// every key. The home appears whole or not at all. Errors are ErrExists, keys.ErrPassphrase for a passphrase that is too short,
// and consortium.ErrInvalidDeclaration.
func Create(dir string, o Options) (*Created, error) {
	fail := func(err error) (*Created, error) { return nil, fmt.Errorf("create home: %w", err) }
	if err := o.validate(); err != nil {
		return fail(err)
	}
	var store *keys.Store
	var declaration consortium.Declaration
	h, err := appear(dir, func(h Home) (err error) {
		store, declaration, err = fill(h, o)
		return err
	})
	if err != nil {
		return fail(err)
	}
	return &Created{Home: h, Keys: store.At(h.Keys()), Declaration: declaration}, nil
}

// appear has a home filled in a folder of another name and makes it dir when it is whole. Else nothing is left. dir must be empty or not
// there; one that is there stays the folder that it is, for it may be a mount, or belong to somebody who may not write beside it. The error
// is ErrExists where there is something in dir.
func appear(dir string, fill func(Home) error) (Home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Home{}, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case len(entries) > 0:
		return Home{}, fmt.Errorf("%s: %w", dir, ErrExists)
	case err == nil:
		return Home{dir: dir}, appearIn(dir, fill)
	case !errors.Is(err, fs.ErrNotExist):
		return Home{}, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), folderMode); err != nil {
		return Home{}, err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), ".partial-"+filepath.Base(dir)+"-") // created 0700
	if err != nil {
		return Home{}, err
	}
	if err = fill(Home{dir: made}); err == nil {
		err = os.Rename(made, dir)
	}
	if err != nil {
		return Home{}, errors.Join(err, os.RemoveAll(made))
	}
	return Home{dir: dir}, SyncFolder(filepath.Dir(dir))
}

// appearIn does that in an empty folder.
func appearIn(dir string, fill func(Home) error) error {
	if err := os.Chmod(dir, folderMode); err != nil {
		return err
	}
	made, err := os.MkdirTemp(dir, ".partial-") // created 0700
	if err != nil {
		return err
	}
	if err = fill(Home{dir: made}); err == nil {
		err = moveUp(made, dir)
	}
	if err != nil {
		return errors.Join(err, removeAllIn(dir))
	}
	return SyncFolder(dir)
}

// moveUp moves what is in a folder into the one above it. The configuration comes last: without it a folder is no home.
func moveUp(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	config := filepath.Base(Home{}.config(""))
	for _, e := range entries {
		if e.Name() == config {
			continue
		}
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(from, config), filepath.Join(to, config)); err != nil {
		return err
	}
	return os.Remove(from)
}

func removeAllIn(dir string) error {
	entries, err := os.ReadDir(dir)
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

// fill writes everything into the folder of a new home.
func fill(h Home, o Options) (*keys.Store, consortium.Declaration, error) {
	fail := func(err error) (*keys.Store, consortium.Declaration, error) {
		return nil, consortium.Declaration{}, err
	}
	for _, dir := range []string{h.config(""), h.Data(), h.Blobs(), h.Index(), h.Gateway()} {
		if err := os.Mkdir(dir, folderMode); err != nil {
			return fail(err)
		}
	}
	certificate, key, fingerprint, err := newCertificate(o.Hospital, certificateHosts(o), time.Now())
	if err != nil {
		return fail(err)
	}
	comet, app := newConfig(o)
	appText, err := app.encode()
	if err != nil {
		return fail(err)
	}
	cometconfig.WriteConfigFile(h.CometConfig(), comet)
	for path, content := range map[string][]byte{
		h.AppConfig(): appText, h.GatewayCertificate(): certificate, h.GatewayKey(): key,
	} {
		if err := writeFile(path, content); err != nil {
			return fail(err)
		}
	}
	store, err := keys.Create(h.Keys(), o.Passphrase, o.KeyOptions...)
	if err != nil {
		return fail(err)
	}
	made, err := newKeys(h, store)
	if err != nil {
		return fail(err)
	}
	declaration := consortium.Declaration{
		Name: o.Hospital, Site: o.Site, TimeZone: o.TimeZone,
		ConsensusKey: publicKey(made.consensus), CometKey: publicKey(made.comet), CometAddress: comet.P2P.ExternalAddress,
		Libp2PKey: publicKey(made.libp2p), Libp2PAddress: multiaddr(o.Host, o.port(PortLibp2p)),
		NodeKey: made.node.PublicKey(), AdminKey: made.admin.PublicKey(),
		VaultKey: made.vault.Bytes(), RoundKey: made.round.Bytes(),
		GatewayUrl: "https://" + net.JoinHostPort(o.Host, o.port(PortGateway)), GatewayFingerprint: fingerprint,
		Capacity: o.Capacity,
	}
	signed, err := made.sign(declaration)
	if err != nil {
		return fail(err)
	}
	member, err := encodeMember(signed)
	if err != nil {
		return fail(err)
	}
	return store, declaration, writeFile(h.Member(), member)
}

// madeKeys are the keys of a new home.
type madeKeys struct {
	signers
	vault, round lock.PublicKey
}

// newKeys makes every key of a new home.
func newKeys(h Home, store *keys.Store) (made madeKeys, err error) {
	validator := privval.GenFilePV(h.ConsensusKey(), h.ConsensusState())
	consensus, ok := validator.Key.PrivKey.(cometed25519.PrivKey)
	if !ok {
		return made, fmt.Errorf("consensus key is of type %s", validator.Key.PrivKey.Type())
	}
	validator.Save()
	made.consensus = ed25519.PrivateKey(consensus)
	if made.comet, made.libp2p, made.node, err = newNodeKeys(h, store); err != nil {
		return made, err
	}
	if made.admin, err = store.NewAccount(AccountAdmin); err != nil {
		return made, err
	}
	if made.vault, err = newHybrid(store, firstVault); err != nil {
		return made, err
	}
	made.round, err = newHybrid(store, keys.FirstRound.SecretName(keys.RoundKey))
	return made, err
}

// newHybrid draws an X-Wing key and keeps its seed.
func newHybrid(store *keys.Store, name string) (lock.PublicKey, error) {
	key, err := lock.GeneratePrivateKey(rand.Reader)
	if err != nil {
		return lock.PublicKey{}, err
	}
	return key.Public(), store.Put(name, key.Seed())
}

func publicKey(key ed25519.PrivateKey) []byte {
	return append([]byte(nil), key[ed25519.PrivateKeySize-ed25519.PublicKeySize:]...)
}

// certificateHosts are the names that the gateway's certificate speaks for.
func certificateHosts(o Options) []string {
	hosts := []string{o.Host}
	for _, local := range []string{"localhost", loopback} {
		if local != o.Host {
			hosts = append(hosts, local)
		}
	}
	return hosts
}

// Door is client.json: the gateway that commands talk to, and how to know it. It is public.
type Door struct {
	Gateway     string `json:"gateway"`
	Fingerprint string `json:"fingerprint"`
	ChainID     string `json:"chain_id"`
	NetworkID   string `json:"network_id"`
}

// WriteDoor writes client.json into folder dir.
func WriteDoor(dir string, d Door) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write client.json: %w", err)
	}
	if err := writeFile(Home{dir: dir}.Client(), append(text, '\n')); err != nil {
		return fmt.Errorf("write client.json: %w", err)
	}
	return nil
}

// NewDoor is the door to a gateway of a network.
func NewDoor(gateway string, fingerprint []byte, chainID string, networkID []byte) Door {
	return Door{Gateway: gateway, Fingerprint: hex.EncodeToString(fingerprint), ChainID: chainID, NetworkID: hex.EncodeToString(networkID)}
}
