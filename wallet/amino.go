package wallet

import (
	"encoding/json"
	"fmt"
	"strconv"

	"cosmossdk.io/api/amino"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// AminoDocument is the SIGN_MODE_LEGACY_AMINO_JSON document of a transaction with one flat message, no fee and no memo: JSON with
// sorted keys and no white space (ADR-20 and the amino options of the message). It fails for messages that hold other messages,
// maps, oneofs or floats, which nobody signs in this mode.
func AminoDocument(a Account, gas uint64, message proto.Message) ([]byte, error) {
	name, value, err := aminoMessage(message.ProtoReflect())
	if err != nil {
		return nil, err
	}
	// encoding/json sorts the keys of maps.
	return json.Marshal(map[string]any{
		"account_number": strconv.FormatUint(a.Number, 10),
		"chain_id":       a.ChainID,
		"fee":            map[string]any{"amount": []any{}, "gas": strconv.FormatUint(gas, 10)},
		"memo":           "",
		"msgs":           []any{map[string]any{"type": name, "value": value}},
		"sequence":       strconv.FormatUint(a.Sequence, 10),
	})
}

func aminoMessage(m protoreflect.Message) (string, map[string]any, error) {
	full := m.Descriptor().FullName()
	name, ok := proto.GetExtension(m.Descriptor().Options(), amino.E_Name).(string)
	if !ok || name == "" {
		return "", nil, fmt.Errorf("%s has no amino name", full)
	}
	value := map[string]any{}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.IsMap() || f.Message() != nil || f.ContainingOneof() != nil {
			return "", nil, fmt.Errorf("%s.%s: a message signed in amino is flat", full, f.Name())
		}
		if !m.Has(f) {
			continue
		}
		encoded, err := aminoValue(f, m.Get(f))
		if err != nil {
			return "", nil, fmt.Errorf("%s.%s: %w", full, f.Name(), err)
		}
		value[string(f.Name())] = encoded
	}
	return name, value, nil
}

func aminoValue(f protoreflect.FieldDescriptor, v protoreflect.Value) (any, error) {
	if f.IsList() {
		list := v.List()
		out := make([]any, list.Len())
		for i := range out {
			var err error
			if out[i], err = aminoScalar(f, list.Get(i)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return aminoScalar(f, v)
}

// aminoScalar follows the JSON forms of amino: 64-bit numbers are strings, bytes are standard base64, enums are numbers.
func aminoScalar(f protoreflect.FieldDescriptor, v protoreflect.Value) (any, error) {
	switch f.Kind() {
	case protoreflect.StringKind:
		return v.String(), nil
	case protoreflect.BytesKind:
		return v.Bytes(), nil
	case protoreflect.BoolKind:
		return v.Bool(), nil
	case protoreflect.EnumKind:
		return int32(v.Enum()), nil
	case protoreflect.Int32Kind:
		return v.Int(), nil
	case protoreflect.Uint32Kind:
		return v.Uint(), nil
	case protoreflect.Int64Kind:
		return strconv.FormatInt(v.Int(), 10), nil
	case protoreflect.Uint64Kind:
		return strconv.FormatUint(v.Uint(), 10), nil
	default:
		return nil, fmt.Errorf("kind %s has no amino form here", f.Kind())
	}
}
