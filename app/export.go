package app

import (
	"encoding/json"
	"fmt"
)

// ExportGenesis is the latest committed state of every module, as a genesis holds it.
func (app *App) ExportGenesis() (json.RawMessage, error) {
	ctx, err := app.latest()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	state, err := app.modules.ExportGenesis(ctx, app.codec)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return json.Marshal(state)
}
