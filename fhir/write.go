package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

// Writer writes the events of an export one after another, so that its memory does not grow with their number.
type Writer interface {
	// Write writes the event of the next entry. The error is ErrUnknownKind or one of the writer below.
	Write(e *auditv1.Entry) error
	// Close ends what was written; it does not close the writer below.
	Close() error
}

// NewLines writes a line of JSON for each event, as the bulk data of FHIR have it.
func NewLines(w io.Writer, c *Converter) Writer { return &lines{w: w, convert: c} }

type lines struct {
	w       io.Writer
	convert *Converter
}

// Write implements [Writer].
func (l *lines) Write(e *auditv1.Entry) error {
	event, err := l.convert.Event(e)
	if err != nil {
		return err
	}
	text, err := encode(event)
	if err != nil {
		return err
	}
	_, err = l.w.Write(append(text, '\n'))
	return err
}

// Close implements [Writer].
func (*lines) Close() error { return nil }

// NewBundle writes one Bundle of type collection, of the time of the block that the export ends with.
func NewBundle(w io.Writer, c *Converter, report *logproof.Report) Writer {
	return &bundle{w: w, convert: c, time: report.Time}
}

type bundle struct {
	w       io.Writer
	convert *Converter
	time    time.Time
	begun   bool
}

// entry is one of a Bundle.
type entry struct {
	FullURL  string      `json:"fullUrl"`
	Resource *AuditEvent `json:"resource"`
}

func (b *bundle) begin() error {
	b.begun = true
	_, err := fmt.Fprintf(b.w, `{"resourceType":"Bundle","type":"collection","timestamp":"%s"`, b.time.UTC().Format(time.RFC3339))
	return err
}

// Write implements [Writer].
func (b *bundle) Write(e *auditv1.Entry) error {
	event, err := b.convert.Event(e)
	if err != nil {
		return err
	}
	text, err := encode(entry{FullURL: "urn:uuid:" + event.ID, Resource: event})
	if err != nil {
		return err
	}
	before := ",\n"
	if !b.begun {
		if err := b.begin(); err != nil {
			return err
		}
		before = `,"entry":[` + "\n"
	}
	_, err = b.w.Write(append([]byte(before), text...))
	return err
}

// Close implements [Writer].
func (b *bundle) Close() error {
	end := "\n]}\n"
	if !b.begun {
		// An empty list is no JSON of FHIR.
		if err := b.begin(); err != nil {
			return err
		}
		end = "}\n"
	}
	_, err := io.WriteString(b.w, end)
	return err
}

// encode is JSON without what is only for HTML.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
