package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// Names and beginnings of names of the keys that programs look for.
const (
	AccountPrefix       = "account/"
	SessionPrefix       = "session/"
	SharePrefix         = "share/"
	RoundPrefix         = "round/"
	HospitalVaultPrefix = "vault/hospital/"
	// EmergencyVaultPrefix is for what opens patients' emergency boxes; the hospital's ordinary vault does not.
	EmergencyVaultPrefix = "vault/emergency/"
	StaffVaultPrefix     = "vault/staff/"
	PatientVault         = "vault/patient"
	// PepperPrefix is for peppers of patients' wallet slots that a hospital's gateway keeps.
	PepperPrefix = "pepper/"
	Libp2p       = "libp2p"
)

// NewAccount draws an account key and keeps it as account/<name>. Errors are those of Put.
func (s *Store) NewAccount(name string) (*wallet.Key, error) {
	key, err := wallet.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, s.Put(AccountPrefix+name, key.Bytes())
}

// Account returns the account key account/<name>. Errors are those of Get.
func (s *Store) Account(name string) (*wallet.Key, error) {
	return s.Secp256k1(AccountPrefix + name)
}

// Secp256k1 returns the account key that is kept under name. Errors are those of Get.
func (s *Store) Secp256k1(name string) (*wallet.Key, error) {
	secret, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	key, err := wallet.KeyFromBytes(secret)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w: %w", name, ErrDamaged, err)
	}
	return key, nil
}

// Accounts lists the names of the account keys, sorted.
func (s *Store) Accounts() ([]string, error) {
	names, err := s.Names(AccountPrefix)
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], AccountPrefix)
	}
	return names, err
}

// Ed25519 returns the key whose 32-byte seed is kept under name. Errors are those of Get.
func (s *Store) Ed25519(name string) (ed25519.PrivateKey, error) {
	seed, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("key %q: %w: %d bytes, not %d", name, ErrDamaged, len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Hybrid returns the X-Wing key whose 32-byte seed is kept under name. Errors are those of Get.
func (s *Store) Hybrid(name string) (*lock.PrivateKey, error) {
	seed, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	key, err := lock.NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w: %w", name, ErrDamaged, err)
	}
	return key, nil
}

// exportKind is the type of the PEM block of an exported key.
const exportKind = "PHRD ACCOUNT KEY"

// ExportAccount is the key account/<name> for another store: PEM of an age file under a passphrase of its own. Errors are those of
// Get, and ErrPassphrase for a passphrase that is too short.
func (s *Store) ExportAccount(name string, passphrase []byte, options ...Option) ([]byte, error) {
	key, err := s.Account(name)
	if err != nil {
		return nil, err
	}
	sealed, err := sealUnder(key.Bytes(), passphrase, options)
	if err != nil {
		return nil, fmt.Errorf("export key %q: %w", name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: exportKind, Headers: map[string]string{"Address": key.Address()}, Bytes: sealed}), nil
}

// ImportAccount keeps an exported key as account/<name>. Errors are ErrDamaged for what is no exported key, ErrPassphrase for
// another passphrase, and those of Put.
func (s *Store) ImportAccount(name string, exported, passphrase []byte) (*wallet.Key, error) {
	block, rest := pem.Decode(exported)
	if block == nil || block.Type != exportKind || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("import key %q: %w: not an exported key", name, ErrDamaged)
	}
	secret, err := unsealUnder(block.Bytes, passphrase)
	if err != nil {
		return nil, fmt.Errorf("import key %q: %w", name, err)
	}
	key, err := wallet.KeyFromBytes(secret)
	if err != nil || block.Headers["Address"] != key.Address() {
		return nil, fmt.Errorf("import key %q: %w: not the key of its address", name, ErrDamaged)
	}
	return key, s.Put(AccountPrefix+name, secret)
}

// HospitalVault returns the key of an epoch of the hospital's vault, from 1. Errors are those of Get.
func (s *Store) HospitalVault(epoch uint64) (*lock.PrivateKey, error) {
	return s.vaultKey(HospitalVaultPrefix, epoch)
}

// EmergencyVault returns the key of an epoch of the hospital's emergency vault, from 1. Errors are those of Get.
func (s *Store) EmergencyVault(epoch uint64) (*lock.PrivateKey, error) {
	return s.vaultKey(EmergencyVaultPrefix, epoch)
}

func (s *Store) vaultKey(prefix string, epoch uint64) (*lock.PrivateKey, error) {
	name := fmt.Sprintf("%s%d", prefix, epoch)
	seed, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	key, err := lock.NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w: %w", name, ErrDamaged, err)
	}
	return key, nil
}
