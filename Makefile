.DEFAULT_GOAL := help
.PHONY: help proto

TOOLS := bin/tools
BUF   := tools/node_modules/.bin/buf
PROTO_PLUGINS := $(addprefix $(TOOLS)/,protoc-gen-gocosmos protoc-gen-openapiv2 protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

proto: $(BUF) $(PROTO_PLUGINS) ## generate code and the OpenAPI document from proto/
	scripts/proto

$(BUF): tools/package-lock.json
	npm --prefix tools ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

$(TOOLS)/protoc-gen-%: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	cd tools && go build -trimpath -o ../$@ $$(go list tool | grep '/$(notdir $@)$$')
	@touch $@
