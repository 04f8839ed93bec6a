// Package home makes and reads the folder of one hospital's server, or of a further storage node of a hospital.
//
//	config/config.toml              CometBFT
//	config/app.toml                 the chain's application, and the section [phrd] of what runs around it
//	config/genesis.json             the network's first state, once it is accepted
//	config/join.json                how a hospital found the network that it joined
//	config/node_key.json            CometBFT node key
//	config/priv_validator_key.json  consensus key
//	config/next_*.json              new keys, until the network knows them
//	config/gateway.crt, .key        TLS certificate of the gateway, self-signed unless replaced
//	data/                           the chain's data
//	blobs/                          encrypted blobs
//	index/                          index of the audit log
//	gateway/                        unfinished uploads, journal of reads
//	keys/                           all other secret keys, encrypted under the passphrase
//	member.json                     what the hospital declares of itself, signed
//	client.json                     the gateway that commands of this home talk to
//
// The home of a further storage node ([CreateNode]) has node.json in place of member.json, and neither a consensus key nor what belongs to
// a gateway and the index.
//
// A network begins when hospitals have each made a home ([Create]), exchanged their member.json, made one genesis of them
// ([Assemble]) and each accepted it ([Home.Accept]). Others join later ([Home.Join]).
package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
)

var (
	// ErrNoHome says that a folder is not the home of a hospital's server.
	ErrNoHome = errors.New("not the home of a hospital")
	// ErrExists says that there is something in the folder already.
	ErrExists = errors.New("exists already")
	// ErrLoose says that others may read a secret file.
	ErrLoose = errors.New("permissions are too loose")
	// ErrNoGenesis says that the home belongs to no network yet.
	ErrNoGenesis = errors.New("no network accepted yet")
	// ErrWrongHash says that a genesis is not the one that was agreed on.
	ErrWrongHash = errors.New("genesis has another hash")
	// ErrWrongGenesis says that a genesis is not a valid one, or not one of this home.
	ErrWrongGenesis = errors.New("genesis does not fit")
	// ErrWrongShare says that a share is not for this home or does not fit the genesis.
	ErrWrongShare = errors.New("share does not fit")
	// ErrDamaged says that a file does not hold what it should.
	ErrDamaged = errors.New("file is damaged")
)

// Home is the folder of a hospital's server or of a storage node.
type Home struct {
	dir     string
	storage bool
}

// Open returns the home in folder dir. Errors are ErrNoHome, and ErrLoose where others may read a secret in it.
func Open(dir string) (Home, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return Home{}, fmt.Errorf("open home: %w", err)
	}
	h := Home{dir: absolute}
	for _, path := range []string{h.CometConfig(), h.AppConfig()} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return Home{}, fmt.Errorf("%s: %w: %s is missing", absolute, ErrNoHome, path)
		} else if err != nil {
			return Home{}, fmt.Errorf("open home: %w", err)
		}
	}
	if h.storage, err = h.isNode(); err != nil {
		return Home{}, fmt.Errorf("open home: %w", err)
	}
	return h, h.checkSecrets()
}

// isNode tells by its declaration whether the home is that of a further storage node. A hospital's own server has a member.json
// whatever lies beside it.
func (h Home) isNode() (bool, error) {
	for _, path := range []string{h.Member(), h.Node()} {
		if _, err := os.Stat(path); err == nil {
			return path == h.Node(), nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// checkSecrets looks at the secret files that are not in the key store, which looks at its own.
func (h Home) checkSecrets() error {
	secrets := []string{h.NodeKey(), h.ConsensusKey(), h.GatewayKey()}
	if h.storage {
		secrets = secrets[:1]
	}
	for _, path := range secrets {
		stat, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w: %s is missing", h.dir, ErrNoHome, path)
		}
		if err != nil {
			return fmt.Errorf("open home: %w", err)
		}
		if got := stat.Mode().Perm(); got&^fileMode != 0 {
			return fmt.Errorf("%s: %w: %04o, at most %04o", path, ErrLoose, got, fs.FileMode(fileMode))
		}
	}
	return nil
}

// StorageOnly tells whether the home is that of a further storage node.
func (h Home) StorageOnly() bool { return h.storage }

// Dir is the folder's absolute path.
func (h Home) Dir() string { return h.dir }

// Keys is the folder of the key store.
func (h Home) Keys() string { return filepath.Join(h.dir, "keys") }

// Data is the folder of the chain's data.
func (h Home) Data() string { return filepath.Join(h.dir, "data") }

// Blobs is the folder of the pack store.
func (h Home) Blobs() string { return filepath.Join(h.dir, "blobs") }

// Cache is the folder of what was fetched to be read once; a server empties it when it starts.
func (h Home) Cache() string { return filepath.Join(h.dir, "cache") }

// Index is the folder of the audit index.
func (h Home) Index() string { return filepath.Join(h.dir, "index") }

// Gateway is the folder of the gateway's state.
func (h Home) Gateway() string { return filepath.Join(h.dir, "gateway") }

// Genesis is the network's first state.
func (h Home) Genesis() string { return h.config("genesis.json") }

// CometConfig is config.toml.
func (h Home) CometConfig() string { return h.config("config.toml") }

// AppConfig is app.toml.
func (h Home) AppConfig() string { return h.config("app.toml") }

// NodeKey is CometBFT's node key.
func (h Home) NodeKey() string { return h.config("node_key.json") }

// ConsensusKey is the validator's key.
func (h Home) ConsensusKey() string { return h.config("priv_validator_key.json") }

// ConsensusState is what the validator signed last.
func (h Home) ConsensusState() string { return filepath.Join(h.Data(), "priv_validator_state.json") }

// GatewayCertificate is the gateway's TLS certificate.
func (h Home) GatewayCertificate() string { return h.config("gateway.crt") }

// GatewayKey is the key of the gateway's TLS certificate.
func (h Home) GatewayKey() string { return h.config("gateway.key") }

// Member is member.json.
func (h Home) Member() string { return filepath.Join(h.dir, "member.json") }

// Node is node.json of a further storage node.
func (h Home) Node() string { return filepath.Join(h.dir, "node.json") }

// Client is client.json.
func (h Home) Client() string { return filepath.Join(h.dir, "client.json") }

func (h Home) config(name string) string { return filepath.Join(h.dir, "config", name) }

// writeFile makes a file durable under its name, never a part of it.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".partial-*") // created 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
