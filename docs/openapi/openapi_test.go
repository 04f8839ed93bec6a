package openapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/phrd/phrd/docs/openapi"
)

func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	server := httptest.NewServer(http.StripPrefix("/openapi", openapi.Handler()))
	defer server.Close()
	for path, contains := range map[string]string{
		"/openapi/": "swagger-ui-bundle.js", "/openapi/start.js": "phrd.swagger.json",
		"/openapi/phrd.swagger.json": "/phrd/records/v1/", "/openapi/swagger-ui-bundle.js": "SwaggerUIBundle",
		"/openapi/swagger-ui.css": ".swagger-ui",
	} {
		code, policy, body := get(t, server.URL+path)
		if code != http.StatusOK || !strings.Contains(body, contains) {
			t.Errorf("%s: %d without %q", path, code, contains)
		}
		if !strings.HasPrefix(policy, "default-src 'self'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if path == "/openapi/" && strings.Contains(body, "://") {
			t.Errorf("the page names another server:\n%s", body)
		}
	}
	for _, path := range []string{"/openapi/index.html", "/openapi/swagger-initializer.js"} {
		if code, _, _ := get(t, server.URL+path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestTheDocumentIsJSON(t *testing.T) {
	var document struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(openapi.Document(), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Paths) < 20 {
		t.Fatalf("only %d paths", len(document.Paths))
	}
}

func get(t *testing.T, url string) (code int, policy, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Content-Security-Policy"), string(content)
}
