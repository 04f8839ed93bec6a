package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

// openingBody says what became of an account.
type openingBody struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Height  int64  `json:"height"`
	Hash    string `json:"hash"`
}

// openingDigest is what the key of an invitation signs to open the account of an address.
func openingDigest(n lock.Network, invitation, address []byte) []byte {
	digest := lock.H("phrd/v1/open-account", n[:], invitation, address)
	return digest[:]
}

// serveAccounts hands in the opening of an invited person's account. Who asks has no account
// yet, so nothing is sent that the chain would not carry out: the invitation must be known
// and its signature right.
func (g *Gateway) serveAccounts(w http.ResponseWriter, r *http.Request) error {
	fields, err := readFields(w, r, "invitation", "address", "signature")
	if err != nil {
		return err
	}
	invitation, err := hex.DecodeString(fields["invitation"])
	if err != nil || len(invitation) != ed25519.PublicKeySize || hex.EncodeToString(invitation) != fields["invitation"] {
		return refuse(http.StatusBadRequest, "invitation is not 64 lower-case hex digits")
	}
	address, err := wallet.ParseAddress(fields["address"])
	if err != nil {
		return refuse(http.StatusBadRequest, "address: %v", err)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(fields["signature"])
	if err != nil || len(signature) != ed25519.SignatureSize {
		return refuse(http.StatusBadRequest, "signature is not the base64 of %d bytes", ed25519.SignatureSize)
	}
	h, err := g.home(r.Context())
	if err != nil {
		return err
	}
	if !ed25519.Verify(invitation, openingDigest(h.network, invitation, address), signature) {
		return refuse(http.StatusForbidden, "the signature is not the invitation's for this address and network")
	}
	if err := g.checkInvited(r.Context(), fields["invitation"]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.config.Limits.WriteTime)
	defer cancel()
	body, err := g.openAccount(ctx, &consortiumv1.MsgOpenAccount{
		Node: g.config.Chain.Account(), Invitation: invitation, Address: fields["address"], Signature: signature,
	})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, body)
}

// checkInvited refuses an invitation that the chain does not know. Whether a known one may
// still be used is for the chain to say, since it writes down what it refuses.
func (g *Gateway) checkInvited(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, g.config.Limits.QueryTime)
	defer cancel()
	_, err := consortiumv1.NewQueryClient(g.config.Chain).Invitation(ctx, &consortiumv1.QueryInvitationRequest{Key: key})
	if status.Code(err) == codes.NotFound {
		return refuse(http.StatusForbidden, "the invitation is unknown")
	}
	if err != nil {
		return unavailable(err, "the node does not answer")
	}
	return nil
}

func (g *Gateway) openAccount(ctx context.Context, message *consortiumv1.MsgOpenAccount) (openingBody, error) {
	result, err := g.config.Chain.Submit(ctx, message)
	if errors.Is(err, node.ErrRefused) {
		return openingBody{}, &fault{status: http.StatusConflict, detail: "the chain does not open this account", cause: err}
	}
	if err != nil {
		return openingBody{}, unavailable(err, "the chain did not carry it out in time; it may still do so")
	}
	var response consortiumv1.MsgOpenAccountResponse
	if err := result.Response(&response); err != nil {
		return openingBody{}, err
	}
	return openingBody{Outcome: response.GetOutcome().String(), Reason: response.GetReason(), Height: result.Height, Hash: result.Hash}, nil
}
