package ipfs

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/multiformats/go-multistream"
)

// Greet shakes hands on a new connection as far as it takes to see whether the other end is a
// peer, which need not admit the caller: the caller shows a key that it throws away. The
// connection is of no further use. Any error says that it is not that peer.
func Greet(ctx context.Context, conn net.Conn, want peer.ID) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("greet %s: %w", want, err)
		}
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return fmt.Errorf("greet %s: %w", want, err)
	}
	security, err := libp2ptls.New(libp2ptls.ID, key, nil)
	if err != nil {
		return fmt.Errorf("greet %s: %w", want, err)
	}
	if err := multistream.SelectProtoOrFail(libp2ptls.ID, conn); err != nil {
		return fmt.Errorf("greet %s: %w", want, err)
	}
	if _, err := security.SecureOutbound(ctx, conn, want); err != nil {
		return fmt.Errorf("greet %s: %w", want, err)
	}
	return nil
}
