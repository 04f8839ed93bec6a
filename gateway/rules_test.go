package gateway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/gateway"
)

func TestMethodWithoutRule(t *testing.T) {
	if err := gateway.ScopeWithout(nil, "/none"); err != nil {
		t.Errorf("the whole table: %v", err)
	}
	err := gateway.ScopeWithout(nil, recordsv1.Query_Patient_FullMethodName)
	if !errors.Is(err, gateway.ErrNoRule) || !strings.Contains(err.Error(), recordsv1.Query_Patient_FullMethodName) {
		t.Errorf("%v, want ErrNoRule that names the method", err)
	}
}

func TestMethods(t *testing.T) {
	got := gateway.Methods()
	if !slices.IsSorted(got) || !slices.Contains(got, recordsv1.Query_Patient_FullMethodName) {
		t.Errorf("methods %v", got)
	}
}
