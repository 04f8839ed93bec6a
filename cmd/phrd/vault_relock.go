package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// sealedAnew is what `vault reseal` and `vault relock` say.
type sealedAnew struct {
	Versions int `json:"versions"`
}

// rows says how many versions were done.
func (s sealedAnew) rows(what string) [][]string {
	return [][]string{{fmt.Sprintf("%s: %d versions", what, s.Versions)}}
}

// chosen are the versions that arguments name, or all that are as asked.
func chosen(ctx context.Context, u *user, vault *phr.Vault, args []string, is func(phr.Sealing) bool) ([]phr.Ref, error) {
	if len(args) == 0 {
		return u.sealings(ctx, vault, is)
	}
	return parseVersions(args)
}

func vaultResealCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reseal [RECORD/VERSION...]", Short: "seal your records to the newest key of your vault", Args: cobra.ArbitraryArgs,
		Example: "  phrd vault reseal\n  phrd vault reseal 3ZQK…/2",
		Long: "Seal the records that you own to the newest key of your vault and to no other: without arguments those that are sealed to a former\n" +
			"one. The ciphertext stays where it is, and so do approvals. Repeat it after it was cut short: what is done is done.\n\n" +
			"It is for a routine change of the key. Where somebody else may have the former key, use `phrd vault relock`.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				refs, err := chosen(ctx, u, vault, args, func(s phr.Sealing) bool { return s.Epoch != vault.Epoch() })
				if err != nil {
					return err
				}
				done := sealedAnew{}
				err = u.client.Reseal(ctx, vault, refs, func(n int) {
					done.Versions = n
					o.note("sealed %d of %d", n, len(refs))
				})
				if err != nil {
					return fmt.Errorf("%d of %d versions are sealed: %w", done.Versions, len(refs), err)
				}
				return o.print(done, nil, done.rows("sealed"))
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func vaultRelockCommand() *cobra.Command {
	var all bool
	var unlock string
	cmd := &cobra.Command{
		Use: "relock [RECORD/VERSION...]", Short: "lock your records anew, under fresh keys", Args: cobra.ArbitraryArgs,
		Example: "  phrd vault relock\n  phrd vault relock --all\n  phrd vault relock 3ZQK…/2\n  phrd vault relock --unlock 5f3a9c… --from officer",
		Long: "Lock the records that you own anew: under fresh keys, the newest key of the network, and sealed to the newest key of your vault, those\n" +
			"of whom your consents let open them, and to no other. Without arguments those that are locked by a former key of the network, and those that\n" +
			"are sealed to somebody whose consent you withdrew or has ended; --all takes every one, for when somebody else may\n" +
			"have your vault's key or your words: change them first, with `phrd vault rotate`. Unlocks that were proposed before are void then.\n" +
			"Who has opened a record has seen it; nothing takes that back. Repeat it after it was cut short: what is done is done.\n\n" +
			"A patient approves an unlock of the own records for it, which the command does. For what a hospital owns, an officer proposes an unlock,\n" +
			"others endorse and approve it, and --unlock locks anew what it names.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if unlock != "" && (all || len(args) > 0) {
				return usage("--unlock names the versions already")
			}
			if all && len(args) > 0 {
				return usage("--all takes every version: name none")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				if unlock != "" {
					return relockUnlocked(ctx, u, o, vault, unlock)
				}
				newest, err := newestGeneration(ctx, u.client)
				if err != nil {
					return err
				}
				var due []phr.Ref // sealed to who may open them no more
				if !all && len(args) == 0 {
					if due, err = u.client.RelocksDue(ctx, vault); err != nil {
						return err
					}
				}
				refs, err := chosen(ctx, u, vault, args, func(s phr.Sealing) bool {
					return all || s.Generation != newest || s.Relocking || slices.Contains(due, s.Ref)
				})
				if err != nil {
					return err
				}
				done := sealedAnew{}
				err = u.client.Relock(ctx, vault, refs, func(n int) {
					done.Versions = n
					o.note("locked %d of %d", n, len(refs))
				})
				if err != nil {
					return fmt.Errorf("%d of %d versions are locked anew: %w", done.Versions, len(refs), err)
				}
				return o.print(done, nil, done.rows("locked anew"))
			})
		},
	}
	userFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every version that you own")
	cmd.Flags().StringVar(&unlock, "unlock", "", "an approved unlock of this account whose versions are locked anew")
	return cmd
}

func relockUnlocked(ctx context.Context, u *user, o *output, vault *phr.Vault, text string) error {
	id, err := resolveUnlock(ctx, u.client, text)
	if err != nil {
		return err
	}
	named, err := u.client.Unlock(ctx, id)
	if err != nil {
		return err
	}
	if err := u.client.RelockUnlocked(ctx, vault, id); err != nil {
		return err
	}
	done := sealedAnew{Versions: len(named.GetVersions())}
	return o.print(done, nil, done.rows("locked anew"))
}

// newestGeneration is the newest generation of the records key.
func newestGeneration(ctx context.Context, c *phr.Client) (uint64, error) {
	keys, err := c.NetworkKeys(ctx)
	if err != nil {
		return 0, err
	}
	var newest uint64
	for _, k := range keys {
		newest = max(newest, k.Key.GetGeneration())
	}
	return newest, nil
}
