package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// ErrNoRule says that the program has a query method for which nobody decided who may call
// it. A gateway does not start with one.
var ErrNoRule = errors.New("query method without a rule of scope")

// heightHeader names the block at which a query reads.
const heightHeader = "x-cosmos-block-height"

// A rule says who may call a query method and see its answer.
type rule struct {
	// public methods need no login and have no other condition; those for whose request open says so neither.
	public bool
	open   func(request proto.Message) bool
	// asks judges the request alone, before the chain is asked, so that a refusal tells
	// nothing about what exists. Nil lets everybody ask who has logged in.
	asks func(c caller, request proto.Message) error
	// narrows changes a request that the caller may make to one for what the caller may see. Nil leaves it as it is.
	narrows func(c caller, request proto.Message) error
	// sees judges the answer. Who may not see it is told the same as who asked for
	// something that does not exist. Nil shows it.
	sees func(ctx context.Context, s *scope, c caller, request, answer proto.Message) (bool, error)
}

// scope is the one way from callers to the node's queries: it checks the rule, then asks
// the node. The clients of api/ take it as their connection. The caller is in the context.
type scope struct {
	node  grpc.ClientConnInterface
	rules map[string]rule
	time  time.Duration
	log   *slog.Logger

	parties    remembered[*accessv1.Unlock]
	custodians remembered[uint64]
	happenings *happenings // set before the gateway serves
}

// newScope fails when a query method of the network's modules has no rule.
func newScope(node grpc.ClientConnInterface, rules map[string]rule, limit time.Duration, log *slog.Logger) (*scope, error) {
	if missing := methodsWithoutRule(rules); len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoRule, strings.Join(missing, ", "))
	}
	return &scope{node: node, rules: rules, time: limit, log: log}, nil
}

// methodsWithoutRule lists the query methods of every phrd module of the program that the
// rules leave out.
func methodsWithoutRule(rules map[string]rule) []string {
	var missing []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(f.Package()), "phrd.") {
			return true
		}
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			if service.Name() != "Query" {
				continue
			}
			for j := range service.Methods().Len() {
				method := fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(j).Name())
				if _, ok := rules[method]; !ok {
					missing = append(missing, method)
				}
			}
		}
		return true
	})
	slices.Sort(missing)
	return missing
}

var (
	errLogin   = status.Error(codes.Unauthenticated, "log in first, or again")
	errUnknown = status.Error(codes.NotFound, "there is nothing here that you may see")
)

// Invoke implements grpc.ClientConnInterface. Errors are statuses.
func (s *scope) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	r, ok := s.rules[method]
	if !ok {
		return status.Errorf(codes.Unimplemented, "method %q is not served here", method)
	}
	request, ok := args.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "request of type %T", args)
	}
	response, ok := reply.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "response of type %T", reply)
	}
	c := callerOf(ctx)
	public := r.public || r.open != nil && r.open(request)
	if !public {
		if c.isNobody() {
			return errLogin
		}
		if err := r.admits(c, request); err != nil {
			return s.noted(plain(ctx), c, request, response, err)
		}
	}
	at, err := atHeight(ctx)
	if err != nil {
		return err
	}
	at, cancel := context.WithTimeout(at, s.time)
	defer cancel()
	err = s.node.Invoke(at, method, request, response, opts...)
	if !public && r.sees != nil {
		err = s.judge(at, r, c, request, response, err)
	}
	if err == nil || status.Code(err) == codes.NotFound {
		err = s.noted(plain(at), c, request, response, err)
	}
	if err != nil {
		proto.Reset(response)
	}
	return s.shown(ctx, method, err)
}

// admits judges a request, and narrows it.
func (r rule) admits(c caller, request proto.Message) error {
	if r.asks != nil {
		if err := r.asks(c, request); err != nil {
			return err
		}
	}
	if r.narrows == nil {
		return nil
	}
	return r.narrows(c, request)
}

// judge lets through what the caller may see, and answers errUnknown for what does not exist and for what the caller may not know.
func (s *scope) judge(ctx context.Context, r rule, c caller, request, response proto.Message, err error) error {
	if status.Code(err) == codes.NotFound {
		return errUnknown
	}
	if err != nil {
		return err
	}
	seen, err := r.sees(plain(ctx), s, c, request, response)
	if err == nil && !seen {
		err = errUnknown
	}
	return err
}

// noted returns refusal after it has written down who read the log, or was not let.
func (s *scope) noted(ctx context.Context, c caller, request, response proto.Message, refusal error) error {
	what, count, ok := readOf(request, response)
	if !ok || c.isNobody() || s.happenings == nil {
		return refusal
	}
	if refusal != nil {
		what, count = refusedRead(what), 1
	}
	err := s.happenings.noteRead(ctx, c, what, count)
	switch {
	case err == nil:
		return refusal
	case status.Code(err) == codes.ResourceExhausted:
		return err
	}
	s.log.Warn("the log is not shown, for that can't be written down", "error", err)
	return status.Error(codes.Unavailable, "who reads the log can't be written down now")
}

// NewStream implements grpc.ClientConnInterface. No query is a stream.
func (s *scope) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "no query is a stream")
}

// shown is what a caller may see of an error: what the node says about the request, and
// nothing about the node.
func (s *scope) shown(ctx context.Context, method string, err error) error {
	switch code := status.Code(err); code {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented,
		codes.FailedPrecondition, codes.OutOfRange, codes.AlreadyExists, codes.ResourceExhausted, codes.Aborted:
		return err
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return status.Error(codes.Unavailable, "the node does not answer now: "+status.Convert(err).Message())
	default:
		s.log.Error("query failed", "request", requestOf(ctx), "method", method, "error", err)
		return status.Error(codes.Internal, "the node failed")
	}
}

// atHeight returns a context that carries, of the metadata for the node, the height alone.
func atHeight(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromOutgoingContext(ctx)
	values := md.Get(heightHeader)
	ctx = plain(ctx)
	if len(values) == 0 {
		return ctx, nil
	}
	height, err := strconv.ParseInt(values[0], 10, 64)
	if len(values) > 1 || err != nil || height < 1 || strconv.FormatInt(height, 10) != values[0] {
		return nil, status.Errorf(codes.InvalidArgument, "%s must be one decimal number from 1", heightHeader)
	}
	return metadata.AppendToOutgoingContext(ctx, heightHeader, values[0]), nil
}

// plain returns a context without metadata for the node, which reads the newest state.
func plain(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.MD{})
}
