package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// maxMessage is the longest request over gRPC: a transaction of 64 KiB in its wrapping.
const maxMessage = 128 << 10

// newRPC is the gRPC server: the methods of the scope table, health, and reflection for who
// has logged in.
func (g *Gateway) newRPC() (*grpc.Server, error) {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.StreamInterceptor(g.interceptStream))
	services := map[string][]string{}
	for method := range g.scope.rules {
		service, name, ok := strings.Cut(strings.TrimPrefix(method, "/"), "/")
		if !ok {
			return nil, fmt.Errorf("method %q in the scope table", method)
		}
		services[service] = append(services[service], name)
	}
	for service, names := range services {
		slices.Sort(names)
		described, err := g.describe(service, names)
		if err != nil {
			return nil, err
		}
		server.RegisterService(described, nil)
	}
	healthv1.RegisterHealthServer(server, health{g: g})
	reflection.RegisterV1(server)
	return server, nil
}

// describe makes the gRPC service whose methods go through the scope table.
func (g *Gateway) describe(service string, names []string) (*grpc.ServiceDesc, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("service %s in the scope table: %w", service, err)
	}
	descriptor, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s in the scope table is not a service", service)
	}
	described := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Metadata: found.ParentFile().Path()}
	for _, name := range names {
		method := descriptor.Methods().ByName(protoreflect.Name(name))
		if method == nil || method.IsStreamingClient() || method.IsStreamingServer() {
			return nil, fmt.Errorf("%s/%s in the scope table is not a plain method", service, name)
		}
		call, err := newCall(method)
		if err != nil {
			return nil, err
		}
		described.Methods = append(described.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				return g.serveCall(ctx, call, decode)
			},
		})
	}
	return described, nil
}

// call is a method with the types of its messages.
type call struct {
	method            string
	request, response protoreflect.MessageType
}

func newCall(m protoreflect.MethodDescriptor) (call, error) {
	c := call{method: fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())}
	var err error
	if c.request, err = protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName()); err != nil {
		return c, fmt.Errorf("request of %s: %w", c.method, err)
	}
	if c.response, err = protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName()); err != nil {
		return c, fmt.Errorf("response of %s: %w", c.method, err)
	}
	return c, nil
}

// serveCall answers one call over gRPC.
func (g *Gateway) serveCall(ctx context.Context, call call, decode func(any) error) (response proto.Message, err error) {
	// gRPC runs this in a goroutine of its own, where a panic would end the program.
	defer func() {
		if p := recover(); p != nil {
			g.config.Log.Error("query panicked", "method", call.method, "panic", p)
			response, err = nil, status.Error(codes.Internal, "the gateway failed")
		}
	}()
	request := call.request.New().Interface()
	if err := decode(request); err != nil {
		return nil, err
	}
	incoming, _ := metadata.FromIncomingContext(ctx)
	c, err := g.authenticateCall(ctx, incoming)
	if err != nil {
		return nil, err
	}
	outgoing := metadata.MD{}
	if heights := incoming.Get(heightHeader); len(heights) > 0 {
		outgoing.Set(heightHeader, heights...)
	}
	ctx = metadata.NewOutgoingContext(withCaller(ctx, c), outgoing)
	response = call.response.New().Interface()
	var header metadata.MD
	if err := g.scope.Invoke(ctx, call.method, request, response, grpc.Header(&header)); err != nil {
		return nil, err
	}
	if heights := header.Get(heightHeader); len(heights) > 0 {
		if err := grpc.SetHeader(ctx, metadata.Pairs(heightHeader, heights[0])); err != nil {
			return nil, err
		}
	}
	return response, nil
}

func (g *Gateway) authenticateCall(ctx context.Context, incoming metadata.MD) (caller, error) {
	values := incoming.Get("authorization")
	if len(values) == 0 {
		return caller{}, nil
	}
	if len(values) > 1 {
		return caller{}, status.Error(codes.InvalidArgument, "more than one authorization")
	}
	c, err := g.authenticate(ctx, values[0])
	if err != nil {
		return caller{}, statusOf(faultOf(err))
	}
	return c, nil
}

// statusOf is a fault as a gRPC status.
func statusOf(f *fault) error {
	code := codes.Internal
	switch f.status {
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	return status.Error(code, f.detail)
}

// interceptStream lets only who has logged in use streams: reflection. The streams of health
// are not served.
func (g *Gateway) interceptStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.config.Log.Error("stream panicked", "method", info.FullMethod, "panic", p)
			err = status.Error(codes.Internal, "the gateway failed")
		}
	}()
	if strings.HasPrefix(info.FullMethod, "/grpc.health.") {
		return status.Error(codes.Unimplemented, "ask with Check")
	}
	incoming, _ := metadata.FromIncomingContext(stream.Context())
	c, err := g.authenticateCall(stream.Context(), incoming)
	if err != nil {
		return err
	}
	if c.isNobody() {
		return errLogin
	}
	return next(srv, stream)
}

// health answers grpc.health.v1 for the whole server and for each service alike.
type health struct {
	healthv1.UnimplementedHealthServer
	g *Gateway
}

// Check tells whether the hospital's server is ready.
func (h health) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	state := healthv1.HealthCheckResponse_SERVING
	if !h.g.readiness(ctx).Ready {
		state = healthv1.HealthCheckResponse_NOT_SERVING
	}
	return &healthv1.HealthCheckResponse{Status: state}, nil
}
