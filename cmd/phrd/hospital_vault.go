package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
)

// hospitalVault is what `hospital rotate-vault` says.
type hospitalVault struct {
	Hospital uint64 `json:"hospital"`
	Epoch    uint64 `json:"epoch"`
}

// rotateHospitalVault makes the next key of the hospital's vault in this home and tells the network. The key is on the disk before anything can
// be sealed to it; one that an earlier try left is used.
func rotateHospitalVault(ctx context.Context, u *user) (hospitalVault, error) {
	return rotateVaultOf(ctx, u, (*consortiumv1.Member).GetVaultEpoch, hospitalVaultKey, u.client.RotateHospitalVault)
}

// rotateEmergencyVault does the same for the hospital's emergency vault, which has no key before the first time.
func rotateEmergencyVault(ctx context.Context, u *user) (hospitalVault, error) {
	name := func(epoch uint64) string { return keys.EmergencyVaultPrefix + strconv.FormatUint(epoch, 10) }
	return rotateVaultOf(ctx, u, (*consortiumv1.Member).GetEmergencyEpoch, name, u.client.RotateEmergencyVault)
}

// rotateVaultOf makes the key of the epoch after the hospital's, keeps it by its name, and tells the network. The server opens what is sealed
// to it, so that it has to lie in the server's home, which has the vault's key.
func rotateVaultOf(
	ctx context.Context, u *user, epoch func(*consortiumv1.Member) uint64, name func(uint64) string, tell func(context.Context, uint64, lock.PublicKey) error,
) (hospitalVault, error) {
	who, err := u.client.Principal(ctx)
	if err != nil {
		return hospitalVault{}, err
	}
	m, err := u.client.Member(ctx, who.Hospital)
	if err != nil {
		return hospitalVault{}, err
	}
	v := hospitalVault{Hospital: who.Hospital, Epoch: epoch(m) + 1}
	if _, err := u.store.Get(hospitalVaultKey(m.GetVaultEpoch())); err != nil {
		return v, errors.Join(errNoVault, err)
	}
	key, err := nextVaultKey(u, name(v.Epoch))
	if err != nil {
		return v, err
	}
	return v, tell(ctx, v.Epoch, key.Public())
}

// nextVaultKey is the key of that name, which it makes and keeps unless an earlier try did.
func nextVaultKey(u *user, name string) (*lock.PrivateKey, error) {
	key, err := u.store.Hybrid(name)
	if errors.Is(err, keys.ErrNotFound) {
		if key, err = lock.GeneratePrivateKey(rand.Reader); err != nil {
			return nil, err
		}
		seed := key.Seed()
		defer clear(seed)
		err = u.store.Put(name, seed)
	}
	return key, err
}

// errNoVault says that a home does not have the vault of its hospital.
var errNoVault = errors.New("this home does not have the hospital's vault: run it in the home of the hospital's server")

// hospitalVaultKey is the name of an epoch's key in the key store.
func hospitalVaultKey(epoch uint64) string {
	return keys.HospitalVaultPrefix + strconv.FormatUint(epoch, 10)
}

func hospitalVaultCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate-vault", Short: "give your hospital's vault another key", Args: exactArgs(), Example: "  phrd hospital rotate-vault",
		Long: "Give the vault of your hospital, which opens the records that the hospital owns, another key. It is made in this home, which has the former\n" +
			"ones too, and records are locked to it from then on. Make a backup at once: what is locked to it opens with it alone.\n\n" +
			"Records that were stored before stay sealed to the former key until an officer seals them anew, `phrd vault reseal --from officer`,\n" +
			"or where somebody else may have the former key, locks them anew: `phrd vault relock --unlock …`.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				v, err := rotateHospitalVault(ctx, u)
				if err != nil {
					return err
				}
				return o.print(v, nil, [][]string{
					{"hospital", strconv.FormatUint(v.Hospital, 10)}, {"key", "epoch " + strconv.FormatUint(v.Epoch, 10)},
					{"next", "make a backup; an officer runs phrd vault reseal"},
				})
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func emergencyVaultCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "emergency-vault", Short: "give your hospital's emergency vault its first or another key", Args: exactArgs(),
		Example: "  phrd hospital emergency-vault",
		Long: "Give the emergency vault of your hospital its first key, or another one. Records of patients who agreed to it are sealed to it, inside a\n" +
			"layer that only the hospitals' shares together open; your server opens its part for a clinician of another hospital after officers of\n" +
			"yours approved an emergency. The key is made in this home, where the server has it. Make a backup at once.\n\n" +
			"Records that were sealed before stay sealed to the former key, which is kept, until their patients run `phrd emergency seal --again`.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				v, err := rotateEmergencyVault(ctx, u)
				if err != nil {
					return err
				}
				return o.print(v, nil, [][]string{
					{"hospital", strconv.FormatUint(v.Hospital, 10)}, {"key", "epoch " + strconv.FormatUint(v.Epoch, 10)}, {"next", "make a backup"},
				})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
