package phr

import (
	"context"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

// Health asks how safe everything is that the network keeps, and where each storage node stands. Staff may ask.
func (c *Client) Health(ctx context.Context) (*storagev1.QueryHealthResponse, error) {
	return storagev1.NewQueryClient(c).Health(ctx, &storagev1.QueryHealthRequest{})
}
