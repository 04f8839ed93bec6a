package phr

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

const (
	// invitationPrefix starts the text of every invitation.
	invitationPrefix = "phrd1"
	// invitationVersion is that of its encoding.
	invitationVersion = 1
	// invitationDoors is how many gateways an invitation names: the inviting hospital's and one to check it against.
	invitationDoors = 2
	checksumSize    = 4
	// maxInvitation bounds the length of an invitation's text.
	maxInvitation = 4096
)

// Invitation lets one person open an account at any gateway of the network. Its seed is the secret that makes it valid:
// whoever has the text can use it, once. It also brings what a program needs to know the network by.
type Invitation struct {
	// Seed of the one-time ed25519 key whose public half stands on the chain.
	Seed [ed25519.SeedSize]byte
	// ChainID and Network that it is for.
	ChainID string
	Network lock.Network
	// Expires is when it ends, in block time.
	Expires time.Time
	// Doors are the inviting hospital's gateway and another one.
	Doors []Door
}

// String is the invitation as one line: what a QR code or a letter carries. It is secret until it is used.
func (i Invitation) String() string {
	b := append([]byte{invitationVersion}, i.Seed[:]...)
	b = append(b, i.Network[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(i.Expires.Unix()))
	b = appendText(b, i.ChainID)
	for _, d := range i.Doors {
		pin, _ := hex.DecodeString(d.Fingerprint) // what is no fingerprint is none, and the reader then asks the system's roots
		b = appendText(appendText(b, d.Gateway), string(pin))
	}
	sum := sha256.Sum256(b)
	return invitationPrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:checksumSize]...))
}

// appendText appends a text of at most 255 bytes and its length.
func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), math.MaxUint8)]
	return append(append(b, byte(len(text))), text...)
}

// cutText takes such a text off the beginning.
func cutText(b []byte) (text string, rest []byte, err error) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, fmt.Errorf("it ends too early: %w", ErrInvitation)
	}
	return string(b[1 : 1+int(b[0])]), b[1+int(b[0]):], nil
}

// ParseInvitation reads the text of an invitation; the error is ErrInvitation. It says nothing about whether the
// invitation is still good.
func ParseInvitation(text string) (Invitation, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), invitationPrefix)
	if !ok || len(encoded) > maxInvitation {
		return Invitation{}, fmt.Errorf("it does not start with %q, or is too long: %w", invitationPrefix, ErrInvitation)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) < checksumSize {
		return Invitation{}, fmt.Errorf("a character is missing or wrong: %w", ErrInvitation)
	}
	b, checksum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	if sum := sha256.Sum256(b); !bytes.Equal(sum[:checksumSize], checksum) {
		return Invitation{}, fmt.Errorf("a character is missing or wrong: %w", ErrInvitation)
	}
	var i Invitation
	fixed := 1 + len(i.Seed) + len(i.Network) + 8
	if len(b) < fixed || b[0] != invitationVersion {
		return Invitation{}, fmt.Errorf("it is of another version of the program: %w", ErrInvitation)
	}
	i.Seed = [ed25519.SeedSize]byte(b[1:])
	i.Network = lock.Network(b[1+len(i.Seed):])
	i.Expires = time.Unix(int64(binary.BigEndian.Uint64(b[fixed-8:])), 0)
	if i.ChainID, b, err = cutText(b[fixed:]); err != nil {
		return Invitation{}, err
	}
	for len(b) > 0 {
		var d Door
		var pin string
		if d.Gateway, b, err = cutText(b); err != nil {
			return Invitation{}, err
		}
		if pin, b, err = cutText(b); err != nil {
			return Invitation{}, err
		}
		if _, err := hostOf(d.Gateway); err != nil {
			return Invitation{}, fmt.Errorf("%w: %w", err, ErrInvitation)
		}
		d.Fingerprint = hex.EncodeToString([]byte(pin))
		i.Doors = append(i.Doors, d)
	}
	if i.ChainID == "" || len(i.Doors) == 0 {
		return Invitation{}, fmt.Errorf("it names no network: %w", ErrInvitation)
	}
	return i, nil
}

// Key is the invitation's public key, by which the chain knows it.
func (i Invitation) Key() ed25519.PublicKey {
	key, _ := ed25519.NewKeyFromSeed(i.Seed[:]).Public().(ed25519.PublicKey)
	return key
}

// Config is what reaches the network that the invitation is for.
func (i Invitation) Config(key Wallet) Config {
	return Config{
		Gateway: i.Doors[0].Gateway, Fingerprint: i.Doors[0].Fingerprint, Others: i.Doors[1:],
		ChainID: i.ChainID, Network: i.Network, Key: key,
	}
}

// Invite lets one person become a patient within the lifetime. The account is an admin or a clerk.
func (c *Client) Invite(ctx context.Context, lifetime time.Duration) (Invitation, error) {
	i := Invitation{ChainID: c.chainID, Network: c.network}
	if _, err := rand.Read(i.Seed[:]); err != nil {
		return Invitation{}, fmt.Errorf("draw invitation: %w", err)
	}
	now, err := c.blockTime(ctx)
	if err != nil {
		return Invitation{}, err
	}
	i.Expires = now.Add(lifetime).Truncate(time.Second)
	doors, err := c.Doors(ctx)
	if err != nil {
		return Invitation{}, err
	}
	i.Doors = doors[:min(len(doors), invitationDoors)]
	msg := &consortiumv1.MsgCreateInvitation{
		Inviter: c.key.Address(), Key: i.Key(), Role: consortiumv1.Role_ROLE_PATIENT, ExpiresAt: i.Expires.Unix(),
	}
	_, err = c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgCreateInvitationResponse{})
	return i, err
}

// RevokeInvitation ends an invitation that was not used, named by its public key.
func (c *Client) RevokeInvitation(ctx context.Context, key ed25519.PublicKey) error {
	msg := &consortiumv1.MsgRevokeInvitation{Inviter: c.key.Address(), Key: key}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRevokeInvitationResponse{})
	return err
}

// OpenAccount opens the account of the client's key with an invitation, which is used up by it. It needs no login. The
// error is *Refused where the invitation is unknown, used, revoked or expired.
func (c *Client) OpenAccount(ctx context.Context, i Invitation) error {
	if i.Network != c.network || i.ChainID != c.chainID {
		return fmt.Errorf("the invitation is for chain %q: %w", i.ChainID, ErrNetwork)
	}
	address, err := wallet.ParseAddress(c.key.Address())
	if err != nil {
		return err
	}
	digest := lock.H("phrd/v1/open-account", c.network[:], i.Key(), address)
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(i.Seed[:]), digest[:])
	var answer struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
		Height  int64  `json:"height"`
	}
	err = c.try(ctx, func(ctx context.Context, d *door) error {
		return d.call(ctx, http.MethodPost, "/accounts", map[string]any{
			"invitation": hex.EncodeToString(i.Key()), "address": c.key.Address(), "signature": signature,
		}, &answer)
	})
	if err != nil {
		return err
	}
	if answer.Outcome != auditv1.Outcome_OUTCOME_OK.String() {
		return &Refused{Message: "phrd.consortium.v1.MsgOpenAccount", Reason: answer.Reason}
	}
	c.saw(answer.Height)
	return nil
}

// HasAccount tells whether the network knows the account of the client's key.
func (c *Client) HasAccount(ctx context.Context) (bool, error) {
	_, err := c.account(ctx)
	if errors.Is(err, ErrNoAccount) {
		return false, nil
	}
	return err == nil, err
}

// blockTime is the time by which the chain measures expiries.
func (c *Client) blockTime(ctx context.Context) (time.Time, error) {
	chain, err := c.Chain(ctx)
	return chain.BlockTime, err
}
