package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// statusChecksum is the status of the tus protocol for a wrong checksum.
const statusChecksum = 460

// problem is the body of every error (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// A fault is an error that a caller may see.
type fault struct {
	status int
	detail string
	hint   string
	// retry is when it is worth trying again; 0 for never.
	retry time.Duration
	// cause is for the log only; nil where the caller is at fault.
	cause error
}

// Error implements error.
func (f *fault) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%d: %s: %v", f.status, f.detail, f.cause)
	}
	return fmt.Sprintf("%d: %s", f.status, f.detail)
}

// Unwrap gives the cause.
func (f *fault) Unwrap() error { return f.cause }

func refuse(status int, format string, args ...any) *fault {
	return &fault{status: status, detail: fmt.Sprintf(format, args...)}
}

// notFound is the one answer for what does not exist and for what the caller may not know.
func notFound() *fault { return refuse(http.StatusNotFound, "there is nothing here that you may see") }

// unavailable says that the hospital's server can't answer now.
func unavailable(cause error, detail string) *fault {
	return &fault{status: http.StatusServiceUnavailable, detail: detail, retry: 5 * time.Second, cause: cause}
}

// faultOf turns any error into what a caller may see of it.
func faultOf(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	s, ok := status.FromError(err)
	if !ok {
		return &fault{status: http.StatusInternalServerError, detail: "the gateway failed", cause: err}
	}
	code := runtime.HTTPStatusFromCode(s.Code())
	f = &fault{status: code, detail: s.Message()}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		f.retry = 5 * time.Second
	case codes.Internal, codes.Unknown, codes.DataLoss:
		f.detail, f.cause = "the node failed", err
	}
	return f
}

// write sends a fault as a problem document.
func (f *fault) write(w http.ResponseWriter) error {
	title := http.StatusText(f.status)
	if f.status == statusChecksum {
		title = "Checksum Mismatch"
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	for _, name := range []string{"Content-Length", "ETag", "Accept-Ranges", "Last-Modified", "Content-Disposition"} {
		h.Del(name)
	}
	if f.status != http.StatusRequestedRangeNotSatisfiable {
		h.Del("Content-Range")
	}
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retry.Seconds()))))
	}
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(f.status)
	return json.NewEncoder(w).Encode(problem{Type: "about:blank", Title: title, Status: f.status, Detail: f.detail, Hint: f.hint})
}

// answer sends a JSON document.
func answer(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}
