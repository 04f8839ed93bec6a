package scenario_test

import (
	"slices"
	"strings"
	"testing"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/app/home"
)

// services are settings that hold, after a change.
func services(change func(*home.Services)) home.Services {
	s := home.Services{GatewayListen: "0.0.0.0:8443", Libp2pListen: "/ip4/0.0.0.0/tcp/4001", Capacity: 1000 << 20}
	if change != nil {
		change(&s)
	}
	return s
}

func TestCacheSize(t *testing.T) {
	for text, want := range map[string]uint64{"": 50 << 20, "0": 0, "20GiB": 20 << 30} {
		s := services(func(s *home.Services) { s.CacheSize = text })
		if got, err := s.CacheBytes(); err != nil || got != want || s.Validate() != nil {
			t.Errorf("cache_size %q is %d, %v, %v, want %d", text, got, err, s.Validate(), want)
		}
	}
	if err := services(func(s *home.Services) { s.CacheSize = "many" }).Validate(); err == nil || !strings.Contains(err.Error(), "cache_size") {
		t.Errorf("a size that is none: %v", err)
	}
}

func TestProxySettings(t *testing.T) {
	for name, c := range map[string]struct {
		listen  string
		proxies []string
		want    string // what the error names; empty for none
	}{
		"nothing":             {"", nil, ""},
		"TLS passed through":  {"", []string{"10.1.0.0/16", "2001:db8::1"}, ""},
		"TLS ends there":      {"127.0.0.1:8080", []string{"127.0.0.1"}, ""},
		"plain HTTP for all":  {"0.0.0.0:8080", []string{"127.0.0.1"}, "gateway_plain_listen"},
		"nobody is trusted":   {"127.0.0.1:8080", nil, "trusted_proxies"},
		"everybody":           {"", []string{"0.0.0.0/0"}, "trusted_proxies"},
		"a proxy with a name": {"", []string{"proxy.hospital.example"}, "trusted_proxies"},
	} {
		err := services(func(s *home.Services) { s.PlainListen, s.TrustedProxies = c.listen, c.proxies }).Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMirrorSettings(t *testing.T) {
	for _, c := range []struct {
		mirror []string
		want   []recordsv1.Class
	}{
		{nil, nil},
		{[]string{"result", "imaging", "imaging"}, []recordsv1.Class{recordsv1.Class_CLASS_IMAGING, recordsv1.Class_CLASS_RESULT}},
		{[]string{"all", "imaging"}, []recordsv1.Class{1, 2, 3, 4, 5}},
	} {
		s := services(func(s *home.Services) { s.Mirror, s.MirrorSize = c.mirror, "2TiB" })
		if got, err := s.MirrorClasses(); err != nil || !slices.Equal(got, c.want) || s.Validate() != nil {
			t.Errorf("mirror %q is %v, %v, %v", c.mirror, got, err, s.Validate())
		}
		want := uint64(2 << 40)
		if c.mirror == nil {
			want = 0
		}
		if got, err := s.MirrorBytes(); err != nil || got != want {
			t.Errorf("mirror %q has %d bytes, %v", c.mirror, got, err)
		}
	}
	for name, change := range map[string]func(*home.Services){
		"mirror: \"pictures\"": func(s *home.Services) { s.Mirror, s.MirrorSize = []string{"pictures"}, "1GiB" },
		"mirror: \"\"":         func(s *home.Services) { s.Mirror, s.MirrorSize = []string{""}, "1GiB" },
		"mirror_size":          func(s *home.Services) { s.Mirror = []string{"all"} },
		"mirror_size: is 0":    func(s *home.Services) { s.Mirror, s.MirrorSize = []string{"all"}, "0" },
	} {
		if err := services(change).Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
