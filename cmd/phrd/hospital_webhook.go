package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/phr"
)

// webhookName keeps what else a path may hold out of one.
var webhookName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func hospitalWebhookCommand() *cobra.Command {
	return group("webhook", "applications that your gateway tells what concerns the hospital", webhookListCommand(), webhookAddCommand(), webhookRemoveCommand())
}

func webhookListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the webhooks of your gateway, and which are behind", Args: exactArgs(),
		Example: "  phrd hospital webhook list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				hooks, err := u.client.Webhooks(ctx)
				if err != nil {
					return err
				}
				rows := make([][]string, len(hooks))
				for i, h := range hooks {
					state := "told up to entry " + strconv.FormatUint(h.Cursor, 10)
					if h.FailingSince != nil {
						state = fmt.Sprintf("behind since %s: %s", timeText(h.FailingSince.Unix()), h.Error)
					}
					rows[i] = []string{h.Name, h.URL, orDash(strings.Join(h.Kinds, " ")), state}
				}
				return o.print(hooks, []string{"NAME", "URL", "KINDS", "STATE"}, rows)
			})
		},
	}
	userFlags(cmd)
	return cmd
}

func webhookAddCommand() *cobra.Command {
	var hook phr.Webhook
	var secretFile string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "have an application told from now on", Args: exactArgs("NAME"),
		Long: "Have an application of the hospital told what concerns the hospital from now on: what your people do, requests for what you keep,\n" +
			"emergencies and recoveries. A notice says what happened, when, and the ids of the record and the unlock; nothing about health.\n\n" +
			"It comes as a POST request that is signed as Standard Webhooks 1.0 says (webhook-id, webhook-timestamp, webhook-signature: v1),\n" +
			"and comes again, with the same id, until the application answers 2xx. The secret to check signatures with is written to a file.\n" +
			"The host must stand in webhook_hosts of the server's app.toml.",
		Example: "  phrd hospital webhook add portal --url https://portal.hospital.example/phrd --secret-file portal.secret --kind proposed",
		RunE: func(cmd *cobra.Command, args []string) error {
			hook.Name = args[0]
			if hook.URL == "" || secretFile == "" {
				return usage("--url and --secret-file must be given")
			}
			if !webhookName.MatchString(hook.Name) {
				return usage("a name is made of a-z, 0-9 and -")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				return addWebhook(ctx, u, o, hook, secretFile)
			})
		},
	}
	cmd.Flags().StringVar(&hook.URL, "url", "", "https URL that is told")
	cmd.Flags().StringVar(&secretFile, "secret-file", "", "new file for the secret")
	cmd.Flags().StringArrayVar(&hook.Kinds, "kind", nil, "tell only of entries of this kind; may be given more than once")
	userFlags(cmd)
	return cmd
}

// addWebhook makes the file first: a secret that can't be kept is not asked for.
func addWebhook(ctx context.Context, u *user, o *output, hook phr.Webhook, secretFile string) error {
	file, err := os.OpenFile(secretFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	secret, err := u.client.AddWebhook(ctx, hook)
	if err != nil {
		_ = os.Remove(secretFile) // it is empty
		return err
	}
	if _, err := fmt.Fprintln(file, secret); err != nil {
		return err
	}
	o.note("%s is told from now on; the secret is in %s", hook.Name, secretFile)
	return file.Sync()
}

func webhookRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "have an application told no more", Args: exactArgs("NAME"),
		Example: "  phrd hospital webhook remove portal",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !webhookName.MatchString(args[0]) {
				return usage("a name is made of a-z, 0-9 and -")
			}
			return withUser(cmd, func(ctx context.Context, u *user, _ *output) error { return u.client.RemoveWebhook(ctx, args[0]) })
		},
	}
	userFlags(cmd)
	return cmd
}
