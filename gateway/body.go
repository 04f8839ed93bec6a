package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
)

// maxJSON is the longest JSON body that is read.
const maxJSON = 16 << 10

// readFields reads a flat JSON object of strings. Every named field must be there once, and
// nothing else: what two parsers could read differently is refused. Errors are faults.
func readFields(w http.ResponseWriter, r *http.Request, names ...string) (map[string]string, error) {
	if err := checkType(r, "application/json"); err != nil {
		return nil, err
	}
	body, err := readBody(w, r, maxJSON)
	if err != nil {
		return nil, err
	}
	fields, err := parseFields(body, names)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "body: %v", err)
	}
	return fields, nil
}

func parseFields(body []byte, names []string) (map[string]string, error) {
	if !json.Valid(body) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	fields := map[string]string{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		field, ok := name.(string)
		if !ok || !slices.Contains(names, field) {
			return nil, fmt.Errorf("unknown field %.40q", name)
		}
		if _, again := fields[field]; again {
			return nil, fmt.Errorf("field %q stands there twice", field)
		}
		value, err := d.Token()
		if err != nil {
			return nil, err
		}
		if fields[field], ok = value.(string); !ok {
			return nil, fmt.Errorf("field %q is not a string", field)
		}
	}
	for _, name := range names {
		if _, ok := fields[name]; !ok {
			return nil, fmt.Errorf("field %q is missing", name)
		}
	}
	return fields, nil
}

// readBody reads a whole body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body has %d bytes, at most %d are taken", r.ContentLength, limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", limit)
	case err != nil:
		return nil, refuse(http.StatusRequestTimeout, "the body did not arrive whole")
	}
	return body, nil
}

// checkType refuses a body of another media type.
func checkType(r *http.Request, want string) error {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != want {
		return refuse(http.StatusUnsupportedMediaType, "Content-Type must be %s", want)
	}
	return nil
}
