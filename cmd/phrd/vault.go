package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

func vaultCommand() *cobra.Command {
	return group("vault", "the vault that opens your records: show it, change its key, seal and lock records anew",
		vaultShowCommand(), vaultRotateCommand(), vaultResealCommand(), vaultRelockCommand(), vaultPepperCommand())
}

// nextVaultPath is where a patient's home has a vault that is on its way to the network.
func nextVaultPath(home string) string { return vaultPath(home) + ".next" }

// vaultFile is the vault.json of a patient's home. Where `vault rotate` was cut short, it asks the network which of both vaults it has,
// and puts that one in place; and its guardians are made known where they are not yet.
func (u *user) vaultFile(ctx context.Context) (phr.VaultFile, error) {
	file, err := u.settledVault(ctx)
	if err != nil || file.Address != u.client.Address() {
		return file, err
	}
	_, err = u.client.SetGuardians(ctx, file)
	return file, err
}

// settledVault is the one of the home's vaults that the network has, in its place.
func (u *user) settledVault(ctx context.Context) (phr.VaultFile, error) {
	file, err := readVault(u.home)
	if err != nil {
		return file, err
	}
	next, err := readVaultAt(nextVaultPath(u.home))
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err != nil {
		return file, err
	}
	if file, err = u.client.SettleVault(ctx, file, next); err != nil {
		return file, err
	}
	if file.Revision == next.Revision {
		return file, os.Rename(nextVaultPath(u.home), vaultPath(u.home))
	}
	return file, os.Remove(nextVaultPath(u.home))
}

// vaultView is what `vault show` says.
type vaultView struct {
	Vault    string   `json:"vault,omitempty"` // of a patient
	Epoch    uint64   `json:"epoch"`           // of the newest key
	Revision uint64   `json:"revision,omitempty"`
	Slots    []string `json:"slots,omitempty"` // what opens it
	// Generation is the newest of the network's key.
	Generation uint64 `json:"generation"`
	// Epochs and Generations count the versions by what they are sealed to, and by what locks them.
	Epochs      map[uint64]int `json:"epochs"`
	Generations map[uint64]int `json:"generations"`
	// Reseal and Relock count those that are not under the newest, Waiting those whose new lock waits for its confirmation.
	Reseal  int `json:"reseal"`
	Relock  int `json:"relock"`
	Waiting int `json:"waiting"`
	// Shut counts those that the vault opens no more, since it was begun anew: no command does anything for them.
	Shut int `json:"shut"`
}

// viewVault counts what the account owns.
func viewVault(ctx context.Context, u *user) (vaultView, error) {
	v := vaultView{Epochs: map[uint64]int{}, Generations: map[uint64]int{}}
	vault, err := u.vault(ctx)
	if err != nil {
		return v, err
	}
	v.Epoch = vault.Epoch()
	if vault.Epochs() != nil { // a patient's
		file, err := readVault(u.home)
		if err != nil {
			return v, err
		}
		v.Vault, v.Revision = file.Vault, file.Revision
		for _, s := range file.Slots {
			v.Slots = append(v.Slots, s.Kind)
		}
	}
	if v.Generation, err = newestGeneration(ctx, u.client); err != nil {
		return v, err
	}
	for s, err := range u.client.Sealings(ctx) {
		if err != nil {
			return v, err
		}
		opens, err := vault.Has(s.Epoch)
		if err != nil {
			return v, err
		}
		if !opens {
			v.Shut++
			continue
		}
		v.Epochs[s.Epoch]++
		v.Generations[s.Generation]++
		if s.Epoch != v.Epoch {
			v.Reseal++
		}
		if s.Generation != v.Generation {
			v.Relock++
		}
		if s.Relocking {
			v.Waiting++
		}
	}
	return v, nil
}

func (v vaultView) rows() [][]string {
	var rows [][]string
	if v.Vault != "" {
		rows = [][]string{{"vault", fmt.Sprintf("%s, revision %d", v.Vault, v.Revision)}, {"opened by", strings.Join(v.Slots, ", ")}}
	}
	rows = append(rows, []string{"key", fmt.Sprintf("epoch %d", v.Epoch)}, []string{"sealed to", countText("epoch", v.Epochs)},
		[]string{"network's key", fmt.Sprintf("generation %d", v.Generation)}, []string{"locked by", countText("generation", v.Generations)})
	for _, todo := range []struct {
		count int
		what  string
	}{
		{v.Reseal, "versions are sealed to a former key: `phrd vault reseal`"},
		{v.Relock, "versions are locked by a former key of the network: `phrd vault relock`"},
		{v.Waiting, "versions have a new lock that waits: `phrd vault relock` them again where it was cut short"},
	} {
		if todo.count > 0 {
			rows = append(rows, []string{"to do", strconv.Itoa(todo.count) + " " + todo.what})
		}
	}
	if v.Shut > 0 {
		rows = append(rows, []string{"shut", strconv.Itoa(v.Shut) + " versions from before the vault was begun anew: it has no key for them"})
	}
	return rows
}

// countText says how many versions there are of each number.
func countText(word string, counts map[uint64]int) string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d: %d", word, n, counts[n]))
	}
	if len(parts) == 0 {
		return "nothing is stored"
	}
	return strings.Join(parts, ", ")
}

func vaultShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "show the vault, and under which keys your records are", Args: exactArgs(), Example: "  phrd vault show\n  phrd vault show --json",
		Long: "Show what opens the vault, how many versions of your records are sealed to each of its keys, and how many are locked by each key of\n" +
			"the network. An officer sees those that the hospital owns.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				v, err := viewVault(ctx, u)
				if err != nil {
					return err
				}
				return o.print(v, nil, v.rows())
			})
		},
	}
	userFlags(cmd)
	return cmd
}

// sealings lists what the account owns, its vault opens, and is as asked.
func (u *user) sealings(ctx context.Context, vault *phr.Vault, is func(phr.Sealing) bool) ([]phr.Ref, error) {
	var refs []phr.Ref
	for s, err := range u.client.SealingsOf(ctx, vault) {
		if err != nil {
			return nil, err
		}
		if is(s) {
			refs = append(refs, s.Ref)
		}
	}
	return refs, nil
}
