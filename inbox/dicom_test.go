package inbox_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/phrd/phrd/inbox"
)

// syntax is a transfer syntax (PS3.5, annex A).
type syntax struct {
	uid      string
	order    binary.AppendByteOrder
	implicit bool
	deflated bool
}

var (
	explicit = syntax{uid: "1.2.840.10008.1.2.1", order: binary.LittleEndian}
	implicit = syntax{uid: "1.2.840.10008.1.2", order: binary.LittleEndian, implicit: true}
	big      = syntax{uid: "1.2.840.10008.1.2.2", order: binary.BigEndian}
	deflated = syntax{uid: "1.2.840.10008.1.2.1.99", order: binary.LittleEndian, deflated: true}
	jpeg     = syntax{uid: "1.2.840.10008.1.2.4.50", order: binary.LittleEndian}
)

// element appends a data element; a nil value has undefined length.
func (s syntax) element(b []byte, group, number uint16, vr string, value []byte) []byte {
	b = s.order.AppendUint16(s.order.AppendUint16(b, group), number)
	length := uint32(len(value))
	if value == nil {
		length = 0xffffffff
	}
	switch {
	case s.implicit || group == 0xfffe:
		b = s.order.AppendUint32(b, length)
	case slices.Contains([]string{"SQ", "UN", "OB"}, vr):
		b = s.order.AppendUint32(append(append(b, vr...), 0, 0), length)
	default:
		b = s.order.AppendUint16(append(b, vr...), uint16(length))
	}
	return append(b, value...)
}

// nested is a sequence of undefined length in which another one lies, depth times.
func (s syntax) nested(b []byte, vr string, depth int) []byte {
	b = s.element(b, 8, 0x1140, vr, nil)
	inner := s
	if vr == "UN" {
		inner = implicit
	}
	b = inner.element(b, 0xfffe, 0xe000, "", nil)
	if depth > 1 {
		b = inner.nested(b, "SQ", depth-1)
	}
	b = inner.element(b, 0x10, 0x20, "LO", []byte("inner ")) // the id of somebody else
	b = inner.element(b, 0xfffe, 0xe00d, "", []byte{})
	b = inner.element(b, 0xfffe, 0xe000, "", []byte("12345678"))
	return inner.element(b, 0xfffe, 0xe0dd, "", []byte{})
}

// file wraps a dataset into a DICOM file.
func (s syntax) file(dataset []byte) []byte {
	b := append(make([]byte, 128), "DICM"...)
	b = explicit.element(b, 2, 1, "OB", []byte{0, 1})
	b = explicit.element(b, 2, 0x10, "UI", append([]byte(s.uid), 0))
	if !s.deflated {
		return append(b, dataset...)
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write(dataset); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return append(b, out.Bytes()...)
}

// dicom is a file about a patient, with sequences before the id and pixels behind it.
func dicom(s syntax, id string) []byte {
	b := s.element(nil, 8, 0x18, "UI", []byte("1.2.3\x00"))
	b = s.nested(b, "SQ", 3)
	if !s.implicit {
		b = s.element(b, 9, 0x10, "UN", []byte("private!"))
	}
	b = s.element(b, 0x10, 0x10, "PN", []byte("Nobody^N"))
	b = s.element(b, 0x10, 0x20, "LO", []byte(id))
	return s.file(s.element(b, 0x7fe0, 0x10, "OB", make([]byte, 64)))
}

func TestPatientIDOfEveryTransferSyntax(t *testing.T) {
	for _, s := range []syntax{explicit, implicit, big, deflated, jpeg} {
		got, err := inbox.PatientID(bytes.NewReader(dicom(s, "L-1 ")))
		if got != "L-1" || err != nil {
			t.Errorf("%s: got %q, %v", s.uid, got, err)
		}
	}
	unknown := explicit.nested(nil, "UN", 2)
	unknown = explicit.element(unknown, 0x10, 0x20, "LO", []byte("L-2\x00"))
	if got, err := inbox.PatientID(bytes.NewReader(explicit.file(unknown))); got != "L-2" || err != nil {
		t.Errorf("a sequence of unknown representation: got %q, %v", got, err)
	}
}

func TestPatientIDRefuses(t *testing.T) {
	good := dicom(explicit, "L-1 ")
	for _, test := range []struct {
		name string
		file []byte
		want error
	}{
		{"nothing", nil, inbox.ErrNotDICOM},
		{"text", bytes.Repeat([]byte("text "), 100), inbox.ErrNotDICOM},
		{"only a preamble", good[:132], inbox.ErrDICOM},
		{"cut in the meta information", good[:150], inbox.ErrDICOM},
		{"cut before the id", good[:len(good)-100], inbox.ErrDICOM},
		{"no id", explicit.file(explicit.element(nil, 0x20, 0x0d, "UI", []byte("1.2\x00"))), inbox.ErrNoPatientID},
		{"an empty dataset", explicit.file(nil), inbox.ErrNoPatientID},
		{"an empty id", dicom(explicit, "  "), inbox.ErrNoPatientID},
		{"a long id", dicom(explicit, string(bytes.Repeat([]byte("x"), 300))), inbox.ErrDICOM},
		{"control characters", dicom(explicit, "L\x1b[1m"), inbox.ErrDICOM},
		{"tags that go back", explicit.file(explicit.element(explicit.element(nil, 8, 0x18, "UI", nil2), 8, 0x16, "UI", nil2)), inbox.ErrDICOM},
		{"sequences ten thousand deep", explicit.file(explicit.nested(nil, "SQ", 10_000)), inbox.ErrDICOM},
		{"a length beyond the file", explicit.file([]byte{8, 0, 0x18, 0, 'U', 'N', 0, 0, 0xfe, 0xff, 0xff, 0xff}), inbox.ErrDICOM},
		{"text of undefined length", explicit.file([]byte{8, 0, 0x18, 0, 'O', 'B', 0, 0, 0xff, 0xff, 0xff, 0xff}), inbox.ErrDICOM},
		{"no representation", explicit.file([]byte{8, 0, 0x18, 0, 1, 2, 0, 0, 0, 0}), inbox.ErrDICOM},
		{"what does not inflate", append(deflated.file(nil)[:178], 0xff, 0xff, 0xff), inbox.ErrDICOM},
	} {
		if id, err := inbox.PatientID(bytes.NewReader(test.file)); !errors.Is(err, test.want) || id != "" {
			t.Errorf("%s: got %q, %v, want %v", test.name, id, err, test.want)
		}
	}
	broken := io.MultiReader(bytes.NewReader(good[:200]), iotest.ErrReader(errDisk))
	if _, err := inbox.PatientID(broken); !errors.Is(err, errDisk) {
		t.Errorf("a disk that fails: %v", err)
	}
}

var (
	errDisk = errors.New("disk")
	nil2    = []byte("1.2\x00")
)

func FuzzPatientID(f *testing.F) {
	for _, s := range []syntax{explicit, implicit, big, deflated} {
		f.Add(dicom(s, "L-1 "))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := inbox.PatientID(bytes.NewReader(b))
		if err == nil && id == "" {
			t.Fatal("no id and no error")
		}
		if err != nil && !errors.Is(err, inbox.ErrNotDICOM) && !errors.Is(err, inbox.ErrDICOM) && !errors.Is(err, inbox.ErrNoPatientID) {
			t.Fatal(err)
		}
	})
}
