package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/cosmos/cosmos-sdk/types/grpc"
	"github.com/gorilla/mux"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	googlegrpc "google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/docs/openapi"
)

// registerREST mounts the queries of our modules at /phrd/, and their description at /openapi/.
func registerREST(ctx context.Context, router *mux.Router, conn *googlegrpc.ClientConn) error {
	queries := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
			UnmarshalOptions: protojson.UnmarshalOptions{},
		}),
		runtime.WithIncomingHeaderMatcher(func(key string) (string, bool) {
			if strings.EqualFold(key, grpc.GRPCBlockHeightHeader) {
				return grpc.GRPCBlockHeightHeader, true
			}
			return runtime.DefaultHeaderMatcher(key)
		}),
		runtime.WithOutgoingHeaderMatcher(func(key string) (string, bool) {
			return key, key == grpc.GRPCBlockHeightHeader
		}),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *googlegrpc.ClientConn) error{
		auditv1.RegisterQueryHandler, consortiumv1.RegisterQueryHandler, custodyv1.RegisterQueryHandler,
		storagev1.RegisterQueryHandler, recordsv1.RegisterQueryHandler, accessv1.RegisterQueryHandler,
	} {
		if err := register(ctx, queries, conn); err != nil {
			return fmt.Errorf("REST routes: %w", err)
		}
	}
	router.PathPrefix("/phrd/").Handler(queries)
	router.PathPrefix("/openapi/").Handler(http.StripPrefix("/openapi", openapi.Handler()))
	return nil
}
