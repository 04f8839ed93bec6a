package node

import (
	"context"
	"fmt"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

// eachHolding calls f for every object that the chain counts a node to hold, in the order of
// their CIDs, until f returns an error. What changes meanwhile may be there or not.
func eachHolding(ctx context.Context, query storagev1.QueryClient, node uint64, f func(*storagev1.Object) error) error {
	for after := ""; ; {
		page, err := query.Holdings(ctx, &storagev1.QueryHoldingsRequest{Node: node, After: after, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("list the holdings of node %d: %w", node, err)
		}
		for _, o := range page.GetObjects() {
			if err := f(o); err != nil {
				return err
			}
		}
		if after = page.GetNext(); after == "" {
			return nil
		}
	}
}

// eachAssignment is eachHolding for the objects that a node is to fetch.
func eachAssignment(ctx context.Context, query storagev1.QueryClient, node uint64, f func(*storagev1.PlacedObject) error) error {
	for after := ""; ; {
		page, err := query.Assignments(ctx, &storagev1.QueryAssignmentsRequest{Node: node, After: after, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("list the assignments of node %d: %w", node, err)
		}
		for _, o := range page.GetObjects() {
			if err := f(o); err != nil {
				return err
			}
		}
		if after = page.GetNext(); after == "" {
			return nil
		}
	}
}
