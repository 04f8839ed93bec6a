// Package openapi serves the description of the queries over HTTP and a page to read and try them.
package openapi

import (
	_ "embed"
	"io"
	"net/http"

	swagger "github.com/swaggo/files/v2"
)

//go:embed phrd.swagger.json
var document []byte

// page loads Swagger UI from this server alone.
const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>phrd queries</title>
<link rel="stylesheet" href="swagger-ui.css">
<link rel="icon" type="image/png" href="favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
`

const start = `window.onload = () => SwaggerUIBundle({
  url: "phrd.swagger.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
`

// Document is the OpenAPI 2.0 document, as JSON.
func Document() []byte { return append([]byte(nil), document...) }

// Handler serves the page at /, the document at /phrd.swagger.json, and what the page needs. Nothing is loaded from elsewhere.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", text("text/html; charset=utf-8", page))
	mux.HandleFunc("GET /start.js", text("text/javascript; charset=utf-8", start))
	mux.HandleFunc("GET /phrd.swagger.json", text("application/json", string(document)))
	files := http.FileServerFS(swagger.FS)
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"} {
		mux.Handle("GET /"+name, files)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}

func text(kind, content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		// A page that was left before it was read is no error of ours.
		_, _ = io.WriteString(w, content)
	}
}
