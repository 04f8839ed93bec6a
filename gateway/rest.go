package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

// newREST serves the methods of the scope table as JSON: /phrd/ as api/ lays it out, /cosmos/
// as the chain's own services are annotated.
func (g *Gateway) newREST() (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}),
		runtime.WithIncomingHeaderMatcher(matchHeight),
		runtime.WithOutgoingHeaderMatcher(matchHeight),
		runtime.WithErrorHandler(g.restError),
		runtime.WithRoutingErrorHandler(g.restRoutingError),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
	)
	ctx := context.Background()
	for _, register := range []func() error{
		func() error { return accessv1.RegisterQueryHandlerClient(ctx, mux, accessv1.NewQueryClient(g.scope)) },
		func() error { return auditv1.RegisterQueryHandlerClient(ctx, mux, auditv1.NewQueryClient(g.scope)) },
		func() error {
			return consortiumv1.RegisterQueryHandlerClient(ctx, mux, consortiumv1.NewQueryClient(g.scope))
		},
		func() error { return custodyv1.RegisterQueryHandlerClient(ctx, mux, custodyv1.NewQueryClient(g.scope)) },
		func() error { return recordsv1.RegisterQueryHandlerClient(ctx, mux, recordsv1.NewQueryClient(g.scope)) },
		func() error { return storagev1.RegisterQueryHandlerClient(ctx, mux, storagev1.NewQueryClient(g.scope)) },
	} {
		if err := register(); err != nil {
			return nil, fmt.Errorf("REST: %w", err)
		}
	}
	for method := range g.scope.rules {
		if !strings.HasPrefix(method, "/cosmos.") {
			continue
		}
		if err := g.serveAnnotated(mux, method); err != nil {
			return nil, fmt.Errorf("REST of %s: %w", method, err)
		}
	}
	return mux, nil
}

func matchHeight(name string) (string, bool) {
	return http.CanonicalHeaderKey(heightHeader), strings.EqualFold(name, heightHeader)
}

func (g *Gateway) restError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	g.run(w, r, func(http.ResponseWriter, *http.Request) error { return err })
}

func (g *Gateway) restRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	g.run(w, r, func(http.ResponseWriter, *http.Request) error {
		return refuse(code, "no such route, or not with this method")
	})
}

// serveAnnotated adds the HTTP routes of a method's google.api.http option, as grpc-gateway
// does for generated code.
func (g *Gateway) serveAnnotated(mux *runtime.ServeMux, method string) error {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return err
	}
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return fmt.Errorf("%s is not a method", name)
	}
	call, err := newCall(descriptor)
	if err != nil {
		return err
	}
	option, ok := proto.GetExtension(descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || option == nil {
		return nil // reached over gRPC alone
	}
	for _, binding := range append([]*annotations.HttpRule{option}, option.GetAdditionalBindings()...) {
		verb, pattern := http.MethodGet, binding.GetGet()
		if binding.GetPost() != "" {
			verb, pattern = http.MethodPost, binding.GetPost()
		}
		if pattern == "" || (verb == http.MethodPost) != (binding.GetBody() == "*") {
			return fmt.Errorf("binding %v is of another form", binding)
		}
		if err := mux.HandlePath(verb, pattern, g.annotated(mux, call, verb)); err != nil {
			return err
		}
	}
	return nil
}

// annotated answers one route of an annotated method.
func (g *Gateway) annotated(mux *runtime.ServeMux, call call, verb string) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, path map[string]string) {
		in, out := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, call.method)
		if err != nil {
			runtime.HTTPError(r.Context(), mux, out, w, r, err)
			return
		}
		response, meta, err := g.invokeAnnotated(ctx, call, in, w, r, path, verb)
		ctx = runtime.NewServerMetadataContext(ctx, meta)
		if err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		runtime.ForwardResponseMessage(ctx, mux, out, w, r, response)
	}
}

func (g *Gateway) invokeAnnotated(
	ctx context.Context, call call, in runtime.Marshaler, w http.ResponseWriter, r *http.Request, path map[string]string, verb string,
) (response proto.Message, meta runtime.ServerMetadata, err error) {
	request := call.request.New().Interface()
	if verb == http.MethodPost {
		body, err := readBody(w, r, maxMessage)
		if err != nil {
			return nil, meta, err
		}
		if err := in.Unmarshal(body, request); err != nil {
			return nil, meta, status.Errorf(codes.InvalidArgument, "body: %v", err)
		}
	} else if err := runtime.PopulateQueryParameters(request, r.URL.Query(), utilities.NewDoubleArray(nil)); err != nil {
		return nil, meta, status.Errorf(codes.InvalidArgument, "query: %v", err)
	}
	for field, value := range path {
		if err := runtime.PopulateFieldFromPath(request, field, value); err != nil {
			return nil, meta, status.Errorf(codes.InvalidArgument, "%s: %v", field, err)
		}
	}
	response = call.response.New().Interface()
	err = g.scope.Invoke(ctx, call.method, request, response, grpc.Header(&meta.HeaderMD), grpc.Trailer(&meta.TrailerMD))
	return response, meta, err
}
