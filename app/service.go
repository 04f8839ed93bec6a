package app

import (
	"context"
	"errors"
	"strconv"

	"cosmossdk.io/collections"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	nodeservice "github.com/cosmos/cosmos-sdk/client/grpc/node"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	"github.com/cosmos/cosmos-sdk/server/grpc/gogoreflection"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	grpctypes "github.com/cosmos/cosmos-sdk/types/grpc"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// MaxPage is how many things a query lists at most.
const MaxPage = 200

// MaxQueryBytes bounds what a query sends and answers.
const MaxQueryBytes = 16 << 20

// NewGRPCServer makes the node's own gRPC server: every query of every module, the services of transactions, blocks and the node,
// reflection, and health, which is not serving until the caller says so. The services read through c, whose client reaches CometBFT.
func (app *App) NewGRPCServer(c client.Context, config serverconfig.Config) (*grpc.Server, *health.Server) {
	authtx.RegisterTxService(app.GRPCQueryRouter(), c, app.Simulate, app.registry)
	cmtservice.RegisterTendermintService(c, app.GRPCQueryRouter(), app.registry, server.NewCometABCIWrapper(app).Query)
	nodeservice.RegisterNodeService(c, app.GRPCQueryRouter(), config, func() int64 { return app.CommitMultiStore().EarliestVersion() })

	s := grpc.NewServer(
		grpc.ForceServerCodec(codec.NewProtoCodec(app.registry).GRPCCodec()),
		grpc.MaxRecvMsgSize(MaxQueryBytes), grpc.MaxSendMsgSize(MaxQueryBytes),
	)
	app.RegisterGRPCServer(guard{Server: s, app: app})
	h := health.NewServer()
	h.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	healthv1.RegisterHealthServer(s, h)
	// Both versions of reflection, the older one for clients that know no other.
	gogoreflection.Register(s)
	reflectionv1.RegisterServerReflectionServer(s, reflection.NewServerV1(reflection.ServerOptions{Services: s, DescriptorResolver: gogoproto.HybridResolver}))
	return s, h
}

// guard registers services whose methods answer from the first block since the start on, first check the page size and the height
// that a caller asks for, and answer errors in the codes of gRPC.
type guard struct {
	*grpc.Server
	app *App
}

// RegisterService implements grpc.ServiceRegistrar.
func (g guard) RegisterService(desc *grpc.ServiceDesc, handler any) {
	guarded := *desc
	guarded.Methods = make([]grpc.MethodDesc, len(desc.Methods))
	for i, method := range desc.Methods {
		guarded.Methods[i] = grpc.MethodDesc{
			MethodName: method.MethodName,
			Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				if !g.app.awake.Load() {
					return nil, status.Error(codes.Unavailable, "the node waits for the first block since its start")
				}
				if err := checkHeight(ctx); err != nil {
					return nil, err
				}
				res, err := method.Handler(srv, ctx, func(request any) error {
					if err := decode(request); err != nil {
						return err
					}
					return checkPage(request)
				}, interceptor)
				return res, grpcError(err)
			},
		}
	}
	g.Server.RegisterService(&guarded, handler)
}

// checkHeight refuses a block height that is no number.
func checkHeight(ctx context.Context) error {
	for _, text := range metadata.ValueFromIncomingContext(ctx, grpctypes.GRPCBlockHeightHeader) {
		if height, err := strconv.ParseInt(text, 10, 64); err != nil || height < 0 {
			return status.Errorf(codes.InvalidArgument, "%s: %q is no height", grpctypes.GRPCBlockHeightHeader, text)
		}
	}
	return nil
}

// checkPage refuses to list more than MaxPage things at once.
func checkPage(request any) error {
	paged, ok := request.(interface{ GetPagination() *query.PageRequest })
	if !ok || paged.GetPagination() == nil {
		return nil
	}
	if limit := paged.GetPagination().Limit; limit > MaxPage {
		return status.Errorf(codes.InvalidArgument, "pagination.limit: %d, at most %d", limit, MaxPage)
	}
	return nil
}

// grpcError gives an error of the SDK its code.
func grpcError(err error) error {
	if err == nil {
		return nil
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return err
	}
	for _, known := range []struct {
		err  error
		code codes.Code
	}{
		{collections.ErrNotFound, codes.NotFound},
		{sdkerrors.ErrNotFound, codes.NotFound},
		{sdkerrors.ErrKeyNotFound, codes.NotFound},
		{sdkerrors.ErrInvalidHeight, codes.InvalidArgument},
		{sdkerrors.ErrInvalidRequest, codes.InvalidArgument},
		{sdkerrors.ErrInvalidAddress, codes.InvalidArgument},
		{sdkerrors.ErrOutOfGas, codes.ResourceExhausted},
	} {
		if errors.Is(err, known.err) {
			return status.Error(known.code, err.Error())
		}
	}
	return err
}

// RegisterRoutes registers the SDK's routes for wallets and ours for everything else at an API server, which calls the node's own
// gRPC server.
func (app *App) RegisterRoutes(ctx context.Context, s *api.Server, conn *grpc.ClientConn) error {
	// The SDK sends everything that was not taken before to its own gateway.
	if err := registerREST(ctx, s.Router, conn); err != nil {
		return err
	}
	authtx.RegisterGRPCGatewayRoutes(s.ClientCtx, s.GRPCGatewayRouter)
	cmtservice.RegisterGRPCGatewayRoutes(s.ClientCtx, s.GRPCGatewayRouter)
	nodeservice.RegisterGRPCGatewayRoutes(s.ClientCtx, s.GRPCGatewayRouter)
	app.basics.RegisterGRPCGatewayRoutes(s.ClientCtx, s.GRPCGatewayRouter)
	return nil
}
